"""Deployments from start to end: the deployed machine, the functions' own code, a fleet in virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.functions.hosts import Host
from tests.unit.functions.world import Account, hosts

from tidegate.gateways.errors import RevisionFault
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


@pytest.mark.parametrize("state", ["ValidateRevision", "SelectTargets", "EvaluateHealth", "PickBatch"])
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


# --- what cannot begin


def test_no_instances() -> None:
    account = Account(hosts(2, tags={"Fleet": "other"}))
    deployed = account.deploy("v1.zip")
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "NO_INSTANCES")
    assert (account.targets(deployed), account.fleet.commands) == ({}, {})


def test_a_minimum_as_large_as_the_fleet() -> None:
    account = Account(hosts(3))
    deployed = account.deploy("v1.zip", ("HOST_COUNT", 3), autoRollback=ON_FAILURE)
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS_INVALID")
    assert "HOST_COUNT 3 asks for 3 of 3 instances" in item["error"]["message"]
    assert set(account.statuses(deployed).values()) == {"Skipped"}
    assert account.fleet.commands == {}


@pytest.mark.parametrize("code", ["REVISION_MISSING", "INVALID_REVISION"])
def test_a_revision_that_cannot_be_used(code: str) -> None:
    account = Account(hosts(2))
    account.bundles.appspecs["v1.zip"] = RevisionFault(code, "s3://releases/v1.zip is not to be had.")
    deployed = account.deploy("v1.zip")
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]) == (
        "Failed",
        {"code": code, "message": "s3://releases/v1.zip is not to be had."},
    )
    assert account.path(deployed) == ["ValidateRevision", "RevisionValid?", "FinishDeployment", "RollBack?", "Ended"]
    assert codes(account, deployed, "Finish") == ["FAILED"]
    assert "live" not in account.group()


def test_an_appspec_that_cannot_be_used_is_told_with_its_place() -> None:
    account = Account(hosts(2))
    account.bundles.appspecs["v1.zip"] = "version: 0.0\nos: beos\n"
    deployed = account.deploy("v1.zip")
    error = account.run().deployment(deployed)["error"]
    assert error["code"] == "INVALID_REVISION"
    assert error["message"].startswith("The AppSpec file of s3://releases/v1.zip cannot be used:")
    assert "beos" in error["message"]


def test_a_group_deleted_before_the_fleet_is_resolved() -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip")

    def delete(name: str, _state: object) -> None:
        if name == "SelectTargets":
            account.runtime.groups.delete("shop", "prod")

    account.before = delete
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "DEPLOYMENT_GROUP_MISSING")
    assert "prod" in item["error"]["message"]
    assert account.executions[f"{deployed}-1"].retries == []
    assert "EvaluateHealth" not in account.path(deployed)


def test_a_group_deleted_during_the_run_does_not_keep_it_from_ending() -> None:
    account = Account(hosts(3, fails=frozenset({"v2.zip"})))
    account.deploy("v1.zip")
    account.run()
    failing = account.deploy("v2.zip", autoRollback=ON_FAILURE)
    account.clock.at(account.now + 5, lambda: account.runtime.groups.delete("shop", "prod"))
    item = account.run().deployment(failing)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert "group is gone" in item["rollback"]["rollbackMessage"]
    assert "rollbackDeploymentId" not in item["rollback"]
    assert len(account.executions) == 2


# --- hosts that do not answer


def test_a_host_that_never_picks_up_fails_by_the_deadline_and_the_rest_goes_on() -> None:
    account = Account(hosts(3))
    account.hosts["i-00000000000000002"].picked_up = None
    deployed = account.deploy("v1.zip", ALL)
    item = account.run().deployment(deployed)
    assert (item["status"], item["overview"]["Failed"]) == ("Succeeded", 1)
    shown = account.targets(deployed)["i-00000000000000002"]
    assert "did not pick up its command within 2 min" in shown["lifecycleEvents"][0]["diagnostics"]["message"]
    assert [target for _, target in account.fleet.cancelled] == ["i-00000000000000002"]
    assert not account.runtime.targets.health("group-1")["i-00000000000000002"].healthy


def test_a_late_host_finds_its_order_expired_and_runs_nothing() -> None:
    account = Account(hosts(1, picked_up=200))
    deployed = account.deploy("v1.zip")
    assert account.run().deployment(deployed)["status"] == "Failed"
    assert account.hosts["i-00000000000000001"].runs[deployed] == 0


def test_an_offline_host_gets_its_command_when_it_comes_back_in_time() -> None:
    account = Account(hosts(2))
    away = account.hosts["i-00000000000000002"]
    away.online = False
    deployed = account.deploy("v1.zip", ALL)
    account.clock.at(account.now + 70, lambda: setattr(away, "online", True))
    assert account.run().deployment(deployed)["overview"]["Succeeded"] == 2


def test_a_host_without_the_opt_in_tag_is_told_which_tag_it_lacks() -> None:
    account = Account(hosts(2))
    account.hosts["i-00000000000000001"].tags = {"Fleet": "demo"}
    deployed = account.deploy("v1.zip", ALL)
    account.run()
    message = account.targets(deployed)["i-00000000000000001"]["lifecycleEvents"][0]["diagnostics"]["message"]
    assert "tidegate:managed=true" in message
    assert account.hosts["i-00000000000000001"].runs[deployed] == 0


def test_a_lost_answer_is_fetched_from_the_hosts_record() -> None:
    account = Account(hosts(2, answer_lost=True))
    deployed = account.deploy("v1.zip", ALL)
    assert account.run().deployment(deployed)["overview"]["Succeeded"] == 2
    assert [c.order["mode"] for c in account.fleet.commands.values()] == ["run", "report"]
    assert {host.runs[deployed] for host in account.hosts.values()} == {1}


def test_a_host_that_hangs_is_asked_and_then_given_up() -> None:
    account = Account(hosts(2))
    account.hosts["i-00000000000000001"].takes = None
    deployed = account.deploy("v1.zip", ALL)
    item = account.run().deployment(deployed)
    assert (item["status"], item["overview"]["Failed"]) == ("Succeeded", 1)
    assert account.hosts["i-00000000000000001"].runs[deployed] == 1


def test_hosts_lost_at_the_end_are_failed_unhealthy_and_in_the_report() -> None:
    account = Account(hosts(2, takes=None))
    account.runtime.settings = replace(account.runtime.settings, drain=30)  # shorter than a stage may take
    deployed = account.deploy("v1.zip")
    account.clock.at(account.now + 6, lambda: account.stop(deployed))
    item = account.run().deployment(deployed)
    assert (item["status"], item["overview"]["Failed"], item["overview"]["Skipped"]) == ("Stopped", 1, 1)
    (lost,) = [each for each, status in account.statuses(deployed).items() if status == "Failed"]
    assert account.runtime.targets.health("group-1")[lost].healthy is False
    installed = account.table.query(f"INSTALLED#{deployed}", index="GSI2").items
    assert [(each["targetId"], each["result"]) for each in installed] == [(lost, "Failed")]


def test_the_report_names_what_was_installed_where() -> None:
    account, failed = failing_second_revision(autoRollback=ON_FAILURE)
    for host in account.hosts:
        history = account.table.query(f"HOST#{host}").items
        assert history[0]["result"] == "Succeeded"
        assert all(each["startTime"] <= each["endTime"] for each in history)
    tried = account.table.query(f"INSTALLED#{failed}", index="GSI2").items
    assert [each["result"] for each in tried] == ["Failed", "Failed"]
