"""Steps that fail for good, and executions that are no longer the deployment's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.functions.machine import DEFINITION, Killed
from tests.unit.functions.world import Account, hosts

from tidegate.gateways.errors import DeniedError, LimitReachedError, ResourceMissingError, ThrottledError
from tidegate.gateways.service_roles import RoleMissingError, RolePermissionsError
from tidegate.store.deployment_items import deployment_key
from tidegate.store.table import Delete, Update

HALF = ("FLEET_PERCENT", 50)
ALL = ("HOST_COUNT", 0)


class Failing:
    """A port one of whose calls fails from some moment on."""

    def __init__(self, port: Any, name: str, error: Exception, when: Callable[[], bool]) -> None:
        self._port, self._name, self._error, self._when = port, name, error, when

    def __getattr__(self, name: str) -> Any:
        if name == self._name and self._when():
            raise self._error
        return getattr(self._port, name)


def break_port(
    account: Account, port: str, call: str, error: Exception, when: Callable[[], bool] = lambda: True
) -> None:
    account.wrap(lambda name, found: Failing(found, call, error, when) if name == port else found)


@pytest.mark.parametrize(
    ("port", "call", "state"),
    [
        ("bundles", "copy", "ValidateRevision"),
        ("instances", "selected_by", "SelectTargets"),
        ("run_command", "send", "SendCommands"),
        ("run_command", "look", "EvaluateHealth"),
    ],
)
def test_throttling_beyond_patience_ends_the_deployment_as_throttled(port: str, call: str, state: str) -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip", HALF)
    break_port(account, port, call, ThrottledError(f"{call}: Throttling: Rate exceeded"))
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "THROTTLED")
    assert "Rate exceeded" in item["error"]["message"]
    retried = [name for name, error in account.executions[f"{deployed}-1"].retries if error == "ThrottledError"]
    assert set(retried) == {state}
    assert len(retried) >= 6
    assert "live" not in account.group()
    assert set(account.statuses(deployed).values()) <= {"Skipped", "Failed"}


@pytest.mark.parametrize(
    ("port", "call", "error", "code"),
    [
        ("run_command", "send", ResourceMissingError("InvalidDocument"), "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND"),
        ("orders", "publish", ResourceMissingError("NoSuchBucket"), "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND"),
        ("run_command", "send", LimitReachedError("LimitExceeded"), "RESOURCE_LIMIT_EXCEEDED"),
    ],
)
def test_what_the_stack_has_lost_and_a_quota_that_is_used_up_have_codes_of_their_own(
    port: str, call: str, error: Exception, code: str
) -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip", HALF)
    break_port(account, port, call, error)
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]) == ("Failed", {"code": code, "message": str(error)})
    assert "live" not in account.group()


def test_a_deployment_without_its_ledger_ends_as_such() -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip", HALF)

    def lose(name: str, _state: object) -> None:
        if name == "PickBatch":
            account.table.write(Delete((f"DEP#{deployed}", "LEDGER")))

    account.before = lose
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND")
    assert f"The ledger of the deployment {deployed} is not in the table" in item["error"]["message"]


def test_a_deployment_that_takes_too_long_ends_as_timeout() -> None:
    account = Account(hosts(2, takes=400), TIDEGATE_DEPLOYMENT_SECONDS="300")
    deployed = account.deploy("v1.zip", HALF)
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "TIMEOUT")
    assert "did not end within 5 min" in item["error"]["message"]
    assert sorted(account.statuses(deployed).values()) == ["Skipped", "Succeeded"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RoleMissingError("There is no IAM role r."), "IAM_ROLE_MISSING"),
        (RolePermissionsError("The service role r cannot be assumed."), "IAM_ROLE_PERMISSIONS"),
    ],
)
@pytest.mark.parametrize(("port", "call"), [("instances", "selected_by"), ("alarms", "states")])
def test_a_service_role_that_cannot_be_used_ends_it_with_its_own_code_and_words(
    error: Exception, code: str, port: str, call: str
) -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip", HALF, alarms={"names": ["a"], "ignorePollFailure": False})
    break_port(account, port, call, error)
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]) == ("Failed", {"code": code, "message": str(error)})
    assert not account.fleet.commands


def test_alarms_that_may_be_ignored_are_when_the_role_may_not_read_them() -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip", HALF, alarms={"names": ["a"], "ignorePollFailure": True})
    break_port(account, "alarms", "states", RolePermissionsError("The service role r has no right."))
    assert account.run().deployment(deployed)["status"] == "Succeeded"


def test_throttling_that_passes_leaves_no_trace() -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip", HALF)
    until = account.now + 20
    break_port(account, "run_command", "send", ThrottledError("slow down"), lambda: account.now < until)
    assert account.run().deployment(deployed)["status"] == "Succeeded"
    assert {host.runs[deployed] for host in account.hosts.values()} == {1}


def test_a_bug_in_a_step_ends_it_as_internal_error_after_those_in_flight_have_finished() -> None:
    account = Account(hosts(4, takes=50))
    deployed = account.deploy("v1.zip", HALF)
    begun = account.now
    break_port(
        account, "run_command", "look", KeyError("CommandPlugins"), lambda: begun + 10 < account.now < begun + 150
    )
    account.signals_arrive = 0
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "INTERNAL_ERROR")
    assert "CommandPlugins" in item["error"]["message"]
    assert sorted(account.statuses(deployed).values()) == ["Skipped", "Skipped", "Succeeded", "Succeeded"]
    codes = [each["code"] for each in account.decisions(deployed)]
    assert codes[-1] == "FAILED"
    assert codes.count("INTERNAL_ERROR") == 2, "told when it was noticed, and as the last verdict"


def test_a_bug_that_stays_ends_the_deployment_within_its_drain_limit() -> None:
    account = Account(hosts(2, takes=50))
    deployed = account.deploy("v1.zip", HALF)
    break_port(account, "run_command", "look", ZeroDivisionError("division by zero"))
    begun = account.now
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "INTERNAL_ERROR")
    assert sorted(account.statuses(deployed).values()) == ["Failed", "Skipped"]
    rules = account.runtime.settings.rules(item)
    assert account.now - begun < rules.drain_limit + 300


def test_a_missing_right_is_told_with_its_action() -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip")
    break_port(
        account, "instances", "selected_by", DeniedError("describing instances: AccessDenied: ec2:DescribeInstances")
    )
    error = account.run().deployment(deployed)["error"]
    assert error["code"] == "INTERNAL_ERROR"
    assert "DeniedError" in error["message"]
    assert "ec2:DescribeInstances" in error["message"]


# --- generations

STEPS = [name for name, state in DEFINITION["States"].items() if state["Type"] == "Task"]


#: Steps that a deployment in place which goes well does not come to.
ELSEWHERE = {"ProvisionReplacements", "RollBackDeployment", "StartSuccessor"}


@pytest.mark.parametrize("state", [name for name in STEPS if name not in ELSEWHERE])
def test_an_execution_of_an_older_generation_ends_without_another_effect(state: str) -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip")
    seen: dict[str, Any] = {}

    def hand_over(name: str, _state: object) -> None:
        if name == state and not seen:
            account.table.write(Update(deployment_key(deployed), set={"generation": 2}))
            seen["commands"] = len(account.fleet.commands)

    account.before = hand_over
    account.run()
    old = account.executions[f"{deployed}-1"]
    assert (old.status, old.path[-1]) == ("SUCCEEDED", "Ended" if state == "FinishDeployment" else "Superseded")
    assert len(account.fleet.commands) == seen["commands"]
    assert account.deployment(deployed)["status"] in ("Created", "InProgress")
    account.start(deployed, 2)
    assert account.run().deployment(deployed)["status"] == "Succeeded"
    assert {host.runs[deployed] for host in account.hosts.values()} == {1}
    assert [each["kind"] for each in account.decisions(deployed)].count("Finish") == 1


def test_a_pass_overtaken_while_it_runs_writes_nothing_over_its_successor() -> None:
    """The generation moves on between a pass's reading and its writing."""
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip")
    overtaken: list[str] = []

    def overtake() -> bool:
        if not overtaken and account.fleet.commands:
            overtaken.append("now")
            account.table.write(Update(deployment_key(deployed), set={"generation": 2}))
        return False

    break_port(account, "run_command", "look", RuntimeError("never raised"), overtake)
    account.run()
    assert account.path(deployed)[-1] == "Superseded"
    before = account.runtime.ledgers.load(deployed)
    assert before is not None
    assert before.ledger.census().in_flight == 1
    account.start(deployed, 2)
    assert account.run().deployment(deployed)["status"] == "Succeeded"


def test_an_execution_started_twice_finds_nothing_to_do() -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip")
    account.run()
    commands, decisions = len(account.fleet.commands), len(account.decisions(deployed))
    del account.executions[f"{deployed}-1"]
    account.start(deployed, 1)
    account.run()
    assert account.path(deployed)[-1] == "Superseded"
    assert (len(account.fleet.commands), len(account.decisions(deployed))) == (commands, decisions)


def test_a_step_that_is_late_does_not_begin_what_has_ended_without_it() -> None:
    """SelectTargets was taken for dead while it wrote, and FinishDeployment ends the deployment meanwhile."""
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip", HALF)
    state = {"deploymentId": deployed, "generation": 1, "pass": 0}
    write_many, lates = account.table.write_many, [True]

    def late(writes: Any) -> None:
        if lates:
            lates.clear()
            account.invoke("FinishDeploymentFunction", {**state, "error": {"Error": "Lambda.Unknown", "Cause": ""}})
        write_many(writes)

    account.invoke("ValidateRevisionFunction", state)
    account.table.write_many = late  # type: ignore[method-assign]
    assert account.invoke("SelectTargetsFunction", state)["verdict"] == "FENCED"
    assert (account.deployment(deployed)["status"], account.targets(deployed)) == ("Failed", {})
    told = account.decisions(deployed)
    assert [(each["SK"], each["kind"]) for each in told] == [
        ("DECISION#000000", "Verdict"),
        ("DECISION#000001", "Finish"),
    ]


def test_an_end_without_a_fleet_that_was_told_is_ended_by_the_next_execution_and_told_once() -> None:
    """FinishDeployment dies for good before it can end the record; another execution does not deploy after all."""
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip", HALF)
    broken, dies = KeyError("Reservations"), [True]
    break_port(account, "instances", "selected_by", broken, lambda: bool(dies))
    finish = account.runtime.deployments.finish

    def dying(deployment_id: str, **given: Any) -> Any:
        if dies:
            raise Killed("finish")
        return finish(deployment_id, **given)

    account.runtime.deployments.finish = dying  # type: ignore[method-assign]
    account.run()
    assert account.status(deployed, 1) == "FAILED"
    dies.clear()
    account.sweep()
    item = account.deployment(deployed)
    assert (item["status"], item["error"]["code"], item["generation"]) == ("Failed", "INTERNAL_ERROR", 2)
    assert account.fleet.commands == {}
    kinds = [each["kind"] for each in account.decisions(deployed)]
    assert kinds == ["Verdict", "Finish", "Revival"]
