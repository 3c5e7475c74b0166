"""What the settings of a server deployment group must satisfy, a row a rule, through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.group_cases import (
    BALANCER,
    CONTROLLED,
    FILTERS,
    HOME_SET,
    REFUSED,
    SHIFT,
    TAG_SET,
    alarms,
    balanced,
    blue_green,
    trigger,
)
from tests.unit.api.world import ROLE, Refused, World

from tidegate.api.rules.settings import changed_settings, new_settings
from tidegate.api.service_models import codedeploy


@pytest.mark.parametrize(("given", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_settings_that_are_refused(shop: World, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        shop.group("g", **given)
    assert caught.value.code == f"{code}Exception"
    assert "not available" not in caught.value.message
    assert shop.call("ListDeploymentGroups", applicationName="shop")["deploymentGroups"] == ["prod"]
    if code == "RoleRequired":
        return
    before = shop.group_info()
    with pytest.raises(Refused) as caught:
        shop.call(
            "UpdateDeploymentGroup",
            applicationName="shop",
            currentDeploymentGroupName="prod",
            **({"ec2TagFilters": FILTERS} | given),
        )
    assert caught.value.code == f"{code}Exception"
    assert shop.group_info() == before


def test_every_refusal_is_one_that_both_operations_model() -> None:
    for operation in ("CreateDeploymentGroup", "UpdateDeploymentGroup"):
        modelled = {shape.name for shape in codedeploy().operation_model(operation).error_shapes}
        refusals = {f"{code}Exception" for _, _, code in REFUSED if code != "RoleRequired"}
        assert refusals <= modelled


def test_tags_of_aws_own_are_no_tags_of_a_group(shop: World) -> None:
    with pytest.raises(Refused) as caught:
        shop.group("g", tags=[{"Key": "aws:x"}])
    assert caught.value.code == "InvalidTagsToAddException"


ORDER: list[tuple[str, dict[str, Any]]] = [
    ("InvalidRole", {"serviceRoleArn": "deployer"}),
    ("InvalidEC2Tag", {"ec2TagFilters": [{}]}),
    ("InvalidTag", {"onPremisesInstanceTagFilters": [{}]}),
    ("InvalidAutoScalingGroup", {"autoScalingGroups": [""]}),
    ("InvalidLoadBalancerInfo", balanced(elbInfoList=[{}])),
    ("InvalidECSService", {"ecsServices": [{}]}),
    ("InvalidTriggerConfig", {"triggerConfigurations": [{}]}),
    ("InvalidAlarmConfig", {"alarmConfiguration": {"enabled": True}}),
    ("InvalidAutoRollbackConfig", {"autoRollbackConfiguration": {"enabled": True}}),
    ("ApplicationDoesNotExist", {"applicationName": "no"}),
    ("DeploymentConfigDoesNotExist", {"deploymentConfigName": "no"}),
    ("InvalidBlueGreenDeploymentConfiguration", {"blueGreenDeploymentConfiguration": {"deploymentReadyOption": {}}}),
]


@pytest.mark.parametrize("position", range(len(ORDER)), ids=[code for code, _ in ORDER])
def test_of_several_errors_the_first_in_a_fixed_order_is_told(shop: World, position: int) -> None:
    given: dict[str, Any] = {"applicationName": "shop", "deploymentGroupName": "g", "serviceRoleArn": ROLE}
    for _, wrong in reversed(ORDER[position:]):
        given |= wrong
    with pytest.raises(Refused) as caught:
        shop.call("CreateDeploymentGroup", **given)
    assert caught.value.code == f"{ORDER[position][0]}Exception"


TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("triggers", {"triggerConfigurations": [trigger(), trigger(triggerName="other", triggerEvents=["InstanceStart"])]}),
    ("on-premises tags", {"onPremisesInstanceTagFilters": FILTERS}),
    ("on-premises tag groups", {"onPremisesTagSet": HOME_SET}),
    ("alarms that are off", alarms("a", "b")),
    ("balancers that are not used", {"loadBalancerInfo": BALANCER}),
    ("rollback", {"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}}),
    ("a termination hook", {"terminationHookEnabled": True}),
    ("strategy", {"outdatedInstancesStrategy": "IGNORE"}),
    ("balancers that control traffic", {"deploymentStyle": CONTROLLED, "loadBalancerInfo": BALANCER}),
]


@pytest.mark.parametrize("given", [row[1] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_settings_come_back_as_given_and_stay_where_an_update_does_not_name_them(
    shop: World, given: dict[str, Any]
) -> None:
    shop.group("g", **given)
    assert {name: shop.group_info("g")[name] for name in given} == given
    shop.call("UpdateDeploymentGroup", applicationName="shop", currentDeploymentGroupName="g", serviceRoleArn=ROLE)
    assert {name: shop.group_info("g")[name] for name in given} == given


CLEARED: list[tuple[str, dict[str, Any], dict[str, Any], Any]] = [
    ("triggerConfigurations", {"triggerConfigurations": [trigger()]}, {"triggerConfigurations": []}, []),
    ("ec2TagFilters", {}, {"ec2TagFilters": []}, []),
    ("ec2TagSet", {"ec2TagSet": TAG_SET, "ec2TagFilters": []}, {"ec2TagSet": {"ec2TagSetList": []}}, None),
    ("onPremisesInstanceTagFilters", TAKEN[1][1], {"onPremisesInstanceTagFilters": []}, []),
    ("onPremisesTagSet", TAKEN[2][1], {"onPremisesTagSet": {}}, None),
    ("alarmConfiguration", alarms("a"), {"alarmConfiguration": {}}, None),
    ("autoRollbackConfiguration", TAKEN[5][1], {"autoRollbackConfiguration": {}}, None),
    ("loadBalancerInfo", {"loadBalancerInfo": BALANCER}, {"loadBalancerInfo": {"targetGroupInfoList": []}}, None),
]


@pytest.mark.parametrize(("name", "given", "empty", "left"), CLEARED, ids=[row[0] for row in CLEARED])
def test_what_an_update_gives_empty_is_cleared(
    shop: World, name: str, given: dict[str, Any], empty: dict[str, Any], left: Any
) -> None:
    shop.group("g", **given)
    assert shop.group_info("g").get(name)
    shop.call("UpdateDeploymentGroup", applicationName="shop", currentDeploymentGroupName="g", **empty)
    assert shop.group_info("g").get(name) == left


def test_one_way_of_selecting_on_premises_takes_the_place_of_the_other(shop: World) -> None:
    shop.group("g", onPremisesInstanceTagFilters=FILTERS)
    update = {"applicationName": "shop", "currentDeploymentGroupName": "g"}
    shop.call("UpdateDeploymentGroup", onPremisesTagSet=HOME_SET, **update)
    info = shop.group_info("g")
    assert (info["onPremisesTagSet"], info["onPremisesInstanceTagFilters"]) == (HOME_SET, [])
    shop.call("UpdateDeploymentGroup", onPremisesInstanceTagFilters=FILTERS, **update)
    info = shop.group_info("g")
    assert (info.get("onPremisesTagSet"), info["onPremisesInstanceTagFilters"]) == (None, FILTERS)


def test_blue_green_options_go_with_the_style() -> None:
    """Directly, since servers cannot be given the style yet."""
    before = changed_settings({**new_settings({}, "Server")}, {**blue_green(), "deploymentStyle": SHIFT})
    assert before["blueGreenDeploymentConfiguration"]["deploymentReadyOption"]["waitTimeInMinutes"] == 0
    after = changed_settings(before, {"deploymentStyle": {"deploymentType": "IN_PLACE"}})
    assert "blueGreenDeploymentConfiguration" not in after
    assert after["deploymentStyle"] == {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}
    kept = changed_settings(before, {"deploymentStyle": {"deploymentType": "BLUE_GREEN"}})
    assert kept == before
