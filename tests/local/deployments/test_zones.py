"""Deployments by zones on real hosts: the local cloud puts its hosts into two zones in turn."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.local

A, B = ("host-1", "host-3"), ("host-2", "host-4")


def zonal(fleet: Any, minimum: int, **zones: Any) -> str:
    """A configuration by zones, with a minimum of the whole fleet; its name."""
    name = f"zones-{fleet.name}"[:100]
    fleet.codedeploy.create_deployment_config(
        deploymentConfigName=name,
        minimumHealthyHosts={"type": "HOST_COUNT", "value": minimum},
        zonalConfig=zones,
    )
    return name


def spans(fleet: Any, deployment_id: str) -> dict[str, tuple[float, float]]:
    """When each host began its first event and ended its last, epoch seconds."""
    return {
        name: (
            min(event["startTime"].timestamp() for event in row["lifecycleEvents"]),
            max(event["endTime"].timestamp() for event in row["lifecycleEvents"]),
        )
        for name, row in fleet.targets(deployment_id).items()
    }


def test_one_zone_after_another_with_a_minimum_and_a_pause_of_its_own(group: Any) -> None:
    fleet = group(4)
    one_stays = {"type": "HOST_COUNT", "value": 1}
    config = zonal(fleet, 0, firstZoneMonitorDurationInSeconds=5, minimumHealthyHostsPerZone=one_stays)
    found = fleet.cloud.client("ec2").describe_instances(InstanceIds=[host["id"] for host in fleet.hosts])
    places = {row["InstanceId"]: row["Placement"] for each in found["Reservations"] for row in each["Instances"]}
    zones = {host["name"]: places[host["id"]]["AvailabilityZone"] for host in fleet.hosts}
    assert zones == {"host-1": "us-east-1a", "host-2": "us-east-1b", "host-3": "us-east-1a", "host-4": "us-east-1b"}

    deployment = fleet.deploy(fleet.push("one"), deploymentConfigName=config)
    watched = fleet.until(deployment, lambda info: info["deploymentOverview"]["Succeeded"] == 2)
    assert (watched["status"], watched["deploymentOverview"]["Pending"]) == ("InProgress", 2)
    assert fleet.wait(deployment)["status"] == "Succeeded"

    assert fleet.files() == ["one"] * 4
    ran = spans(fleet, deployment)
    for zone in (A, B):  # one at a time in each zone
        first, second = sorted(ran[name] for name in zone)
        assert first[1] <= second[0] + 1  # hosts' clocks count whole seconds
    assert min(ran[name][0] for name in B) - max(ran[name][1] for name in A) >= 4
    told = fleet.reasons(deployment)
    assert [each.split()[0] for each in told if "set going" in each] == ["1"] * 4
    reasons = " ".join(told)
    assert "One zone after another: us-east-1a (2, 1 stay), us-east-1b (2, 1 stay)." in reasons
    assert "The last zone is watched before 'zone us-east-1b' is begun" in reasons


def test_a_zone_that_fails_leaves_the_next_alone_and_the_rollback_takes_all_together(group: Any) -> None:
    fleet = group(4, rollback=True)
    config = zonal(fleet, 2, monitorDurationInSeconds=60)
    assert fleet.wait(fleet.deploy(fleet.push("good")))["status"] == "Succeeded"

    hooks = "hooks:\n  ValidateService:\n    - location: fail.sh\n      timeout: 10\n"
    script = {"fail.sh": "#!/bin/sh\nexit 3\n"}
    bad = fleet.deploy(fleet.push("bad", hooks, script), deploymentConfigName=config)
    failed = fleet.wait(bad)
    assert (failed["status"], failed["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    statuses = {name: row["status"] for name, row in fleet.targets(bad).items()}
    assert statuses == {**dict.fromkeys(A, "Failed"), **dict.fromkeys(B, "Skipped")}
    back = fleet.wait(failed["rollbackInfo"]["rollbackDeploymentId"], 50)  # in less than a zone would be watched
    assert (back["status"], back["deploymentOverview"]["Succeeded"]) == ("Succeeded", 4)
    assert fleet.files() == ["good"] * 4


def test_a_stop_while_a_zone_is_watched_leaves_the_next_alone(group: Any) -> None:
    fleet = group(4)
    config = zonal(fleet, 0, monitorDurationInSeconds=300)
    deployment = fleet.deploy(fleet.push("one"), deploymentConfigName=config)
    fleet.until(deployment, lambda info: info["deploymentOverview"]["Succeeded"] == 2)
    fleet.codedeploy.stop_deployment(deploymentId=deployment)
    info = fleet.wait(deployment, 20)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    written = dict(zip(fleet.names, fleet.files(), strict=True))
    assert written == {**dict.fromkeys(A, "one"), **dict.fromkeys(B, "")}
