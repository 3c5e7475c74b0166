"""The sample events: of the shape that the functions really get, and each answered by its function."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.functions.copied_groups import Scaled
from tests.unit.functions.hosts import Host
from tests.unit.functions.machine import DEFINITION, ROOT, Json
from tests.unit.functions.scaling_groups import GROUP_ID, ScalingGroups, scaled
from tests.unit.functions.subscribers import Subscribers
from tests.unit.functions.world import Account, hosts

from tidegate.api import Services, Settings, handle
from tidegate.api.lambda_proxy import to_request, to_response
from tidegate.store.alarm_watches import watches_of

EVENTS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "events").glob("*.json")}
ON_FAILURE = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}


class Reached(Exception):  # noqa: N818 - the place where a test stops
    """The state that a test waits for comes next."""


def folder(function: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", function.removesuffix("Function")).lower()


def rolling_back(**env: str) -> Account:
    """A first deployment that succeeds, and one that fails and is rolled back."""
    account = Account(hosts(2), **env)
    account.deploy("v1.zip")
    account.run()
    for host in account.hosts.values():
        host.fails = frozenset({"v2.zip"})
    account.deploy("v2.zip", autoRollback=ON_FAILURE)
    return account


def at(state: str, account: Account | None = None) -> Account:
    """An account whose next step is ``state``."""
    account = account or Account(hosts(2))
    if not account.queue:
        account.deploy("v1.zip")

    def stop(name: str, _state: Json) -> None:
        if name == state:
            raise Reached

    account.before = stop
    with pytest.raises(Reached):
        account.run()
    return account


def call(name: str, account: Account) -> Json:
    module = importlib.import_module(f"functions.{name}.app")
    answer: Json = module.run(EVENTS[name], account.runtime)
    return answer


def test_there_is_an_event_for_every_function() -> None:
    assert set(EVENTS) == {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}


def test_events_of_steps_have_the_members_that_the_machine_passes() -> None:
    fleets = Scaled()
    fleets.start()
    passed: dict[str, list[set[str]]] = {}

    def watch(account: Account) -> Account:
        invoke: Callable[[str, Json], Json] = account.invoke

        def watched(function: str, payload: Json) -> Json:
            passed.setdefault(folder(function), []).append(set(payload))
            return invoke(function, payload)

        account.invoke = watched  # type: ignore[method-assign]
        return account

    for account in (rolling_back(TIDEGATE_PASSES_PER_EXECUTION="1"), fleets.account):  # every state is passed
        watch(account).run()
    steps = {folder(name) for name, state in DEFINITION["States"].items() if state["Type"] == "Task"}
    assert set(passed) == steps
    for name in steps:
        assert set(EVENTS[name]) in passed[name], name


def test_validate_revision() -> None:
    account = at("ValidateRevision")
    assert call("validate_revision", account) == {**EVENTS["validate_revision"], "verdict": "ACT"}
    item = account.deployment("d-000000001")
    assert item["bundle"]["key"] == "bundles/v1.zip"
    assert json.loads(item["appspec"])["hooks"]["ValidateService"][0]["timeout"] == 30
    assert (item["hookSeconds"], item["status"]) == ({"ValidateService": 30}, "Created")


def test_start_successor() -> None:
    account = at("EvaluateHealth")
    assert call("start_successor", account) == EVENTS["start_successor"]
    assert account.deployment("d-000000001")["generation"] == 2
    assert list(account.executions) == ["d-000000001-1", "d-000000001-2"]


def test_select_targets() -> None:
    account = at("SelectTargets")
    assert call("select_targets", account)["verdict"] == "ACT"
    assert account.deployment("d-000000001")["status"] == "InProgress"
    assert account.statuses("d-000000001") == dict.fromkeys(account.hosts, "Pending")


def test_provision_replacements() -> None:
    fleets = Scaled()
    deployment_id = fleets.start()
    module = importlib.import_module("functions.provision_replacements.app")
    answer = module.run({**EVENTS["provision_replacements"], "deploymentId": deployment_id}, fleets.account.runtime)
    assert (answer["verdict"], answer["heartbeat"]) == ("WAIT", 30)
    assert f"CodeDeploy_prod_{deployment_id}" in fleets.groups.rows


def test_evaluate_health() -> None:
    answer = call("evaluate_health", at("EvaluateHealth"))
    assert answer == {**EVENTS["evaluate_health"], "pass": 1, "signal": 0, "verdict": "ACT", "heartbeat": 11}


def test_pick_batch() -> None:
    account = at("PickBatch")
    assert call("pick_batch", account) == EVENTS["pick_batch"]
    assert sorted(account.statuses("d-000000001").values()) == ["InProgress", "Pending"]
    assert account.fleet.commands == {}


def test_send_commands() -> None:
    account = at("SendCommands")
    assert call("send_commands", account) == EVENTS["send_commands"]
    (command,) = account.fleet.commands.values()
    assert command.comment == "tidegate d-000000001 0001.00"
    order = command.order
    assert (order["schema"], order["mode"], order["stage"]) == (1, "run", "host")
    assert order["events"][0] == "ApplicationStop"
    assert order["appspec"]["os"] == "linux"
    assert set(order) == {
        "schema", "mode", "deploymentId", "stage", "events", "applicationName", "deploymentGroupName",
        "deploymentGroupId", "deploymentCreator", "deploymentType", "ignoreApplicationStopFailures",
        "fileExistsBehavior", "revision", "bundle", "appspec", "runner", "progress", "limits",
    }  # fmt: skip
    assert account.runtime.commands.deployments_of(["cmd-0000"]) == {"cmd-0000": "d-000000001"}


def test_await_progress() -> None:
    account = at("AwaitProgress")
    assert call("await_progress", account) == {"deploymentId": "d-000000001", "verdict": "PARKED"}
    assert account.table.get(("DEP#d-000000001", "SIGNAL")) == {
        "PK": "DEP#d-000000001",
        "SK": "SIGNAL",
        "token": EVENTS["await_progress"]["token"],
    }


def test_finish_deployment() -> None:
    account = at("FinishDeployment")
    expected = {
        "machineVersion": 2,
        "deploymentId": "d-000000001",
        "generation": 1,
        "pass": 4,
        "verdict": "END",
    }
    assert call("finish_deployment", account) == expected
    assert account.deployment("d-000000001")["status"] == "Succeeded"
    assert call("finish_deployment", account) == expected


def test_roll_back_deployment() -> None:
    account = at("RollBackDeployment", rolling_back())
    assert "d-000000003-1" not in account.executions
    for _ in range(2):
        assert call("roll_back_deployment", account) == EVENTS["roll_back_deployment"]
    assert list(account.executions) == ["d-000000001-1", "d-000000002-1", "d-000000003-1"]


def test_wake_deployment() -> None:
    account = at("AwaitProgress")
    item = {"deploymentId": "d-W4TCHES00", "alarms": {"names": ["errors"]}}
    account.table.write(*watches_of(item))
    assert call("wake_deployment", account) == {"batchItemFailures": []}
    signal = account.runtime.signals.read("d-000000001")
    assert (signal.count, signal.changed) == (1, {"cmd-0000"})
    signal = account.runtime.signals.read("d-W4TCHES00")
    assert (signal.count, signal.changed) == (1, frozenset())


def test_on_instance_lifecycle() -> None:
    account = Account({"i-00000000000000001": Host()})
    port = scaled(account, "web")
    port.told = 0
    port.launch("web", "i-00000000000000001")
    port.all["web"].waits["i-00000000000000001"].token = "87654321-4321-4321-4321-210987654321"
    assert next(iter(port.all["web"].hooks)).endswith(f"prod-{GROUP_ID}")
    assert call("on_instance_lifecycle", account) == {"batchItemFailures": []}
    assert port.answers == [("i-00000000000000001", "CONTINUE")], "nothing has been deployed to the group yet"


def test_notify_subscribers() -> None:
    account = at("PickBatch")
    subscribers = Subscribers(account.table)
    subscribers.tell(EVENTS["notify_subscribers"]["Records"])
    (told,) = subscribers.bus.got
    assert told.body["Detail"]["deploymentId"] == "d-000000001"
    assert (told.body["Detail"]["state"], told.body["Detail"]["instanceId"]) == ("START", "i-00000000000000001")
    assert told.body["Time"] == 1764000011.25


def test_api() -> None:
    account = Account({"i-00000000000000001": Host()})
    runtime = account.runtime
    services = Services(
        table=account.table,
        executions=account,
        signals=runtime.signals,
        progress=_NoProgress(),
        logs=_NoLogs(),
        github_tokens=runtime.github_tokens,
        lifecycle_hooks=ScalingGroups(account),
        clock=runtime.clock,
        new_id=runtime.new_deployment_id,
        new_uuid=runtime.new_uuid,
        account=runtime.settings.account,
        region=runtime.settings.region,
        settings=Settings(revision_buckets=runtime.settings.revision_buckets),
    )
    answer = to_response(handle(to_request(EVENTS["api"]), services))
    assert answer["statusCode"] == 200
    application: dict[str, Any] = json.loads(answer["body"])["application"]
    assert (application["applicationName"], application["computePlatform"]) == ("shop", "Server")


class _NoLogs:
    def segments(self, deployment_id: str, target_id: str, brought_by: str = "") -> list[Any]:
        return []

    def read(self, segment: Any, offset: int) -> bytes:
        return b""


class _NoProgress:
    def read(self, deployment_id: str, target_id: str) -> None:
        return None
