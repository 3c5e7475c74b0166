"""Targets through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import TIDEGATE, Refused, World, target_item

from tidegate.api.progress import merged
from tidegate.store.table import Put

ARN = "arn:aws:ec2:us-east-1:123456789012:instance/i-1"


def listed(world: World, deployment_id: str, **filters: list[str]) -> list[str]:
    answer = world.call("ListDeploymentTargets", deploymentId=deployment_id, targetFilters=filters)
    found: list[str] = answer["targetIds"]
    return found


def target(world: World, deployment_id: str, name: str = "i-1") -> dict[str, Any]:
    answer = world.call("GetDeploymentTarget", deploymentId=deployment_id, targetId=name)["deploymentTarget"]
    assert answer["deploymentTargetType"] == "InstanceTarget"
    found: dict[str, Any] = answer["instanceTarget"]
    return found


def test_a_deployment_that_has_not_started_has_no_targets_yet(shop: World) -> None:
    deployment_id = shop.deploy()
    for operation, given in (
        ("ListDeploymentTargets", {}),
        ("GetDeploymentTarget", {"targetId": "i-1"}),
        ("BatchGetDeploymentTargets", {"targetIds": ["i-1"]}),
    ):
        with pytest.raises(Refused) as caught:
            shop.call(operation, deploymentId=deployment_id, **given)
        assert caught.value.code == "DeploymentNotStartedException"
    shop.end(deployment_id, "Failed")
    assert listed(shop, deployment_id) == []


def test_targets_are_listed_in_the_order_of_the_fleet(shop: World) -> None:
    deployment_id = shop.deploy()
    shop.fleet(deployment_id, {"i-3": "Succeeded", "i-1": "InProgress", "i-2": None})
    assert listed(shop, deployment_id) == ["i-3", "i-1", "i-2"]
    assert listed(shop, deployment_id, TargetStatus=["Pending"]) == ["i-2"]
    assert listed(shop, deployment_id, TargetStatus=["InProgress", "Succeeded"]) == ["i-3", "i-1"]


def test_pages_of_targets(shop: World) -> None:
    deployment_id = shop.deploy()
    fleet = {f"i-{number:03}": None for number in range(250)}
    shop.fleet(deployment_id, fleet)
    first = shop.call("ListDeploymentTargets", deploymentId=deployment_id)
    second = shop.call("ListDeploymentTargets", deploymentId=deployment_id, nextToken=first["nextToken"])
    third = shop.call("ListDeploymentTargets", deploymentId=deployment_id, nextToken=second["nextToken"])
    assert first["targetIds"] + second["targetIds"] + third["targetIds"] == list(fleet)
    assert "nextToken" not in third


def test_filters_that_make_no_sense(shop: World) -> None:
    deployment_id = shop.deploy()
    shop.fleet(deployment_id, {"i-1": None})
    for filters, code in (
        ({"TargetStatus": ["Done"]}, "InvalidInstanceStatusException"),
        ({"ServerInstanceLabel": ["Blue"]}, "InvalidDeploymentInstanceTypeException"),
        ({"Colour": ["Blue"]}, "InvalidTargetFilterNameException"),
    ):
        with pytest.raises(Refused) as caught:
            listed(shop, deployment_id, **filters)
        assert caught.value.code == code


def test_a_target_as_recorded(shop: World) -> None:
    deployment_id = shop.deploy()
    shop.fleet(deployment_id, {"i-1": "Succeeded"})
    expected = {
        "deploymentId": deployment_id,
        "targetId": "i-1",
        "targetArn": ARN,
        "status": "Succeeded",
        "lastUpdatedAt": 1764000001.5,
        "lifecycleEvents": [
            {"lifecycleEventName": "ApplicationStop", "status": "Pending"},
            {"lifecycleEventName": "Install", "status": "Pending"},
        ],
    }
    assert target(shop, deployment_id) == expected
    assert target(shop, deployment_id, ARN) == expected


def test_a_target_of_the_fleet_without_a_record_waits(shop: World) -> None:
    deployment_id = shop.deploy()
    shop.fleet(deployment_id, {"i-1": None})
    found = target(shop, deployment_id)
    assert (found["status"], found["targetArn"]) == ("Pending", ARN)
    assert [each["lifecycleEventName"] for each in found["lifecycleEvents"]][:2] == [
        "ApplicationStop",
        "DownloadBundle",
    ]
    assert {each["status"] for each in found["lifecycleEvents"]} == {"Pending"}


def test_what_a_host_tells_while_it_works_is_seen(shop: World) -> None:
    deployment_id = shop.deploy()
    shop.fleet(deployment_id, {"i-1": "InProgress", "i-2": "Succeeded"})
    events = [
        ["ApplicationStop", "Succeeded", 1764000002.0, 1764000003.5],
        ["Install", "InProgress", 1764000003.5, None],
    ]
    for name in ("i-1", "i-2"):
        shop.progress[deployment_id, name] = {"events": events, "updatedAt": 1764000004.0}
    answer = shop.call("BatchGetDeploymentTargets", deploymentId=deployment_id, targetIds=["i-2", "i-1"])
    done, working = (each["instanceTarget"] for each in answer["deploymentTargets"])
    assert [each["status"] for each in done["lifecycleEvents"]] == ["Pending", "Pending"]
    assert working["lastUpdatedAt"] == 1764000004.0
    assert working["lifecycleEvents"] == [
        {
            "lifecycleEventName": "ApplicationStop",
            "status": "Succeeded",
            "startTime": 1764000002.0,
            "endTime": 1764000003.5,
        },
        {"lifecycleEventName": "Install", "status": "InProgress", "startTime": 1764000003.5},
    ]


def test_without_live_detail_a_target_is_shown_as_recorded(shop: World) -> None:
    deployment_id = shop.deploy()
    shop.fleet(deployment_id, {"i-1": "InProgress"})
    shop.progress.fault = OSError("no network")
    assert {each["status"] for each in target(shop, deployment_id)["lifecycleEvents"]} == {"Pending"}


@pytest.mark.parametrize(
    "progress",
    [
        {},
        {"events": None},
        {"events": "Install"},
        {"events": [None, 1, [], ["Install"], ["Install", "Exploded", 1.0, 2.0], [1, "Failed", 1.0, 2.0]]},
        {"events": [["Unheard", "Failed", 1.0, 2.0]], "updatedAt": "now"},
        {"events": [{"name": "Install"}], "updatedAt": True},
    ],
)
def test_what_a_host_tells_is_not_trusted(progress: dict[str, Any]) -> None:
    item = {"status": "InProgress", "lifecycleEvents": [{"lifecycleEventName": "Install", "status": "Pending"}]}
    assert merged(item, progress) == item


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Skipped"])
def test_a_target_that_has_ended_is_not_told_about(status: str) -> None:
    item = {"status": status, "lifecycleEvents": [{"lifecycleEventName": "Install", "status": "Pending"}]}
    assert merged(item, {"events": [["Install", "InProgress", 1.0, None]], "updatedAt": 9.0}) == item


def test_a_recorded_end_counts_more_than_a_tale() -> None:
    event = {"lifecycleEventName": "Install", "status": "Failed"}
    item = {"status": "InProgress", "lifecycleEvents": [event]}
    assert merged(item, {"events": [["Install", "Succeeded", 1.0, 2.0]]})["lifecycleEvents"] == [event]


def test_targets_that_are_not_part_of_the_deployment(shop: World) -> None:
    deployment_id = shop.deploy()
    shop.fleet(deployment_id, {"i-1": "Succeeded"})
    with pytest.raises(Refused, match="'i-9'") as caught:
        shop.call("BatchGetDeploymentTargets", deploymentId=deployment_id, targetIds=["i-1", "i-9"])
    assert caught.value.code == "DeploymentTargetDoesNotExistException"
    for name in ("a b", "x" * 101, "arn:aws:ec2:us-east-1:1:instance/", "i\n"):
        with pytest.raises(Refused) as caught:
            target(shop, deployment_id, name)
        assert caught.value.code == "InvalidDeploymentTargetIdException"
    with pytest.raises(Refused) as caught:
        shop.call("BatchGetDeploymentTargets", deploymentId=deployment_id, targetIds=["i-1"] * 26)
    assert caught.value.code == "DeploymentTargetListSizeExceededException"
    for name, code in (("d-1", "InvalidDeploymentId"), ("d-ZZZZZZZZZ", "DeploymentDoesNotExist")):
        with pytest.raises(Refused) as caught:
            target(shop, name)
        assert caught.value.code == f"{code}Exception"


BOX = "arn:aws:codedeploy:us-east-1:123456789012:instance/box_1_0123456789"


def with_box(shop: World, status: str | None) -> str:
    """A deployment to an on-premises instance that is the node mi-1."""
    deployment_id = shop.deploy()
    pk = f"DEP#{deployment_id}"
    shop.table.write(Put({"PK": pk, "SK": "ROSTER#0000", "members": [["box_1", True, ["mi-1"], "0123456789"]]}))
    if status:
        item = target_item(deployment_id, "box_1", status) | {"targetArn": BOX, "nodeId": "mi-1"}
        shop.table.write(Put(item))
    return deployment_id


def test_an_on_premises_instance_is_named_by_its_name_or_its_arn(shop: World) -> None:
    deployment_id = with_box(shop, "Succeeded")
    assert listed(shop, deployment_id) == ["box_1"]
    for name in ("box_1", BOX):
        found = target(shop, deployment_id, name)
        assert (found["targetId"], found["targetArn"], "nodeId" in found) == ("box_1", BOX, False)
    with pytest.raises(Refused) as caught:
        target(shop, deployment_id, "mi-1")
    assert caught.value.code == "DeploymentTargetDoesNotExistException"


def test_an_on_premises_instance_without_a_record_waits_under_its_own_arn(shop: World) -> None:
    found = target(shop, with_box(shop, None), "box_1")
    assert (found["status"], found["targetArn"]) == ("Pending", BOX)


def test_what_a_node_tells_is_seen_under_its_instances_name(shop: World) -> None:
    deployment_id = with_box(shop, "InProgress")
    shop.progress[deployment_id, "mi-1"] = {"events": [["Install", "InProgress", 1764000003.5, None]]}
    assert target(shop, deployment_id, "box_1")["lifecycleEvents"][1]["status"] == "InProgress"
    line = b'[1764000003.6, "Install", "stdout", "hello"]\n'
    shop.logs[f"{deployment_id}/mi-1/host.000000.jsonl"] = line
    told = shop.call("GetLogs", TIDEGATE, deploymentId=deployment_id, targetId=BOX)
    assert [each["text"] for each in told["lines"]] == ["hello"]
