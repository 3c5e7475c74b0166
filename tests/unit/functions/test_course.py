"""Deployments from start to end: the deployed machine, the functions' own code, a fleet in virtual time."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.functions.hosts import Host
from tests.unit.functions.machine import DEFINITION
from tests.unit.functions.world import Account, hosts

from tidegate.store.errors import DeploymentGroupBusyError

ALL = ("HOST_COUNT", 0)
HALF = ("FLEET_PERCENT", 50)
ON_FAILURE = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
ON_STOP = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_REQUEST"]}


def codes(account: Account, deployment_id: str, kind: str) -> list[str]:
    return [each["code"] for each in account.decisions(deployment_id) if each["kind"] == kind]


def test_a_success_is_shown_recorded_and_becomes_the_groups_last_good() -> None:
    account = Account(hosts(3))
    deployed = account.deploy("v1.zip")
    account.run()
    item, group = account.deployment(deployed), account.group()
    assert account.table.courses[deployed] == ["Created", "InProgress", "Succeeded"]
    assert item["overview"] == {"Pending": 0, "InProgress": 0, "Succeeded": 3, "Failed": 0, "Skipped": 0, "Ready": 0}
    assert item["createTime"] < item["startTime"] < item["completeTime"]
    assert "error" not in item
    assert {host.revision for host in account.hosts.values()} == {"v1.zip"}
    assert (group["lastGood"]["deploymentId"], "live" in group) == (deployed, False)
    assert set(account.statuses(deployed).values()) == {"Succeeded"}
    target = account.targets(deployed)["i-00000000000000001"]
    assert target["targetArn"] == "arn:aws:ec2:us-east-1:123456789012:instance/i-00000000000000001"
    assert {event["status"] for event in target["lifecycleEvents"]} == {"Succeeded"}
    assert account.path(deployed)[-1] == "Ended"


def test_a_pass_that_acts_is_five_transitions_and_one_that_waits_three() -> None:
    account = Account(hosts(1, takes=100))
    account.signals_arrive = 0
    deployed = account.deploy("v1.zip")
    path = account.run().path(deployed)
    first = path.index("EvaluateHealth")
    acting = ["EvaluateHealth", "Verdict?", "PickBatch", "SendCommands", "AwaitProgress"]
    assert path[first : first + 5] == acting
    assert path[first + 5 : first + 8] == ["EvaluateHealth", "Verdict?", "AwaitProgress"]


@pytest.mark.parametrize(("version", "between"), [(4, []), (3, ["PickBatch"])], ids=["now", "an earlier machine"])
def test_a_pass_that_only_sends_picks_no_batch(version: int, between: list[str]) -> None:
    account = Account(hosts(1, online=False))
    account.machine = of_version(version)
    account.clock.at(account.now + 30, lambda: vars(account.hosts["i-00000000000000001"]).update(online=True))
    deployed = account.deploy("v1.zip")
    path = account.run().path(deployed)
    second = path.index("EvaluateHealth", path.index("AwaitProgress"))
    assert path[second : second + 4 + len(between)] == [
        "EvaluateHealth",
        "Verdict?",
        *between,
        "SendCommands",
        "AwaitProgress",
    ]
    assert account.deployment(deployed)["status"] == "Succeeded"


def of_version(version: int) -> dict[str, Any]:
    """The machine, as it says to functions that it is of this version."""
    first = DEFINITION["States"]["ValidateRevision"]
    payload = {**first["Parameters"]["Payload"], "machineVersion": version}
    first = {**first, "Parameters": {**first["Parameters"], "Payload": payload}}
    return {**DEFINITION, "States": {**DEFINITION["States"], "ValidateRevision": first}}


def test_every_reason_is_kept_in_order() -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip", HALF)
    decisions = account.run().decisions(deployed)
    kinds = ["Plan", "Batch", "Target", "Batch", "Target", "Verdict", "Finish"]
    assert [each["kind"] for each in decisions] == kinds
    assert all(each["reason"].endswith(".") for each in decisions)
    assert [each["time"] for each in decisions] == sorted(each["time"] for each in decisions)


def test_health_is_kept_and_orders_the_next_deployment() -> None:
    account = Account(hosts(3))
    account.hosts["i-00000000000000003"].fails = frozenset({"v1.zip"})
    account.deploy("v1.zip", ALL)
    account.run()
    second = account.deploy("v2.zip", ALL)
    account.run()
    roster = account.runtime.ledgers.roster(second)
    assert roster.members[0].target_id == "i-00000000000000003"
    health = account.runtime.targets.health("group-1")
    assert {each.healthy for each in health.values()} == {True}


def test_only_outdated_hosts_are_deployed_to_when_so_asked() -> None:
    account = Account(hosts(2))
    account.deploy("v1.zip")
    account.run()
    account.hosts["i-00000000000000009"] = Host()
    second = account.deploy("v1.zip", ALL, updateOutdatedInstancesOnly=True)
    account.run()
    assert account.statuses(second) == {"i-00000000000000009": "Succeeded"}
    third = account.deploy("v1.zip", ALL, updateOutdatedInstancesOnly=True)
    account.run()
    assert (account.deployment(third)["status"], account.statuses(third)) == ("Succeeded", {})
    assert codes(account, third, "Plan") == ["NOTHING_OUTDATED"]


# --- failure and rollback


def failing_second_revision(**more: object) -> tuple[Account, str]:
    """An account whose group runs v1 everywhere, and the deployment of v2 that fails on each host."""
    account = Account(hosts(4, fails=frozenset({"v2.zip"})))
    account.deploy("v1.zip", HALF)
    account.run()
    failed = account.deploy("v2.zip", HALF, **more)
    account.run()
    return account, failed


def test_too_many_failures_end_it_and_leave_the_rest_alone() -> None:
    account, failed = failing_second_revision()
    item = account.deployment(failed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert sorted(account.statuses(failed).values()) == ["Failed", "Failed", "Skipped", "Skipped"]
    assert sorted(host.runs[failed] for host in account.hosts.values()) == [0, 0, 1, 1]
    shown = next(t for t in account.targets(failed).values() if t["status"] == "Failed")
    diagnostics = shown["lifecycleEvents"][-1]["diagnostics"]
    assert (diagnostics["errorCode"], diagnostics["scriptName"]) == ("ScriptFailed", "scripts/validate.sh")
    assert "rollback" not in item


def test_a_rollback_is_a_deployment_of_its_own_linked_both_ways() -> None:
    account, failed = failing_second_revision(autoRollback=ON_FAILURE, fileExistsBehavior="OVERWRITE")
    old = account.deployment(failed)
    new = account.deployment(old["rollback"]["rollbackDeploymentId"])
    assert old["status"] == "Failed"
    assert new["rollback"]["rollbackTriggeringDeploymentId"] == failed
    assert (new["status"], new["creator"], new["location"]["s3Location"]["key"]) == (
        "Succeeded",
        "codeDeployRollback",
        "v1.zip",
    )
    assert new["fileExistsBehavior"] == "DISALLOW"  # the last successful deployment's
    assert new["previousRevision"] == old["location"]
    assert failed in new["description"]
    assert set(account.statuses(new["deploymentId"]).values()) == {"Succeeded"}
    assert "live" not in account.group()
    assert codes(account, failed, "Rollback") == ["ROLLBACK"]
    assert account.path(failed)[-2:] == ["RollBackDeployment", "Ended"]


def test_the_lock_passes_from_the_failed_deployment_to_its_rollback() -> None:
    account = Account(hosts(2, fails=frozenset({"v2.zip"})))
    account.deploy("v1.zip")
    account.run()
    failed = account.deploy("v2.zip", autoRollback=ON_FAILURE)
    refused: list[str] = []

    def try_to_slip_in(name: str, _state: object) -> None:
        if name not in ("EvaluateHealth", "FinishDeployment", "RollBackDeployment"):
            return
        try:
            account.deploy("v1.zip")
        except DeploymentGroupBusyError as error:
            refused.append(f"{name} {error.live}")

    account.before = try_to_slip_in
    account.run()
    rollback = account.deployment(failed)["rollback"]["rollbackDeploymentId"]
    assert f"RollBackDeployment {rollback}" in refused
    assert f"EvaluateHealth {failed}" in refused
    assert f"EvaluateHealth {rollback}" in refused
    assert set(account.executions) == {"d-000000001-1", f"{failed}-1", f"{rollback}-1"}


def test_a_rollback_that_fails_is_not_rolled_back() -> None:
    account = Account(hosts(2))
    account.deploy("v1.zip")
    account.run()
    for host in account.hosts.values():
        host.fails = frozenset({"v1.zip", "v2.zip"})
    failed = account.deploy("v2.zip", autoRollback=ON_FAILURE)
    account.run()
    rollback = account.deployment(account.deployment(failed)["rollback"]["rollbackDeploymentId"])
    assert rollback["status"] == "Failed"
    assert "rollbackDeploymentId" not in rollback["rollback"]
    assert len(account.executions) == 3


def test_without_an_earlier_success_the_deployment_says_that_nothing_can_be_rolled_back() -> None:
    account = Account(hosts(2, fails=frozenset({"v1.zip"})))
    failed = account.deploy("v1.zip", autoRollback=ON_FAILURE)
    item = account.run().deployment(failed)
    assert item["status"] == "Failed"
    assert "nothing to roll back to" in item["rollback"]["rollbackMessage"]
    assert codes(account, failed, "Rollback") == ["NO_LAST_GOOD"]


# --- stop requests


@pytest.mark.parametrize(
    ("asked", "settings", "rolls_back"),
    [
        (True, None, True),
        (True, ON_FAILURE, True),
        (False, ON_STOP, False),
        (None, ON_STOP, True),
        (None, ON_FAILURE, False),
    ],
)
def test_a_stop_request_decides_on_the_rollback_or_leaves_it_to_the_settings(
    asked: bool | None, settings: dict[str, object] | None, rolls_back: bool
) -> None:
    account = Account(hosts(4))
    account.deploy("v1.zip", HALF)
    account.run()
    stopped = account.deploy("v2.zip", HALF, autoRollback=settings)
    account.clock.at(account.now + 6, lambda: account.stop(stopped, asked))
    item = account.run().deployment(stopped)
    assert (item["status"], item["error"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert "stopped by alice" in item["error"]["message"]
    assert sorted(account.statuses(stopped).values()) == ["Skipped", "Skipped", "Succeeded", "Succeeded"]
    assert ("rollbackDeploymentId" in item.get("rollback", {})) == rolls_back
    assert {h.revision for h in account.hosts.values()} == ({"v1.zip"} if rolls_back else {"v1.zip", "v2.zip"})


@pytest.mark.parametrize("state", ["ValidateRevision", "SelectTargets", "EvaluateHealth", "PickBatch", "SendCommands"])
def test_a_stop_request_before_the_first_batch_touches_no_host(state: str) -> None:
    account = Account(hosts(3))
    deployed = account.deploy("v1.zip")
    stops = iter([lambda: account.stop(deployed)])

    def stop_once(name: str, _state: object) -> None:
        if name == state:
            next(stops, lambda: None)()

    account.before = stop_once
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert account.fleet.commands == {}
    assert set(account.statuses(deployed).values()) == {"Skipped"}


def test_a_host_that_comes_back_when_the_deployment_is_stopping_is_not_begun() -> None:
    account = Account(hosts(2))
    away = account.hosts["i-00000000000000002"]
    away.online = False
    deployed = account.deploy("v1.zip", ALL)

    def come_back_and_stop() -> None:
        away.online = True
        account.stop(deployed)

    account.clock.at(account.now + 5, come_back_and_stop)
    item = account.run().deployment(deployed)
    assert (item["status"], away.runs[deployed]) == ("Stopped", 0)
    assert account.statuses(deployed) == {"i-00000000000000001": "Succeeded", "i-00000000000000002": "Skipped"}
    assert "WITHDRAWN" in codes(account, deployed, "Batch")


def test_the_report_names_what_was_installed_where() -> None:
    account, failed = failing_second_revision(autoRollback=ON_FAILURE)
    for host in account.hosts:
        history = account.table.query(f"HOST#{host}").items
        assert history[0]["result"] == "Succeeded"
        assert all(each["startTime"] <= each["endTime"] for each in history)
    tried = account.table.query(f"INSTALLED#{failed}", index="GSI2").items
    assert [each["result"] for each in tried] == ["Failed", "Failed"]
