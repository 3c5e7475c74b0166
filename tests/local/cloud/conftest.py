"""One local cloud a test worker, in a process of its own, with a small template that has one of everything."""

from __future__ import annotations

import json
import random
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config

from tidegate_local import control
from tidegate_local.adapters.lambda_workers import LambdaWorkers
from tidegate_local.adapters.worker_process import Function
from tidegate_local.counters import Counters
from tidegate_local.faults import Faults
from tidegate_local.state import State

STACK = Path(__file__).parent / "stack" / "template.yaml"
SESSION = boto3.session.Session()
T = TypeVar("T")
BASE = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "us-east-1"}
TELL = """
import os, random, sys
def handler(event, context):
    return {
        "pid": os.getpid(), "server": os.getppid(), "session": os.getsid(0), "variables": dict(os.environ),
        "path": sys.path, "folder": os.getcwd(), "chance": random.random(),
        "descriptors": {n: os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if int(n) > 2
                        and os.path.exists(f"/proc/self/fd/{n}")},
    }
"""


def eventually(look: Callable[[], T | None], seconds: float = 30.0) -> T:
    """Look until something is seen; the bound only ends a test that has failed."""
    until = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < until, f"not seen within {seconds} s"
        time.sleep(0.02)


@dataclass
class Cloud:
    """A running local cloud, as a client sees it."""

    directory: Path
    state: State
    _clients: dict[Any, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str, **config: Any) -> Any:
        """The administrator's client, without retries of its own."""
        key = (service, config.get("signature_version"))
        if key not in self._clients:
            self._clients[key] = self._make(service, config.get("signature_version"))
        return self._clients[key]

    def _make(self, service: str, signature: str | None) -> Any:
        environment = self.state.environment
        return SESSION.client(
            service,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, signature_version=signature),
        )

    def out(self, name: str) -> str:
        """An output of the template."""
        return self.state.outputs[name]

    def local(self, page: str, body: Any = None) -> tuple[int, Any]:
        """Ask for a page of the local cloud's own; a body makes it a POST."""
        return fetch(f"{self.state.environment['TIDEGATE_LOCAL_URL']}/{page}", body)

    def faults(self, **faults: Any) -> None:
        """Switch faults on."""
        status, answer = self.local("faults", faults)
        assert status == 200, answer

    def invoke(self, name: str, event: Any) -> tuple[Any, str | None]:
        """Call a function; gives what it answered, and the kind of error."""
        answer = self.client("lambda").invoke(FunctionName=self.out(name), Payload=json.dumps(event))
        return json.load(answer["Payload"]), answer.get("FunctionError")

    def machine(self, definition: dict[str, Any], name: str) -> str:
        """Make a state machine under the role of the template's own."""
        made = self.client("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(definition), roleArn=self.out("MachineRoleArn")
        )
        return str(made["stateMachineArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait for an execution's end."""
        client = self.client("stepfunctions")

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = client.describe_execution(executionArn=execution)
            return None if found["status"] == "RUNNING" else found

        return eventually(look)

    def run(self, definition: dict[str, Any], name: str, given: Any = None) -> dict[str, Any]:
        """Run a state machine to its end."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.machine(definition, name), input=json.dumps(given or {})
        )
        return self.ended(started["executionArn"])

    def messages(self, queue: str, number: int = 1) -> list[str]:
        """Take that many messages from a queue, as they come."""
        client, url = self.client("sqs"), self.out(queue)
        got: list[str] = []

        def look() -> bool:
            answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                got.append(message["Body"])
            return len(got) >= number

        eventually(look)
        return got


def fetch(url: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Make a request; gives the status and the JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture(scope="session")
def running_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory = tmp_path_factory.mktemp("cloud")
    options = {"hosts": 2, "tags": {"Fleet": "test"}, "parameters": {"Flavour": "fancy"}}
    assert control.start_detached(directory, STACK, options, outlives_caller=False)
    try:
        yield Cloud(directory, control.running(directory))
    finally:
        control.stop(directory)


@pytest.fixture
def cloud(running_cloud: Cloud) -> Iterator[Cloud]:
    """The worker's local cloud, without faults."""
    yield running_cloud
    running_cloud.faults(events={}, throttle={}, kill=None)


@pytest.fixture
def scaled(cloud: Cloud) -> Iterator[Any]:
    """An Auto Scaling group that the test may make."""
    from tests.local.cloud.scaled_groups import scaled_group

    yield from scaled_group(cloud)


def made_workers(folder):
    return LambdaWorkers(
        folder / "logs", "1", "us-east-1", lambda: BASE, lambda _: [], Counters(), Faults(chance=random.Random(1))
    )


class Functions:
    """Functions made of source texts, and what runs them."""

    def __init__(self, folder, workers):
        self.folder = folder
        self.workers = workers

    def full(self, name):
        """What a test's function is called among those of all tests."""
        return f"{self.folder.name}-{name}"

    def add(self, name, text=TELL, layers=(), timeout=20.0, files=None, **variables):
        home = self.folder / name
        home.mkdir()
        for file, content in {"app.py": text, **(files or {})}.items():
            (home / file).write_text(textwrap.dedent(content))
        path = (str(home), *map(str, layers))
        self.workers.register(
            Function(self.full(name), "arn", name, "app.handler", path, variables, timeout, 128, "role")
        )
        return name

    def layer(self, name, **files):
        folder = self.folder / name
        for file, text in files.items():
            path = folder / f"{file}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    def call(self, name, event=None):
        return json.loads(self.workers.invoke(self.full(name), event).payload)

    def together(self, name, number, event):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.call(name, event))) for _ in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    made = made_workers(tmp_path_factory.mktemp("workers"))
    yield made
    made.stop()


@pytest.fixture
def functions(tmp_path, workers):
    """Functions of a test, forked from the process that those of other tests are forked from."""
    return Functions(tmp_path, workers)


@pytest.fixture
def own(tmp_path):
    """Functions of a test that may break what they are forked from."""
    made = Functions(tmp_path, made_workers(tmp_path))
    yield made
    made.workers.stop()
