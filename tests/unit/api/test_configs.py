"""Deployment configurations through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import Refused, World

HALF = {"type": "FLEET_PERCENT", "value": 50}


def create(world: World, **given: Any) -> dict[str, Any]:
    return world.call(
        "CreateDeploymentConfig", **{"deploymentConfigName": "mine", "minimumHealthyHosts": HALF, **given}
    )


def test_a_configuration_comes_back_as_created(world: World) -> None:
    made = create(world)
    assert world.call("GetDeploymentConfig", deploymentConfigName="mine")["deploymentConfigInfo"] == {
        "deploymentConfigId": made["deploymentConfigId"],
        "deploymentConfigName": "mine",
        "minimumHealthyHosts": HALF,
        "createTime": world.now,
        "computePlatform": "Server",
    }


@pytest.mark.parametrize(
    ("name", "member", "value"),
    [
        ("OneAtATime", "minimumHealthyHosts", {"type": "MOST_CONCURRENCY", "value": 1}),
        ("HalfAtATime", "minimumHealthyHosts", {"type": "FLEET_PERCENT", "value": 50}),
        ("AllAtOnce", "minimumHealthyHosts", {"type": "HOST_COUNT", "value": 0}),
        ("LambdaAllAtOnce", "trafficRoutingConfig", {"type": "AllAtOnce"}),
        (
            "LambdaLinear10PercentEvery1Minute",
            "trafficRoutingConfig",
            {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10, "linearInterval": 1}},
        ),
        (
            "ECSCanary10Percent15Minutes",
            "trafficRoutingConfig",
            {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 15}},
        ),
    ],
)
def test_predefined_configurations(world: World, name: str, member: str, value: dict[str, Any]) -> None:
    answer = world.call("GetDeploymentConfig", deploymentConfigName=f"CodeDeployDefault.{name}")
    assert answer["deploymentConfigInfo"][member] == value


def test_all_are_listed(world: World) -> None:
    for number in range(100):
        create(world, deploymentConfigName=f"c{number:03}")
    first = world.call("ListDeploymentConfigs")
    rest = world.call("ListDeploymentConfigs", nextToken=first["nextToken"])
    names = first["deploymentConfigsList"] + rest["deploymentConfigsList"]
    assert len(names) == len(set(names)) == 117
    assert names[17:] == [f"c{number:03}" for number in range(100)]


def test_a_token_whose_place_is_gone_is_refused(world: World) -> None:
    for number in range(100):
        create(world, deploymentConfigName=f"c{number:03}")
    token = world.call("ListDeploymentConfigs")["nextToken"]
    world.call("DeleteDeploymentConfig", deploymentConfigName="c082")
    with pytest.raises(Refused, match="deleted meanwhile") as caught:
        world.call("ListDeploymentConfigs", nextToken=token)
    assert caught.value.code == "InvalidNextTokenException"


MINIMUM = "InvalidMinimumHealthyHostValue"
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("reserved name", {"deploymentConfigName": "CodeDeployDefault.Mine"}, "InvalidDeploymentConfigName"),
    (
        "predefined name",
        {"deploymentConfigName": "CodeDeployDefault.AllAtOnce"},
        "DeploymentConfigAlreadyExists",
    ),
    ("no minimum", {"minimumHealthyHosts": None}, MINIMUM),
    ("no value", {"minimumHealthyHosts": {"type": "HOST_COUNT"}}, MINIMUM),
    ("no type", {"minimumHealthyHosts": {"value": 1}}, MINIMUM),
    ("below none", {"minimumHealthyHosts": {"type": "HOST_COUNT", "value": -1}}, MINIMUM),
    ("all of the fleet", {"minimumHealthyHosts": {"type": "FLEET_PERCENT", "value": 100}}, MINIMUM),
    ("AWS's own type", {"minimumHealthyHosts": {"type": "MOST_CONCURRENCY", "value": 1}}, MINIMUM),
    (
        "Lambda's routing",
        {"trafficRoutingConfig": {"type": "AllAtOnce"}},
        "InvalidTrafficRoutingConfiguration",
    ),
    ("no time", {"zonalConfig": {"monitorDurationInSeconds": -1}}, "InvalidZonalDeploymentConfiguration"),
]


@pytest.mark.parametrize(("given", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_configurations_that_are_refused(world: World, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        create(world, **given)
    assert caught.value.code == f"{code}Exception"


def test_deleting(world: World) -> None:
    create(world)
    with pytest.raises(Refused) as caught:
        create(world)
    assert caught.value.code == "DeploymentConfigAlreadyExistsException"
    world.shop(deploymentConfigName="mine")
    with pytest.raises(Refused) as caught:
        world.call("DeleteDeploymentConfig", deploymentConfigName="mine")
    assert caught.value.code == "DeploymentConfigInUseException"
    world.call("DeleteDeploymentGroup", applicationName="shop", deploymentGroupName="prod")
    for _ in range(2):
        assert world.call("DeleteDeploymentConfig", deploymentConfigName="mine") == {}
    with pytest.raises(Refused) as caught:
        world.call("GetDeploymentConfig", deploymentConfigName="mine")
    assert caught.value.code == "DeploymentConfigDoesNotExistException"
    with pytest.raises(Refused) as caught:
        world.call("DeleteDeploymentConfig", deploymentConfigName="CodeDeployDefault.AllAtOnce")
    assert caught.value.code == "InvalidOperationException"
