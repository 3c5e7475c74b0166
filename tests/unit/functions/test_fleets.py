"""The fleet of a deployment: who is selected, how many may be, and what is left out."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.functions.hosts import Host
from tests.unit.functions.machine import Killed
from tests.unit.functions.test_steps_failing import break_port
from tests.unit.functions.world import Account, hosts

from tidegate.gateways.errors import FleetFault

BARE = {"tidegate:managed": "true"}


def with_groups(account: Account, **groups: dict[str, str]) -> Account:
    """The account with Auto Scaling groups, all of them the deployment group's."""
    account.fleet.scaling_groups = groups
    info = {**account.group()["info"], "autoScalingGroups": sorted(groups)}
    account.runtime.groups.delete("shop", "prod")
    account.runtime.groups.create("group-1", info)
    return account


def error_of(account: Account, deployment_id: str) -> dict[str, Any]:
    item = account.run().deployment(deployment_id)
    assert item["status"] == "Failed"
    error: dict[str, Any] = item["error"]
    return error


def test_instances_of_auto_scaling_groups_and_those_with_the_tags_are_one_fleet() -> None:
    fleet = {**hosts(2), "i-a": Host(tags=BARE), "i-b": Host(tags=BARE), "i-other": Host(tags=BARE)}
    first = next(iter(fleet))
    account = with_groups(Account(fleet), web={"i-a": "InService", first: "InService"}, api={"i-b": "InService"})
    deployed = account.deploy("v1.zip")
    account.run()
    assert account.statuses(deployed) == dict.fromkeys([*list(fleet)[:2], "i-a", "i-b"], "Succeeded")
    assert account.deployment(deployed)["overview"]["Succeeded"] == 4


def test_instances_that_launch_or_leave_are_no_targets() -> None:
    states = {"i-a": "InService", "i-b": "Pending:Wait", "i-c": "Terminating:Wait"}
    # The tags of all of them match, too.
    account = with_groups(Account({name: Host() for name in states}), web=states)
    deployed = account.deploy("v1.zip", ("HOST_COUNT", 0))
    assert account.run().statuses(deployed) == {"i-a": "Succeeded"}


def test_an_auto_scaling_group_that_is_gone_ends_the_deployment_before_anything_is_done() -> None:
    account = with_groups(Account(hosts(2)), web={})
    account.fleet.scaling_groups = {}
    error = error_of(account, account.deploy("v1.zip"))
    assert error == {"code": "AUTO_SCALING_CONFIGURATION", "message": "There is no Auto Scaling group web."}
    assert account.fleet.commands == {}


def test_an_account_without_ec2(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(hosts(1))

    def refused(_group: object) -> list[Any]:
        raise FleetFault("NO_EC2_SUBSCRIPTION", "This AWS account is not subscribed to Amazon EC2.")

    monkeypatch.setattr(account.fleet, "selected_by", refused)
    assert error_of(account, account.deploy("v1.zip"))["code"] == "NO_EC2_SUBSCRIPTION"


@pytest.mark.parametrize(("size", "fits"), [(3, True), (4, False)])
def test_a_fleet_may_not_be_larger_than_the_stack_allows(size: int, fits: bool) -> None:
    account = Account(hosts(size), TIDEGATE_MAX_INSTANCES="3")
    deployed = account.deploy("v1.zip", ("HOST_COUNT", 0))
    if fits:
        assert account.run().deployment(deployed)["status"] == "Succeeded"
        return
    error = error_of(account, deployed)
    assert error["code"] == "OVER_MAX_INSTANCES"
    assert all(part in error["message"] for part in ("4 instances", "3 at most", "MaxInstances"))
    assert (account.targets(deployed), account.fleet.commands) == ({}, {})


@pytest.mark.long
def test_ten_thousand_instances_where_the_stack_allows_them() -> None:
    account = Account(hosts(10_000), TIDEGATE_MAX_INSTANCES="10000")
    deployed = account.deploy("v1.zip", ("HOST_COUNT", 0))
    item = account.run().deployment(deployed)
    assert (item["status"], item["overview"]["Succeeded"]) == ("Succeeded", 10_000)


def test_only_outdated_instances_are_deployed_to_and_only_they_are_counted() -> None:
    account = Account(hosts(3), TIDEGATE_MAX_INSTANCES="3")
    account.deploy("v1.zip", ("HOST_COUNT", 0))
    account.run()
    account.hosts |= {"i-new-1": Host(), "i-new-2": Host()}
    late = account.deploy("v1.zip", ("HOST_COUNT", 0), updateOutdatedInstancesOnly=True)
    account.run()
    assert account.statuses(late) == {"i-new-1": "Succeeded", "i-new-2": "Succeeded"}
    none_left = account.deploy("v1.zip", ("HOST_COUNT", 0), updateOutdatedInstancesOnly=True)
    item = account.run().deployment(none_left)
    assert (item["status"], account.targets(none_left)) == ("Succeeded", {})


@pytest.mark.parametrize("call", ["write", "write_many"])
def test_a_fleet_that_changes_between_two_runs_of_the_step_is_shown_as_it_was_resolved(call: str) -> None:
    """The first run dies around its writes, and an instance has left the group when it is tried again."""
    account = Account(hosts(3))
    tries = list[str]()

    def before(name: str, _state: object) -> None:
        if name == "SelectTargets":
            tries.append(name)

    def dies() -> bool:
        if len(tries) != 1 or ("i-00000000000000003" not in account.hosts):
            return False
        del account.hosts["i-00000000000000003"]
        return True

    account.before = before
    deployed = account.deploy("v1.zip", ("HOST_COUNT", 0))
    break_port(account, "table", call, Killed(f"before {call}"), dies)
    item = account.run().deployment(deployed)
    loaded = account.runtime.ledgers.load(deployed)
    assert loaded is not None
    roster = account.runtime.ledgers.roster(deployed, loaded.ledger.roster)
    assert sorted(account.targets(deployed)) == sorted(member.target_id for member in roster.members)
    assert sum(item["overview"].values()) == len(roster.members)
