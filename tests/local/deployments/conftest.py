"""One local cloud a test worker, with short limits; each test tags the hosts it wants and has its own group."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.sessions import session_with

from tidegate_local.cloud import Options
from tidegate_local.control import running, start_detached

ROOT = Path(__file__).parents[3]
TERMINAL = {"Succeeded", "Failed", "Stopped"}

#: Short limits, so that what takes minutes on AWS takes seconds here; nothing else differs from the template.
LIMITS = {
    "HeartbeatSeconds": "4",
    "HeartbeatFloorSeconds": "1",
    "UndeliveredAfterSeconds": "8",
    "HostEventSeconds": "3",
}


def tidegate(folder: Path, *args: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """The command line, on an instance of its own."""
    env = {**os.environ, "TIDEGATE_LOCAL_DIR": str(folder)}
    command = [str(Path(sys.executable).parent / "tidegate"), *args]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout, check=False)


@dataclass
class Cloud:
    """A running local cloud, its clients and its switches."""

    folder: Path
    env: Mapping[str, str]
    hosts: list[dict[str, Any]] = field(default_factory=list)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def _session(self) -> Any:
        env = self.env
        return session_with(env["AWS_DATA_PATH"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])

    def client(self, service: str) -> Any:
        """A boto3 client as a user's shell would make it."""
        if service not in self._clients:
            own = f"AWS_ENDPOINT_URL_{service.upper()}"
            endpoint = self.env.get(own, self.env["AWS_ENDPOINT_URL"])
            self._clients[service] = self._session.client(service, endpoint_url=endpoint)
        return self._clients[service]

    def page(self, name: str, body: Any = None) -> Any:
        """One of the local cloud's own pages."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.env['TIDEGATE_LOCAL_URL']}/{name}", data, timeout=10) as answer:
            return json.loads(answer.read())

    def run(self, host: str, *command: str) -> subprocess.CompletedProcess[str]:
        """A command inside a host."""
        # Hosts come while the cloud runs.
        known = next(one for one in running(self.folder).hosts if one["name"] == host)
        # What `tidegate local exec` does, without what a command line costs to start: tests look into hosts often.
        script = (
            "import json, sys; from tidegate_local.hosts.enter import exec_in_host; "
            "sys.exit(exec_in_host(json.loads(sys.argv[1]), sys.argv[2:]))"
        )
        command = (sys.executable, "-c", script, json.dumps(known), *command)
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def read(self, host: str, path: str) -> str:
        """A file inside a host; empty when it is not there."""
        return self.run(host, "sh", "-c", f"cat {path} 2>/dev/null || true").stdout


def started(folder: Path) -> Cloud:
    """The local cloud that runs in a folder."""
    state = running(folder)
    return Cloud(folder, state.environment, state.hosts)


def ended(folder: Path) -> None:
    """End it, and insist on that."""
    down = tidegate(folder, "local", "down")
    assert down.returncode == 0, down.stdout + down.stderr


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("local")
    parameters = itertools.chain.from_iterable(("--parameter", f"{k}={v}") for k, v in LIMITS.items())
    up = tidegate(folder, "local", "up", "--hosts", "4", "--detach", *parameters)
    assert up.returncode == 0, up.stdout + up.stderr
    yield started(folder)
    ended(folder)


@pytest.fixture
def separate_cloud(tmp_path: Path) -> Iterator[Callable[[Callable[[str], str]], Cloud]]:
    """A local cloud of this test alone, from the template with a change: ``separate_cloud(change)``."""
    stack, folder = tmp_path / "stack", tmp_path / "local"

    def start(change: Callable[[str], str]) -> Cloud:
        stack.mkdir()
        for name in ("functions", "layers", "statemachines"):
            (stack / name).symlink_to(ROOT / name)
        (stack / "template.yaml").write_text(change((ROOT / "template.yaml").read_text()))
        options = Options(hosts=1, parameters=LIMITS).plain()
        start_detached(folder, stack / "template.yaml", options, outlives_caller=False)
        return started(folder)

    yield start
    ended(folder)


@dataclass
class Group:
    """A deployment group of a test, with the hosts it selects."""

    cloud: Cloud
    name: str
    hosts: list[dict[str, Any]]
    codedeploy: Any
    s3: Any
    pushed: int = 0

    @property
    def names(self) -> list[str]:
        return [host["name"] for host in self.hosts]

    def appspec(self, hooks: str = "") -> str:
        """An AppSpec that installs ``file.txt`` into a folder of this test's own."""
        files = f"files:\n  - source: /file.txt\n    destination: /srv/{self.name}\n"
        return f"version: 0.0\nos: linux\n{files}{hooks}"

    def push(self, content: str, hooks: str = "", scripts: Mapping[str, str] | None = None) -> dict[str, Any]:
        """A revision whose ``file.txt`` holds ``content``; its location."""
        files = {"appspec.yml": self.appspec(hooks), "file.txt": content, **(scripts or {})}
        return self.upload(self.archive(files))

    def push_counting(self, note: str, then: str = "") -> dict[str, Any]:
        """A revision whose AfterInstall script notes each of its runs outside what deployments clean up."""
        hooks = "hooks:\n  AfterInstall:\n    - location: count.sh\n      timeout: 20\n"
        return self.push("x", hooks, {"count.sh": f'#!/bin/sh\necho "$DEPLOYMENT_ID" >> /var/tmp/{note}\n{then}\n'})

    def runs(self, host: str, note: str) -> list[str]:
        """The deployments that a counting script was run for."""
        return self.cloud.read(host, f"/var/tmp/{note}").split()

    @staticmethod
    def archive(files: Mapping[str, str]) -> bytes:
        """A zip of texts; scripts (``*.sh``) are executable."""
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w") as zipped:
            for name, text in files.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = (0o100755 if name.endswith(".sh") else 0o100644) << 16
                zipped.writestr(info, text)
        return buffer.getvalue()

    def upload(self, data: bytes, kind: str = "zip") -> dict[str, Any]:
        """Any bytes as a revision; its location."""
        self.pushed += 1
        key = f"{self.name}/{self.pushed}.{kind}"
        self.s3.put_object(Bucket="revisions", Key=key, Body=data)
        return {"revisionType": "S3", "s3Location": {"bucket": "revisions", "key": key, "bundleType": kind}}

    def deploy(self, revision: Mapping[str, Any], **options: Any) -> str:
        """Start a deployment; its id."""
        answer = self.codedeploy.create_deployment(
            applicationName=self.name, deploymentGroupName="group", revision=revision, **options
        )
        return str(answer["deploymentId"])

    def wait(self, deployment_id: str, seconds: float = 90) -> dict[str, Any]:
        """Wait until a deployment has ended."""
        # An end stays: nothing is missed by looking less often, and each look costs what a call of a function costs.
        return self.until(deployment_id, lambda info: info["status"] in TERMINAL, seconds, pause=0.4)

    def until(
        self, deployment_id: str, holds: Callable[[dict[str, Any]], bool], seconds: float = 60, pause: float = 0.2
    ) -> dict[str, Any]:
        """Wait until something holds of a deployment; fails with what it was last and why."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            info = self.codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
            if holds(info):
                return dict(info)
            time.sleep(pause)
        raise AssertionError(f"after {seconds} s: {info}\n" + "\n".join(self.reasons(deployment_id)))

    def reasons(self, deployment_id: str) -> list[str]:
        """The deployment's decisions, in sentences."""
        pages = self.cloud.client("tidegate").get_paginator("list_decisions").paginate(deploymentId=deployment_id)
        return [decision["reason"] for page in pages for decision in page["decisions"]]

    def targets(self, deployment_id: str) -> dict[str, dict[str, Any]]:
        """The deployment's targets by host name."""
        by_id = {host["id"]: host["name"] for host in self.hosts}
        answer = self.codedeploy.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=list(by_id))
        rows = [row["instanceTarget"] for row in answer["deploymentTargets"]]
        return {by_id[row["targetId"]]: row for row in rows}

    def events(self, deployment_id: str, host: str) -> dict[str, str]:
        """Status by lifecycle event of one host."""
        return {e["lifecycleEventName"]: e["status"] for e in self.targets(deployment_id)[host]["lifecycleEvents"]}

    def files(self) -> list[str]:
        """What ``file.txt`` holds on each host."""
        return [self.cloud.read(name, f"/srv/{self.name}/file.txt") for name in self.names]


def made_group(
    cloud: Cloud,
    name: str,
    hosts: int,
    config: str = "CodeDeployDefault.AllAtOnce",
    rollback: bool = False,
    **options: Any,
) -> Group:
    """An application with one group that selects the cloud's first hosts."""
    codedeploy, s3, ec2 = cloud.client("codedeploy"), cloud.client("s3"), cloud.client("ec2")
    s3.create_bucket(Bucket="revisions")
    chosen = cloud.hosts[:hosts]
    if chosen:
        ec2.create_tags(Resources=[host["id"] for host in chosen], Tags=[{"Key": f"test-{name}", "Value": "yes"}])
    codedeploy.create_application(applicationName=name)
    codedeploy.create_deployment_group(
        applicationName=name,
        deploymentGroupName="group",
        deploymentConfigName=config,
        ec2TagFilters=[{"Key": f"test-{name}", "Value": "yes", "Type": "KEY_AND_VALUE"}],
        serviceRoleArn="arn:aws:iam::123456789012:role/service",
        autoRollbackConfiguration={"enabled": rollback, "events": ["DEPLOYMENT_FAILURE"] if rollback else []},
        **options,
    )
    return Group(cloud, name, chosen, codedeploy, s3)


@pytest.fixture
def make_group() -> Callable[..., Group]:
    """Makes a group in any cloud: ``make_group(cloud, name, hosts)``."""
    return made_group


@pytest.fixture
def group(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[Callable[..., Group]]:
    """Makes the test's group: ``group(2, config="CodeDeployDefault.OneAtATime")``; all faults end with the test."""
    name = request.node.name.removeprefix("test_").translate(str.maketrans("[]", "__"))[:60].rstrip("_")
    yield partial(made_group, cloud, name)
    cloud.page("faults", {"events": {}, "throttle": {}, "kill": None})
    cloud.page("host-faults", {})
    for host in cloud.hosts:
        cloud.page("agent", {"host": host["name"], "online": True})
    # An instance may have 50 tags, and the cloud serves many tests.
    cloud.client("ec2").delete_tags(Resources=[host["id"] for host in cloud.hosts], Tags=[{"Key": f"test-{name}"}])
