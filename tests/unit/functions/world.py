"""An account in memory: the table, hosts, the state machine and the functions' real ``run``, all in virtual time."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger
from tests.unit.functions.alarm_states import AlarmStates
from tests.unit.functions.hosts import Clock, Fleet, Host, Orders
from tests.unit.functions.machine import DEFINITION, Execution, Json, Killed, StepError

from tidegate.gateways.bundles import Bundle
from tidegate.gateways.errors import RevisionFault
from tidegate.model.names import revision_key
from tidegate.runtime import Runtime, step
from tidegate.store.applications import Applications
from tidegate.store.deployments import Deployments
from tidegate.store.groups import Groups
from tidegate.store.memory import MemoryTable
from tidegate.store.table import Item, Key

ENV = {
    "TIDEGATE_TABLE": "table",
    "TIDEGATE_BUCKET": "bucket",
    "TIDEGATE_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:test-server-deployment",
    "TIDEGATE_DOCUMENT": "test-run-stage",
    "AWS_REGION": "us-east-1",
    "TIDEGATE_REVISION_BUCKETS": "releases",
    "TIDEGATE_OPT_IN_TAG_KEY": "tidegate:managed",
    "TIDEGATE_OPT_IN_TAG_VALUE": "true",
    "TIDEGATE_HEARTBEAT_SECONDS": "60",
    "TIDEGATE_HEARTBEAT_FLOOR_SECONDS": "10",
    "TIDEGATE_UNDELIVERED_AFTER_SECONDS": "120",
    "TIDEGATE_HOST_EVENT_SECONDS": "200",
    "TIDEGATE_DRAIN_SECONDS": "1200",
    "TIDEGATE_BALANCER_SECONDS": "600",
    "TIDEGATE_BALANCER_INTERVAL_SECONDS": "15",
    "TIDEGATE_DEPLOYMENT_SECONDS": "7200",
    "TIDEGATE_AGENT_SECONDS": "3600",
    "TIDEGATE_BLUE_GREEN_SECONDS": "392400",
    "TIDEGATE_PROVISIONING_SECONDS": "3600",
    "TIDEGATE_PASSES_PER_EXECUTION": "200",
    "TIDEGATE_MAX_INSTANCES": "1000",
    "TIDEGATE_ACT_AS_SERVICE_ROLE": "never",
    "TIDEGATE_SERVICE_ROLE_ARNS": "arn:aws:iam::*:role/tidegate-*",
    "TIDEGATE_GITHUB_API_URL": "https://api.github.test",
    "TIDEGATE_GITHUB_SECRETS": "test/github/",
}
APPSPEC = (
    "version: 0.0\nos: linux\nhooks:\n  ValidateService:\n    - location: scripts/validate.sh\n      timeout: 30\n"
)
START = 1_764_000_000.0
CALL_TAKES = 0.25  # seconds of a function's call


class Bundles:
    """Revisions by key; a fault stands for a revision that cannot be used."""

    def __init__(self) -> None:
        self.appspecs: dict[str, str | RevisionFault] = {"v1.zip": APPSPEC, "v2.zip": APPSPEC}
        self.copied: list[str] = []

    def copy(self, location: Mapping[str, Any], revision: str) -> Bundle:
        self.copied.append(revision)
        return Bundle(f"bundles/{location['s3Location']['key']}", 100, "ab" * 32, "zip")

    def appspec(self, bundle: Bundle, source_name: str) -> str:
        found = self.appspecs[bundle.key.removeprefix("bundles/")]
        if isinstance(found, RevisionFault):
            raise found
        return found


class RecordingTable(MemoryTable):
    """Remembers the statuses that each deployment went through."""

    def __init__(self) -> None:
        super().__init__()
        self.courses: dict[str, list[str]] = {}

    def _store(self, key: Key, item: Item | None, as_bytes: bytes) -> None:
        super()._store(key, item, as_bytes)
        if key[1] == "DEP" and item is not None:
            course = self.courses.setdefault(key[0][4:], [])
            if course[-1:] != [item["status"]]:
                course.append(item["status"])


class Account:
    """One account with application ``shop`` and its group ``prod``; ``env`` are settings that differ from ``ENV``."""

    table_type = RecordingTable
    fleet_type = Fleet

    def __init__(self, hosts: dict[str, Host], **env: str) -> None:
        self.env = ENV | env
        self.machine: Json = DEFINITION  # what executions are started with from now on
        self.clock = Clock(START)
        self.table = self.table_type()
        self.hosts, self.orders, self.bundles = hosts, Orders(self.clock), Bundles()
        self.fleet = self.fleet_type(self.clock, hosts, self.orders)
        self.fleet.ended = self._ended
        self.alarms = AlarmStates(self)
        self.queue: list[tuple[str, int]] = []
        self.executions: dict[str, Execution] = {}
        self.before: Callable[[str, Json], None] = lambda _name, _state: None
        self.signals_arrive = 1  # how often each of SSM's events is delivered
        self.ids = iter(f"d-{n:09d}" for n in range(1, 1000))
        self.ports: dict[str, Any] = {
            "table": self.table,
            "run_command": self.fleet,
            "instances": self.fleet,
            "nodes": self.fleet,
            "orders": self.orders,
            "bundles": self.bundles,
            "alarms": self.alarms,
            "executions": self,
        }
        self.runtime = self._runtime()
        Applications(self.table).create("shop", application_id="app-1", platform="Server", now=START)
        info = {
            "applicationName": "shop",
            "deploymentGroupName": "prod",
            "deploymentConfigName": "CodeDeployDefault.OneAtATime",
            "ec2TagFilters": [{"Key": "Fleet", "Value": "demo", "Type": "KEY_AND_VALUE"}],
        }
        self.runtime.groups.create("group-1", info)

    @property
    def now(self) -> float:
        return self.clock.now

    def _runtime(self, wrapped: Callable[[str, Any], Any] = lambda _name, port: port) -> Runtime:
        """A runtime over the ports of this account, each handed through ``wrapped``."""
        runtime = Runtime(self.env)
        runtime.clock = lambda: self.clock.now
        runtime.new_deployment_id = lambda: next(self.ids)  # type: ignore[method-assign]
        for name, port in self.ports.items():
            setattr(runtime, name, wrapped(name, port))
        return runtime

    def wrap(self, wrapped: Callable[[str, Any], Any]) -> None:
        """Let every port of the functions go through ``wrapped(name, port)``."""
        self.runtime = self._runtime(wrapped)

    # --- Step Functions

    def start(self, deployment_id: str, generation: int) -> None:
        if f"{deployment_id}-{generation}" not in self.executions:
            self.executions[f"{deployment_id}-{generation}"] = Execution(
                self,
                f"{deployment_id}-{generation}",
                {"deploymentId": deployment_id, "generation": generation, "pass": 0},
                definition=self.machine,
            )
            self.queue.append((deployment_id, generation))

    def status(self, deployment_id: str, generation: int) -> str | None:
        found = self.executions.get(f"{deployment_id}-{generation}")
        return found.status if found else None

    def abort(self, deployment_id: str) -> None:
        """What StopExecution does to the execution that a deployment has now."""
        generation = self.deployment(deployment_id)["generation"]
        self.executions[f"{deployment_id}-{generation}"].status = "ABORTED"

    def sweep(self, after: float = 300) -> dict[str, dict[str, int]]:
        """SweepDeployments, some time later; what it starts is run."""
        self.clock.pass_time_until(self.now + after, lambda: False)
        sweep_deployments = importlib.import_module("functions.sweep_deployments.app")
        found: dict[str, dict[str, int]] = sweep_deployments.run({}, self.runtime)
        self.run()
        return found

    def wake(self, token: str) -> None:
        for execution in self.executions.values():
            if execution.token == token and execution.status == "RUNNING":
                execution.answered.setdefault(token, {})

    def run(self) -> Account:
        """Run the executions that were started, and those that they start."""
        while self.queue:
            deployment_id, generation = self.queue.pop(0)
            execution = self.executions[f"{deployment_id}-{generation}"]
            execution.before = self.before
            execution.run()
        return self

    def invoke(self, function: str, payload: Json) -> Json:
        """Call a function as Lambda does, its error told as Step Functions gets it."""
        self.clock.pass_time_until(self.now + CALL_TAKES, lambda: False)
        folder = re.sub(r"(?<!^)(?=[A-Z])", "_", function.removesuffix("Function")).lower()
        module = importlib.import_module(f"functions.{folder}.app")
        handler = step(Logger(), module.run, lambda: self.runtime)
        try:
            return handler(payload, None)
        except Killed as killed:
            raise StepError("Lambda.Unknown", str(killed)) from killed
        except Exception as error:
            name = type(error).__name__
            raise StepError(name, json.dumps({"errorType": name, "errorMessage": str(error)})) from error

    def pass_time_until(self, deadline: float, done: Callable[[], bool]) -> bool:
        return self.clock.pass_time_until(deadline, done)

    # --- signals

    def _ended(self, command_id: str, target_id: str) -> None:
        for _ in range(self.signals_arrive):
            self.clock.at(self.now + 0.5, lambda: self.deliver(command_id, target_id))

    def deliver(self, command_id: str, target_id: str, tries: int = 5) -> None:
        """One of SSM's events, through the queue; what WakeDeployment gives back comes again."""
        body = {
            "source": "aws.ssm",
            "detail": {"command-id": command_id, "instance-id": target_id, "status": "Success"},
        }
        wake = importlib.import_module("functions.wake_deployment.app")
        record = {"messageId": f"{command_id}/{target_id}", "body": json.dumps(body)}
        try:
            answer = wake.run({"Records": [record]}, self.runtime)
        except (Killed, Exception):
            answer = {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
        if answer["batchItemFailures"] and tries > 1:
            self.clock.at(self.now + 30, lambda: self.deliver(command_id, target_id, tries - 1))

    # --- what a user does

    def deploy(self, key: str, minimum: tuple[str, int] = ("MOST_CONCURRENCY", 1), **more: Any) -> str:
        """Create a deployment of ``key`` and start it."""
        location = {"revisionType": "S3", "s3Location": {"bucket": "releases", "key": key, "bundleType": "zip"}}
        deployment_id = next(self.ids)
        item = {
            "deploymentId": deployment_id,
            "applicationName": "shop",
            "deploymentGroupName": "prod",
            "deploymentGroupId": "group-1",
            "deploymentConfigName": "CodeDeployDefault.OneAtATime",
            "minimum": {"type": minimum[0], "value": minimum[1]},
            "computePlatform": "Server",
            "location": location,
            "revisionKey": revision_key(location),
            "status": "Created",
            "creator": "user",
            "description": "",
            "createTime": self.now,
            "fileExistsBehavior": "DISALLOW",
            "ignoreApplicationStopFailures": False,
            "updateOutdatedInstancesOnly": False,
            "autoRollback": {"enabled": False, "events": []},
            "overview": {},
            "generation": 1,
            **more,
        }
        self.runtime.deployments.create(item, revision_description="")
        self.start(deployment_id, 1)
        return deployment_id

    def stop(self, deployment_id: str, auto_rollback: bool | None = None) -> None:
        """What StopDeployment does; who gets no answer asks again."""
        try:
            self.runtime.deployments.request_stop(deployment_id, now=self.now, auto_rollback=auto_rollback, by="alice")
            self.runtime.signals.signal(deployment_id)
        except Killed:
            self.clock.at(self.now + 1, lambda: self.stop(deployment_id, auto_rollback))

    # --- what can be seen

    def deployment(self, deployment_id: str) -> dict[str, Any]:
        return Deployments(self.table).get(deployment_id)

    def group(self) -> dict[str, Any]:
        return Groups(self.table).get("shop", "prod")

    def path(self, deployment_id: str, generation: int = 1) -> list[str]:
        return self.executions[f"{deployment_id}-{generation}"].path

    def decisions(self, deployment_id: str) -> list[dict[str, Any]]:
        return self.table.query(f"DEP#{deployment_id}", "DECISION#").items

    def targets(self, deployment_id: str) -> dict[str, dict[str, Any]]:
        items = self.table.query(f"DEP#{deployment_id}", "TARGET#").items
        return {item["targetId"]: item for item in items}

    def statuses(self, deployment_id: str) -> dict[str, str]:
        return {target_id: item["status"] for target_id, item in self.targets(deployment_id).items()}


def hosts(count: int, **behaviour: Any) -> dict[str, Host]:
    """So many hosts that behave alike."""
    return {f"i-{n:017x}": Host(**behaviour) for n in range(1, count + 1)}
