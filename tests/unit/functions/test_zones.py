"""Deployments that go from one Availability Zone to the next, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.functions.hosts import Host
from tests.unit.functions.world import Account

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
ON_FAILURE = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
AT_ONCE = ("HOST_COUNT", 0)


def account_of(each: int = 2, **failing: Any) -> Account:
    """So many hosts a zone; ``failing`` is what the hosts of the zone b are like."""
    names = {f"i-{zone[-1]}{n}": zone for zone in ZONES for n in range(each)}
    return Account({name: Host(zone=zone, **(failing if zone[-1] == "b" else {})) for name, zone in names.items()})


def begun(account: Account) -> dict[str, float]:
    """When each host was first commanded, seconds after the first of all."""
    found: dict[str, float] = {}
    for command in account.fleet.commands.values():
        for target_id in command.target_ids:
            found.setdefault(target_id, command.sent_at)
    start = min(found.values())
    return {target_id: sent_at - start for target_id, sent_at in found.items()}


def zones_begun(account: Account) -> dict[str, float]:
    """When the first host of each zone was commanded."""
    found: dict[str, float] = {}
    for target_id, since in sorted(begun(account).items(), key=lambda row: row[1]):
        found.setdefault(target_id[2], since)
    return found


def test_one_zone_after_another_with_a_pause_of_its_own_after_the_first() -> None:
    account = account_of()
    zonal = {"firstZoneMonitorDurationInSeconds": 3600, "monitorDurationInSeconds": 600}
    deployed = account.deploy("v1.zip", AT_ONCE, zonal=zonal)
    began = account.now
    item = account.run().deployment(deployed)
    assert (item["status"], item["overview"]["Succeeded"]) == ("Succeeded", 6)
    zones = zones_begun(account)
    assert list(zones) == ["a", "b", "c"]
    assert 3600 <= zones["b"] < 3600 + 60
    assert 600 <= zones["c"] - zones["b"] < 600 + 60
    # Nothing is watched after the last zone.
    assert account.now - began < 3600 + 600 + 180


def test_without_a_pause_the_next_zone_is_begun_when_one_is_done() -> None:
    account = account_of()
    account.deploy("v1.zip", AT_ONCE, zonal={})
    account.run()
    zones = zones_begun(account)
    assert list(zones) == ["a", "b", "c"]
    assert zones["c"] < 90


@pytest.mark.parametrize(
    ("minimum", "zonal", "most"),
    [
        (("HOST_COUNT", 0), {"type": "HOST_COUNT", "value": 3}, 1),
        (("HOST_COUNT", 0), {"type": "FLEET_PERCENT", "value": 50}, 2),
        (("HOST_COUNT", 10), {"type": "HOST_COUNT", "value": 1}, 2),  # the fleet's own holds beside the zone's
    ],
)
def test_a_zone_keeps_its_own_minimum(minimum: tuple[str, int], zonal: dict[str, Any], most: int) -> None:
    account = account_of(4)
    deployed = account.deploy("v1.zip", minimum, zonal={"minimumHealthyHostsPerZone": zonal})
    assert account.run().deployment(deployed)["status"] == "Succeeded"
    again = account.deploy("v2.zip", minimum, zonal={"minimumHealthyHostsPerZone": zonal})
    account.run()
    batches = [each for each in account.decisions(again) if each["kind"] == "Batch"]
    assert max(each["facts"]["chosen"] for each in batches) == most
    assert account.deployment(again)["status"] == "Succeeded"


def test_a_zone_that_must_stay_whole_is_told_at_once() -> None:
    account = account_of()
    whole = {"minimumHealthyHostsPerZone": {"type": "HOST_COUNT", "value": 2}}
    deployed = account.deploy("v1.zip", AT_ONCE, zonal=whole)
    item = account.run().deployment(deployed)
    assert item["error"]["code"] == "HEALTH_CONSTRAINTS_INVALID"
    assert "2 of 2 instances in zone us-east-1a must stay healthy" in item["error"]["message"]
    assert account.fleet.commands == {}


def test_a_failure_in_a_zone_leaves_later_zones_untouched_and_the_rollback_hurries_over_all() -> None:
    account = account_of(fails=frozenset({"v2.zip"}))
    zonal = {"monitorDurationInSeconds": 900, "minimumHealthyHostsPerZone": {"type": "HOST_COUNT", "value": 1}}
    account.deploy("v1.zip", ("HOST_COUNT", 3), zonal=zonal)
    account.run()
    failing = account.deploy("v2.zip", ("HOST_COUNT", 3), zonal=zonal, autoRollback=ON_FAILURE)
    item = account.run().deployment(failing)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    statuses = account.statuses(failing)
    assert [statuses[f"i-a{n}"] for n in range(2)] == ["Succeeded", "Succeeded"]
    assert sorted(statuses[f"i-b{n}"] for n in range(2)) == ["Failed", "Skipped"]
    assert [statuses[f"i-c{n}"] for n in range(2)] == ["Skipped", "Skipped"]
    rollback = item["rollback"]["rollbackDeploymentId"]
    back = account.deployment(rollback)
    assert (back["status"], back["overview"]["Succeeded"]) == ("Succeeded", 6)
    assert back["completeTime"] - back["createTime"] < 900
    assert {host.revision for host in account.hosts.values()} == {"v1.zip"}


def test_a_stop_while_a_zone_is_watched_leaves_later_zones_untouched() -> None:
    account = account_of()
    deployed = account.deploy("v1.zip", AT_ONCE, zonal={"monitorDurationInSeconds": 3600})
    account.clock.at(account.now + 1800, lambda: account.stop(deployed))
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert item["completeTime"] - item["createTime"] < 1860
    statuses = account.statuses(deployed)
    assert {name for name, status in statuses.items() if status == "Succeeded"} == {"i-a0", "i-a1"}
    assert {status for name, status in statuses.items() if name[2] != "a"} == {"Skipped"}


def test_a_deployment_is_in_progress_while_a_zone_is_watched_and_tells_what_it_waits_for() -> None:
    account = account_of()
    deployed = account.deploy("v1.zip", AT_ONCE, zonal={"monitorDurationInSeconds": 3600})
    seen: list[dict[str, Any]] = []
    account.clock.at(account.now + 1800, lambda: seen.append(account.deployment(deployed)))
    account.run()
    assert (seen[0]["status"], seen[0]["overview"]["Succeeded"], seen[0]["overview"]["Pending"]) == ("InProgress", 2, 4)
    told = [each["reason"] for each in account.decisions(deployed) if each["code"] == "MONITOR"]
    assert "The last zone is watched before 'zone us-east-1b' is begun" in told[0]


def test_an_alarm_while_a_zone_is_watched_stops_the_deployment() -> None:
    account = account_of()
    account.alarms.put("errors")
    alarms = {"names": ["errors"], "ignorePollFailure": False}
    deployed = account.deploy("v1.zip", AT_ONCE, zonal={"monitorDurationInSeconds": 3600}, alarms=alarms)
    account.clock.at(account.now + 1800, lambda: account.alarms.put("errors", "ALARM"))
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert sum(status == "Succeeded" for status in account.statuses(deployed).values()) == 2
