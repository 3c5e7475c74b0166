"""Deployment groups of platforms Lambda and ECS, through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.platforms import ECS_GROUP, PAIR, SHIFT, TOPIC, create, made, modelled, update
from tests.unit.api.world import ROLE, Refused, World


def test_a_lambda_group_comes_back_with_its_platforms_defaults(functions: World) -> None:
    info = functions.group_info()
    assert (info["computePlatform"], info["deploymentStyle"]) == ("Lambda", SHIFT)
    assert info["deploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"
    assert "blueGreenDeploymentConfiguration" not in info


def test_an_ecs_group_has_all_that_clients_read_without_looking(services: World) -> None:
    """``aws ecs deploy`` takes the service, the cluster and both waits as there."""
    info = services.group_info()
    assert (info["computePlatform"], info["deploymentStyle"]) == ("ECS", SHIFT)
    assert info["deploymentConfigName"] == "CodeDeployDefault.ECSAllAtOnce"
    assert info["ecsServices"] == ECS_GROUP["ecsServices"]
    assert info["loadBalancerInfo"] == ECS_GROUP["loadBalancerInfo"]
    assert info["blueGreenDeploymentConfiguration"] == {
        "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0},
        "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0},
    }
    batch = services.call("BatchGetDeploymentGroups", applicationName="shop", deploymentGroupNames=["prod"])
    assert batch["deploymentGroupsInfo"] == [info]


def test_options_that_an_ecs_group_is_given_stay(services: World) -> None:
    options = {
        "deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 7200},
        "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 2880},
    }
    update(services, blueGreenDeploymentConfiguration=options)
    update(services, serviceRoleArn=ROLE)
    assert services.group_info()["blueGreenDeploymentConfiguration"] == options


@pytest.mark.parametrize(
    "given",
    [
        {"outdatedInstancesStrategy": "UPDATE", "terminationHookEnabled": False, "ec2TagFilters": []},
        {"deploymentStyle": SHIFT, "autoScalingGroups": [], "loadBalancerInfo": {}},
        {"alarmConfiguration": {"enabled": True, "alarms": [{"name": "errors"}]}},
        {"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]}},
        {
            "triggerConfigurations": [
                {"triggerName": "t", "triggerTargetArn": TOPIC, "triggerEvents": ["DeploymentFailure"]}
            ]
        },
    ],
)
def test_what_clients_always_send_and_what_any_platform_has_is_taken(functions: World, given: dict[str, Any]) -> None:
    create(functions, "g", **given)
    assert functions.group_info("g")["computePlatform"] == "Lambda"


SERVERS_ONLY: list[tuple[str, dict[str, Any], str]] = [
    ("tags", {"ec2TagFilters": [{"Key": "k"}]}, "InvalidEC2Tag"),
    ("tag sets", {"ec2TagSet": {"ec2TagSetList": [[{"Key": "k"}]]}}, "InvalidEC2Tag"),
    ("on-premises tags", {"onPremisesInstanceTagFilters": [{"Key": "k"}]}, "InvalidTag"),
    ("on-premises tag sets", {"onPremisesTagSet": {"onPremisesTagSetList": [[{"Key": "k"}]]}}, "InvalidTag"),
    ("Auto Scaling", {"autoScalingGroups": ["a"]}, "InvalidAutoScalingGroup"),
    ("termination hook", {"terminationHookEnabled": True}, "InvalidAutoScalingGroup"),
    (
        "processes",
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["Terminate"]}},
        "InvalidAutoScalingGroupProcessToSuspend",
    ),
    ("outdated instances", {"outdatedInstancesStrategy": "IGNORE"}, "InvalidInput"),
    ("in place", {"deploymentStyle": {"deploymentType": "IN_PLACE"}}, "InvalidDeploymentStyle"),
    ("no control", {"deploymentStyle": {"deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}}, "InvalidDeploymentStyle"),
    (
        "instance events",
        {
            "triggerConfigurations": [
                {"triggerName": "t", "triggerTargetArn": TOPIC, "triggerEvents": ["InstanceStart"]}
            ]
        },
        "InvalidTriggerConfig",
    ),
    (
        "a server's configuration",
        {"deploymentConfigName": "CodeDeployDefault.AllAtOnce"},
        "InvalidTrafficRoutingConfiguration",
    ),
]
OF_LAMBDA = [
    ("a balancer", {"loadBalancerInfo": {"elbInfoList": [{"name": "a"}]}}, "InvalidLoadBalancerInfo"),
    ("a pair", {"loadBalancerInfo": {"targetGroupPairInfoList": [PAIR]}}, "InvalidLoadBalancerInfo"),
    ("an ECS service", {"ecsServices": [{"serviceName": "web"}]}, "InvalidECSService"),
    (
        "blue/green options",
        {"blueGreenDeploymentConfiguration": {"deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}}},
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "ECS' configuration",
        {"deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce"},
        "InvalidTrafficRoutingConfiguration",
    ),
]


def options(ready: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"blueGreenDeploymentConfiguration": ({"deploymentReadyOption": ready} if ready else {}) | more}


OF_ECS = [
    ("no service", {"ecsServices": []}, "InvalidECSService"),
    ("two services", {"ecsServices": [{"serviceName": "a"}, {"serviceName": "b"}]}, "InvalidECSService"),
    ("a service without a name", {"ecsServices": [{"clusterName": "prod"}]}, "InvalidECSService"),
    ("a service's name", {"ecsServices": [{"serviceName": "a b"}]}, "InvalidECSService"),
    ("a cluster's name", {"ecsServices": [{"serviceName": "a", "clusterName": "a/b"}]}, "InvalidECSService"),
    ("no balancer", {"loadBalancerInfo": {}}, "InvalidLoadBalancerInfo"),
    ("a server's balancer", {"loadBalancerInfo": {"targetGroupInfoList": [{"name": "a"}]}}, "InvalidLoadBalancerInfo"),
    (
        "three target groups",
        {"loadBalancerInfo": {"targetGroupPairInfoList": [{**PAIR, "targetGroups": [{"name": n} for n in "abc"]}]}},
        "InvalidTargetGroupPair",
    ),
    (
        "kept alive",
        options(terminateBlueInstancesOnDeploymentSuccess={"action": "KEEP_ALIVE"}),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "provisioning",
        options(greenFleetProvisioningOption={"action": "DISCOVER_EXISTING"}),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "more than five days",
        options({"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 7201}),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "Lambda's configuration",
        {"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"},
        "InvalidTrafficRoutingConfiguration",
    ),
]
REFUSED = [("Lambda", *row) for row in SERVERS_ONLY + OF_LAMBDA] + [("ECS", *row) for row in SERVERS_ONLY + OF_ECS]


@pytest.mark.parametrize(
    ("platform", "given", "code"),
    [(row[0], *row[2:]) for row in REFUSED],
    ids=[f"{row[0]}: {row[1]}" for row in REFUSED],
)
def test_settings_that_a_platform_does_not_have(world: World, platform: str, given: dict[str, Any], code: str) -> None:
    made(world, platform)
    before = world.group_info()
    other = {"ecsServices": [{"serviceName": "other"}]} if platform == "ECS" else {}
    with pytest.raises(Refused) as caught:
        create(world, "g", **((ECS_GROUP | other) if platform == "ECS" else {}) | given)
    assert caught.value.code == f"{code}Exception"
    with pytest.raises(Refused) as caught:
        update(world, **given)
    assert caught.value.code == f"{code}Exception"
    assert world.group_info() == before
    assert world.call("ListDeploymentGroups", applicationName="shop")["deploymentGroups"] == ["prod"]


def test_a_service_belongs_to_one_group(services: World) -> None:
    arn = {"serviceName": "arn:aws:ecs:us-east-1:123456789012:service/prod/web"}
    for same in (ECS_GROUP["ecsServices"][0], arn):
        with pytest.raises(Refused, match="prod:web") as caught:
            create(services, "g", **ECS_GROUP | {"ecsServices": [same]})
        assert caught.value.code == "ECSServiceMappingLimitExceededException"
    create(services, "g", **ECS_GROUP | {"ecsServices": [{"serviceName": "web"}]})
    assert services.group_info("g")["ecsServices"] == [{"serviceName": "web", "clusterName": "default"}]
    with pytest.raises(Refused) as caught:
        update(services, ecsServices=[{"serviceName": "web"}])
    assert caught.value.code == "ECSServiceMappingLimitExceededException"
    update(services, ecsServices=[{"serviceName": "api"}], newDeploymentGroupName="renamed")
    services.call("DeleteDeploymentGroup", applicationName="shop", deploymentGroupName="g")
    for name in ("web", "web2"):
        cluster = "default" if name == "web" else "prod"
        create(services, name, **ECS_GROUP | {"ecsServices": [{"serviceName": "web", "clusterName": cluster}]})
    services.call("DeleteApplication", applicationName="shop")
    made(services, "ECS")


def test_every_refusal_is_one_that_both_operations_model() -> None:
    for name, code in {(row[1], row[3]) for row in REFUSED}:
        for operation in ("CreateDeploymentGroup", "UpdateDeploymentGroup"):
            assert f"{code}Exception" in modelled(operation), name
