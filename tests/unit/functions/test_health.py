"""Health of instances and of their revisions after a deployment (AWS: "Instance health"), and the order that follows.

A revision is Current where it is that of the group's last successful deployment, Old where it is another, and Unknown
where none is known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.functions.hosts import Host
from tests.unit.functions.world import APPSPEC, Account, hosts

from tidegate.model.names import revision_key

ALL = ("HOST_COUNT", 0)
FIRST, SECOND, THIRD = "i-00000000000000001", "i-00000000000000002", "i-00000000000000003"


def key_of(name: str) -> str:
    location = {"revisionType": "S3", "s3Location": {"bucket": "releases", "key": name, "bundleType": "zip"}}
    return revision_key(location)


def shown(account: Account) -> dict[str, tuple[str, str]]:
    """By host: Healthy or Unhealthy, and Current, Old or Unknown."""
    last_good = (account.group().get("lastGood") or {}).get("revisionKey", "")
    return {
        target_id: (
            "Healthy" if health.healthy else "Unhealthy",
            "Unknown" if not health.revision_key else "Current" if health.revision_key == last_good else "Old",
        )
        for target_id, health in account.runtime.targets.health("group-1").items()
    }


def deploy(account: Account, name: str, minimum: tuple[str, int] = ALL, **more: Any) -> dict[str, Any]:
    account.bundles.appspecs.setdefault(name, APPSPEC)
    deployment_id = account.deploy(name, minimum, **more)
    return account.run().deployment(deployment_id)


def fails(account: Account, target_id: str, *names: str) -> None:
    account.hosts[target_id] = replace(account.hosts[target_id], fails=frozenset(names))


def test_a_fleet_never_deployed_to_is_not_known_and_then_current() -> None:
    account = Account(hosts(2))
    assert shown(account) == {}
    deploy(account, "v1.zip")
    assert shown(account) == dict.fromkeys([FIRST, SECOND], ("Healthy", "Current"))


def test_in_a_deployment_that_succeeds_who_failed_and_was_current_is_unknown() -> None:
    account = Account(hosts(2))
    deploy(account, "v1.zip")
    fails(account, FIRST, "v2.zip")
    assert deploy(account, "v2.zip")["status"] == "Succeeded"
    assert shown(account) == {FIRST: ("Unhealthy", "Unknown"), SECOND: ("Healthy", "Current")}


def test_who_failed_and_was_old_stays_old_and_who_was_unknown_unknown() -> None:
    account = Account(hosts(3))
    deploy(account, "v1.zip")
    account.hosts[FIRST].tags = {"Fleet": "away"}  # is left on v1
    deploy(account, "v2.zip")
    account.hosts[FIRST].tags = account.hosts[SECOND].tags
    account.hosts["i-new"] = Host(fails=frozenset({"v3.zip"}))
    fails(account, FIRST, "v3.zip")
    assert deploy(account, "v3.zip")["status"] == "Succeeded"
    healths = shown(account)
    assert healths[FIRST] == ("Unhealthy", "Old")
    assert healths["i-new"] == ("Unhealthy", "Unknown")
    assert healths[SECOND] == healths[THIRD] == ("Healthy", "Current")


def test_a_failed_deployment_changes_who_was_attempted_and_nobody_else() -> None:
    account = Account(hosts(4))
    deploy(account, "v1.zip")
    before = account.runtime.targets.health("group-1")
    fails(account, SECOND, "v2.zip")
    item = deploy(account, "v2.zip", ("HOST_COUNT", 3))
    assert (item["status"], item["overview"]) == (
        "Failed",
        {"Pending": 0, "InProgress": 0, "Succeeded": 1, "Failed": 1, "Skipped": 2, "Ready": 0},
    )
    healths = shown(account)
    # Healthy with the new revision, which is not the group's.
    assert healths[FIRST] == ("Healthy", "Old")
    assert healths[SECOND] == ("Unhealthy", "Current")
    after = account.runtime.targets.health("group-1")
    skipped = sorted(set(after) - {FIRST, SECOND})
    assert [(after[each], after[each].time) for each in skipped] == [(before[e], before[e].time) for e in skipped]
    assert {healths[each] for each in skipped} == {("Healthy", "Current")}


def test_after_a_failed_deployment_a_retry_of_outdated_ones_leaves_out_who_has_it_and_a_rollback_does_not() -> None:
    account = Account(hosts(3))
    deploy(account, "v1.zip")
    fails(account, SECOND, "v2.zip")
    deploy(account, "v2.zip", ("HOST_COUNT", 2))
    fails(account, SECOND)
    retry = deploy(account, "v2.zip", ALL, updateOutdatedInstancesOnly=True)
    assert sorted(account.statuses(retry["deploymentId"])) == [SECOND, THIRD]
    fails(account, FIRST, "v3.zip")
    on_failure = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    failed = deploy(account, "v3.zip", ("HOST_COUNT", 2), autoRollback=on_failure)
    rollback = failed["rollback"]["rollbackDeploymentId"]
    assert set(account.statuses(rollback)) == {FIRST, SECOND, THIRD}


def test_who_failed_with_the_new_revision_on_it_from_before_is_not_taken_for_current() -> None:
    account = Account(hosts(3))
    deploy(account, "v1.zip")
    fails(account, SECOND, "v2.zip")
    deploy(account, "v2.zip", ("HOST_COUNT", 2))  # only the first one gets v2
    fails(account, SECOND)
    fails(account, FIRST, "v2.zip")
    assert deploy(account, "v2.zip")["status"] == "Succeeded"
    assert shown(account)[FIRST] == ("Unhealthy", "Unknown")


@pytest.mark.parametrize("stops", [True, False])
def test_the_order_is_unhealthy_then_unknown_then_old_then_current(stops: bool) -> None:
    """In a stopped deployment as in a failed one: who was attempted has its own outcome."""
    account = Account(hosts(4))
    deploy(account, "v1.zip")
    fails(account, THIRD, "v2.zip")
    if stops:
        stopped = account.deploy("v2.zip")
        account.clock.at(account.now + 5, lambda: account.stop(stopped))
        account.run()
        assert shown(account)[FIRST] == ("Healthy", "Old")
        expected = [FIRST, SECOND, THIRD, "i-00000000000000004"]
    else:
        deploy(account, "v2.zip", ("HOST_COUNT", 3))
        expected = [THIRD, FIRST, SECOND, "i-00000000000000004"]
        assert shown(account)[THIRD] == ("Unhealthy", "Current")
    deployment_id = deploy(account, "v3.zip", ("MOST_CONCURRENCY", 1))["deploymentId"]
    commands = [each for each in account.fleet.commands.values() if each.order["deploymentId"] == deployment_id]
    assert [command.target_ids[0] for command in commands] == expected


def test_what_is_known_of_a_revision_is_forgotten_once_whoever_ends_it_twice() -> None:
    account = Account(hosts(2))
    deploy(account, "v1.zip")
    account.runtime.targets.forget_revisions("group-1", [FIRST, SECOND], {key_of("v1.zip")})
    assert shown(account) == dict.fromkeys([FIRST, SECOND], ("Healthy", "Current")), "who is healthy keeps it"
