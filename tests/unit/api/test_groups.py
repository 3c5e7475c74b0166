"""Deployment groups through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import ROLE, Refused, World, s3

FILTERS = [{"Key": "Fleet", "Value": "demo", "Type": "KEY_AND_VALUE"}]


def test_a_group_comes_back_with_its_defaults(shop: World) -> None:
    assert shop.group_info() == {
        "applicationName": "shop",
        "deploymentGroupId": "00000000-0000-4000-8000-000000000002",
        "deploymentGroupName": "prod",
        "deploymentConfigName": "CodeDeployDefault.OneAtATime",
        "ec2TagFilters": FILTERS,
        "onPremisesInstanceTagFilters": [],
        "autoScalingGroups": [],
        "serviceRoleArn": ROLE,
        "triggerConfigurations": [],
        "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
        "outdatedInstancesStrategy": "UPDATE",
        "computePlatform": "Server",
        "terminationHookEnabled": False,
    }


def test_what_a_deployment_leaves_in_its_group(shop: World) -> None:
    first = shop.deploy("v1.zip")
    assert shop.group_info()["lastAttemptedDeployment"] == {
        "deploymentId": first,
        "status": "Created",
        "createTime": shop.now,
    }
    shop.end(first)
    second = shop.deploy("v2.zip")
    shop.end(second, "Failed")
    info = shop.group_info()
    assert info["targetRevision"] == s3("v1.zip")
    assert info["lastSuccessfulDeployment"]["deploymentId"] == first
    assert (info["lastAttemptedDeployment"]["deploymentId"], info["lastAttemptedDeployment"]["status"]) == (
        second,
        "Failed",
    )


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"Key": "a"}, "KEY_ONLY"),
        ({"Value": "b"}, "VALUE_ONLY"),
        ({"Key": "a", "Value": ""}, "KEY_AND_VALUE"),
    ],
)
def test_the_type_of_a_tag_filter_may_be_left_out(shop: World, given: dict[str, str], kind: str) -> None:
    shop.group("g", ec2TagFilters=[given])
    assert shop.group_info("g")["ec2TagFilters"] == [{**given, "Type": kind}]


TAG_SET = {"ec2TagSetList": [FILTERS, [{"Key": "Stage", "Type": "KEY_ONLY"}]]}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("role", {"serviceRoleArn": "deployer"}, "InvalidRole"),
    ("key only without key", {"ec2TagFilters": [{"Type": "KEY_ONLY", "Value": "v"}]}, "InvalidEC2Tag"),
    ("value only without value", {"ec2TagFilters": [{"Type": "VALUE_ONLY", "Key": "k"}]}, "InvalidEC2Tag"),
    ("both without value", {"ec2TagFilters": [{"Type": "KEY_AND_VALUE", "Key": "k"}]}, "InvalidEC2Tag"),
    ("an empty filter", {"ec2TagFilters": [{}]}, "InvalidEC2Tag"),
    ("unknown type", {"ec2TagFilters": [{"Key": "k", "Type": "ALL"}]}, "InvalidEC2Tag"),
    ("long key", {"ec2TagFilters": [{"Key": "k" * 129}]}, "InvalidEC2Tag"),
    (
        "long value",
        {"ec2TagSet": {"ec2TagSetList": [[{"Value": "k" * 257}]]}, "ec2TagFilters": []},
        "InvalidEC2Tag",
    ),
    ("two ways of selecting", {"ec2TagSet": TAG_SET}, "InvalidEC2TagCombination"),
    (
        "four tag groups",
        {"ec2TagSet": {"ec2TagSetList": [FILTERS] * 4}, "ec2TagFilters": []},
        "TagSetListLimitExceeded",
    ),
    (
        "eleven tags",
        {"ec2TagSet": {"ec2TagSetList": [FILTERS * 11]}, "ec2TagFilters": []},
        "TagSetListLimitExceeded",
    ),
    ("rollback without events", {"autoRollbackConfiguration": {"enabled": True}}, "InvalidAutoRollbackConfig"),
    ("rollback on a whim", {"autoRollbackConfiguration": {"events": ["WHIM"]}}, "InvalidAutoRollbackConfig"),
    ("alarms without names", {"alarmConfiguration": {"alarms": [{}]}}, "InvalidAlarmConfig"),
    ("the same alarm twice", {"alarmConfiguration": {"alarms": [{"name": "a"}] * 2}}, "InvalidAlarmConfig"),
    ("alarms on, none named", {"alarmConfiguration": {"enabled": True}}, "InvalidAlarmConfig"),
    (
        "eleven alarms",
        {"alarmConfiguration": {"alarms": [{"name": f"{n}"} for n in range(11)]}},
        "AlarmsLimitExceeded",
    ),
    ("unknown configuration", {"deploymentConfigName": "mine"}, "DeploymentConfigDoesNotExist"),
    (
        "another platform's",
        {"deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce"},
        "InvalidTrafficRoutingConfiguration",
    ),
    ("unknown style", {"deploymentStyle": {"deploymentType": "RAINBOW"}}, "InvalidDeploymentStyle"),
    ("strategy", {"outdatedInstancesStrategy": "HOPE"}, "InvalidInput"),
    ("a tag of AWS's own", {"tags": [{"Key": "aws:x"}]}, "InvalidTagsToAdd"),
]


@pytest.mark.parametrize(("given", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_settings_that_are_refused(shop: World, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        shop.group("g", **given)
    assert caught.value.code == f"{code}Exception"
    assert shop.call("ListDeploymentGroups", applicationName="shop")["deploymentGroups"] == ["prod"]


NOT_YET: list[tuple[dict[str, Any], str]] = [
    ({"deploymentStyle": {"deploymentType": "BLUE_GREEN"}}, "InvalidDeploymentStyleException"),
    ({"deploymentStyle": {"deploymentOption": "WITH_TRAFFIC_CONTROL"}}, "InvalidDeploymentStyleException"),
    ({"alarmConfiguration": {"enabled": True, "alarms": [{"name": "a"}]}}, "InvalidAlarmConfigException"),
    ({"autoScalingGroups": ["asg"]}, "InvalidAutoScalingGroupException"),
    ({"terminationHookEnabled": True}, "InvalidAutoScalingGroupException"),
    ({"ecsServices": [{"serviceName": "s"}]}, "InvalidECSServiceException"),
    ({"triggerConfigurations": [{"triggerName": "t"}]}, "InvalidTriggerConfigException"),
    ({"onPremisesInstanceTagFilters": [{"Key": "k"}]}, "InvalidTagException"),
    ({"onPremisesTagSet": {"onPremisesTagSetList": [[{"Key": "k"}]]}}, "InvalidTagException"),
    (
        {"blueGreenDeploymentConfiguration": {"deploymentReadyOption": {"waitTimeInMinutes": 1}}},
        "InvalidBlueGreenDeploymentConfigurationException",
    ),
    (
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["Terminate"]}},
        "InvalidAutoScalingGroupProcessToSuspendException",
    ),
]


@pytest.mark.parametrize(("given", "code"), NOT_YET, ids=[next(iter(row[0])) for row in NOT_YET])
def test_what_is_not_there_yet_is_never_taken_in_silence(shop: World, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused, match="not available in this version") as caught:
        shop.group("g", **given)
    assert caught.value.code == code
    with pytest.raises(Refused, match="not available in this version"):
        shop.call("UpdateDeploymentGroup", applicationName="shop", currentDeploymentGroupName="prod", **given)


def test_names_that_are_there_or_not(shop: World) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        (
            "CreateDeploymentGroup",
            {"applicationName": "shop", "serviceRoleArn": ROLE},
            "DeploymentGroupAlreadyExistsException",
        ),
        (
            "CreateDeploymentGroup",
            {"applicationName": "no", "serviceRoleArn": ROLE},
            "ApplicationDoesNotExistException",
        ),
        ("GetDeploymentGroup", {"applicationName": "no"}, "ApplicationDoesNotExistException"),
    ]
    for operation, given, code in cases:
        with pytest.raises(Refused) as caught:
            shop.call(operation, deploymentGroupName="prod", **given)
        assert caught.value.code == code
    with pytest.raises(Refused) as caught:
        shop.group_info("none")
    assert caught.value.code == "DeploymentGroupDoesNotExistException"
    with pytest.raises(Refused) as caught:
        shop.call("ListDeploymentGroups", applicationName="no")
    assert caught.value.code == "ApplicationDoesNotExistException"


def update(world: World, **given: Any) -> dict[str, Any]:
    return world.call("UpdateDeploymentGroup", applicationName="shop", currentDeploymentGroupName="prod", **given)


def test_an_update_changes_what_it_names_and_no_more(shop: World) -> None:
    before = shop.group_info()
    rollback = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    assert update(shop, autoRollbackConfiguration=rollback) == {"hooksNotCleanedUp": []}
    assert shop.group_info() == {**before, "autoRollbackConfiguration": rollback}
    update(shop, ec2TagFilters=[])
    assert shop.group_info()["ec2TagFilters"] == []


def test_one_way_of_selecting_takes_the_place_of_the_other(shop: World) -> None:
    update(shop, ec2TagSet=TAG_SET)
    assert (shop.group_info()["ec2TagSet"], shop.group_info()["ec2TagFilters"]) == (TAG_SET, [])
    update(shop, serviceRoleArn=ROLE)
    assert shop.group_info()["ec2TagSet"] == TAG_SET
    update(shop, ec2TagFilters=FILTERS)
    assert "ec2TagSet" not in shop.group_info()
    assert shop.group_info()["ec2TagFilters"] == FILTERS


def test_a_group_is_renamed_and_keeps_its_id_and_history(shop: World) -> None:
    deployment_id = shop.deploy()
    with pytest.raises(Refused, match=f"'{deployment_id}'") as caught:
        update(shop, newDeploymentGroupName="live")
    assert caught.value.code == "InvalidInputException"
    shop.end(deployment_id)
    before = shop.group_info()
    update(shop, newDeploymentGroupName="live")
    assert shop.group_info("live") == {**before, "deploymentGroupName": "live"}
    listed = shop.call("ListDeployments", applicationName="shop", deploymentGroupName="live")
    assert listed == {"deployments": [deployment_id]}
    shop.group("prod")
    with pytest.raises(Refused) as caught:
        update(shop, newDeploymentGroupName="live")
    assert caught.value.code == "DeploymentGroupAlreadyExistsException"


def test_an_update_of_what_is_not_there(shop: World) -> None:
    for application, code in (("shop", "DeploymentGroupDoesNotExist"), ("no", "ApplicationDoesNotExist")):
        with pytest.raises(Refused) as caught:
            shop.call("UpdateDeploymentGroup", applicationName=application, currentDeploymentGroupName="none")
        assert caught.value.code == f"{code}Exception"
    with pytest.raises(Refused) as caught:
        update(shop, deploymentConfigName="mine")
    assert caught.value.code == "DeploymentConfigDoesNotExistException"


def test_deleting_is_fine_with_what_is_not_there(shop: World) -> None:
    for application in ("shop", "shop", "no"):
        gone = shop.call("DeleteDeploymentGroup", applicationName=application, deploymentGroupName="prod")
        assert gone == {"hooksNotCleanedUp": []}
    assert shop.call("ListDeploymentGroups", applicationName="shop")["deploymentGroups"] == []


def test_a_batch_tells_what_it_did_not_find(shop: World) -> None:
    answer = shop.call("BatchGetDeploymentGroups", applicationName="shop", deploymentGroupNames=["no", "prod"])
    assert [each["deploymentGroupName"] for each in answer["deploymentGroupsInfo"]] == ["prod"]
    assert "no" in answer["errorMessage"]
    with pytest.raises(Refused) as caught:
        shop.call(
            "BatchGetDeploymentGroups", applicationName="shop", deploymentGroupNames=[f"g{n}" for n in range(101)]
        )
    assert caught.value.code == "BatchLimitExceededException"
