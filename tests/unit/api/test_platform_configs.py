"""Deployment configurations of platforms Lambda and ECS, and of zones, through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.platforms import made, modelled, update
from tests.unit.api.world import Refused, World


def canary(percent: Any = 10, minutes: Any = 5) -> dict[str, Any]:
    part = {"canaryPercentage": percent, "canaryInterval": minutes}
    return {"type": "TimeBasedCanary", "timeBasedCanary": {k: v for k, v in part.items() if v is not None}}


def linear(percent: Any = 10, minutes: Any = 5) -> dict[str, Any]:
    part = {"linearPercentage": percent, "linearInterval": minutes}
    return {"type": "TimeBasedLinear", "timeBasedLinear": {k: v for k, v in part.items() if v is not None}}


def configure(world: World, **given: Any) -> dict[str, Any]:
    world.call("CreateDeploymentConfig", **{"deploymentConfigName": "mine", "computePlatform": "ECS", **given})
    answer = world.call("GetDeploymentConfig", deploymentConfigName="mine")["deploymentConfigInfo"]
    return dict(answer)


@pytest.mark.parametrize("platform", ["Lambda", "ECS"])
@pytest.mark.parametrize(
    "routing", [{"type": "AllAtOnce"}, canary(1, 1), canary(99, 2880), linear(50, 2880), linear(1, 29), linear(99, 1)]
)
def test_routing_comes_back_as_given(world: World, platform: str, routing: dict[str, Any]) -> None:
    found = configure(world, computePlatform=platform, trafficRoutingConfig=routing)
    assert (found["computePlatform"], found["trafficRoutingConfig"]) == (platform, routing)
    assert "minimumHealthyHosts" not in found


ROUTING = "InvalidTrafficRoutingConfiguration"
BAD_CONFIGS: list[tuple[str, dict[str, Any], str]] = [
    ("none", {}, ROUTING),
    ("no type", {"trafficRoutingConfig": {"timeBasedCanary": {}}}, ROUTING),
    ("unknown type", {"trafficRoutingConfig": {"type": "Dice"}}, ROUTING),
    ("at once in steps", {"trafficRoutingConfig": {**canary(), "type": "AllAtOnce"}}, ROUTING),
    ("both kinds", {"trafficRoutingConfig": {**linear(), **canary()}}, ROUTING),
    ("no percentage", {"trafficRoutingConfig": canary(None)}, ROUTING),
    ("no canary", {"trafficRoutingConfig": {"type": "TimeBasedCanary"}}, ROUTING),
    ("nothing", {"trafficRoutingConfig": canary(0)}, ROUTING),
    ("everything", {"trafficRoutingConfig": linear(100)}, ROUTING),
    ("no interval", {"trafficRoutingConfig": linear(10, None)}, ROUTING),
    ("no time", {"trafficRoutingConfig": canary(10, 0)}, ROUTING),
    ("more than two days", {"trafficRoutingConfig": canary(10, 2881)}, ROUTING),
    ("more than two days in all", {"trafficRoutingConfig": linear(10, 321)}, ROUTING),
    (
        "hosts",
        {"trafficRoutingConfig": canary(), "minimumHealthyHosts": {"type": "HOST_COUNT", "value": 1}},
        "InvalidMinimumHealthyHostValue",
    ),
    (
        "zones",
        {"trafficRoutingConfig": canary(), "zonalConfig": {"monitorDurationInSeconds": 1}},
        "InvalidZonalDeploymentConfiguration",
    ),
    ("platform", {"computePlatform": "Mainframe"}, "InvalidComputePlatform"),
]


@pytest.mark.parametrize(("given", "code"), [row[1:] for row in BAD_CONFIGS], ids=[row[0] for row in BAD_CONFIGS])
def test_configurations_that_are_refused(world: World, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        configure(world, **given)
    assert caught.value.code == f"{code}Exception"
    assert len(world.call("ListDeploymentConfigs")["deploymentConfigsList"]) == 17


def test_a_custom_configuration_counts_as_in_use(world: World) -> None:
    configure(world, computePlatform="Lambda", trafficRoutingConfig=canary())
    functions = made(world, "Lambda")
    update(functions, deploymentConfigName="mine")
    with pytest.raises(Refused) as caught:
        world.call("DeleteDeploymentConfig", deploymentConfigName="mine")
    assert caught.value.code == "DeploymentConfigInUseException"


@pytest.mark.parametrize(
    ("zones", "words"),
    [
        ({"monitorDurationInSeconds": -1}, "monitorDurationInSeconds"),
        ({"firstZoneMonitorDurationInSeconds": -1}, "firstZone"),
        ({"minimumHealthyHostsPerZone": {"type": "HOST_COUNT"}}, "'type' and 'value'"),
        ({"minimumHealthyHostsPerZone": {"type": "FLEET_PERCENT", "value": 100}}, "0 to 99"),
        ({"minimumHealthyHostsPerZone": {"type": "MOST", "value": 1}}, "HOST_COUNT"),
    ],
)
def test_zones_that_are_refused(world: World, zones: dict[str, Any], words: str) -> None:
    hosts = {"type": "HOST_COUNT", "value": 1}
    with pytest.raises(Refused, match=words) as caught:
        configure(world, computePlatform="Server", minimumHealthyHosts=hosts, zonalConfig=zones)
    assert caught.value.code == "InvalidZonalDeploymentConfigurationException"


@pytest.mark.parametrize(
    "zones",
    [
        {},
        {"monitorDurationInSeconds": 60},
        {
            "firstZoneMonitorDurationInSeconds": 0,
            "monitorDurationInSeconds": 3600,
            "minimumHealthyHostsPerZone": {"type": "HOST_COUNT", "value": 50},
        },
    ],
)
def test_zones_are_kept_as_given(world: World, zones: dict[str, Any]) -> None:
    hosts = {"type": "HOST_COUNT", "value": 300}
    configure(world, computePlatform="Server", minimumHealthyHosts=hosts, zonalConfig=zones)
    shown = world.call("GetDeploymentConfig", deploymentConfigName="mine")["deploymentConfigInfo"]
    assert (shown["zonalConfig"], shown["minimumHealthyHosts"]) == (zones, hosts)


def test_every_refusal_is_one_that_the_operation_models() -> None:
    for name, _, code in BAD_CONFIGS:
        assert f"{code}Exception" in modelled("CreateDeploymentConfig"), name
