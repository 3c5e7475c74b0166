"""Applications, groups, configurations, revisions and deployments of platforms Lambda and ECS, through the door."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from tests.unit.api.world import ROLE, Refused, World, s3

from tidegate.api.service_models import codedeploy

LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
SHIFT = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
TOPIC = "arn:aws:sns:us-east-1:123456789012:deployments"
PAIR = {"targetGroups": [{"name": "blue"}, {"name": "green"}], "prodTrafficRoute": {"listenerArns": [LISTENER]}}
ECS_GROUP: dict[str, Any] = {
    "ecsServices": [{"clusterName": "prod", "serviceName": "web"}],
    "loadBalancerInfo": {"targetGroupPairInfoList": [PAIR]},
}
LAMBDA_APPSPEC = """version: 0.0
Resources:
  - shop:
      Type: AWS::Lambda::Function
      Properties: {Name: shop, Alias: live, CurrentVersion: "1", TargetVersion: "2"}
"""
SHA = hashlib.sha256(LAMBDA_APPSPEC.encode()).hexdigest()


def made(world: World, platform: str) -> World:
    """An application ``shop`` with a group ``prod``, of a platform."""
    world.call("CreateApplication", applicationName="shop", computePlatform=platform)
    create(world, "prod", **(ECS_GROUP if platform == "ECS" else {}))
    return world


def create(world: World, name: str, **given: Any) -> None:
    world.call(
        "CreateDeploymentGroup",
        **{"applicationName": "shop", "deploymentGroupName": name, "serviceRoleArn": ROLE, **given},
    )


def update(world: World, **given: Any) -> None:
    world.call("UpdateDeploymentGroup", applicationName="shop", currentDeploymentGroupName="prod", **given)


def content(text: str = LAMBDA_APPSPEC, **more: str) -> dict[str, Any]:
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": text, **more}}


@pytest.fixture
def functions(world: World) -> World:
    return made(world, "Lambda")


@pytest.fixture
def services(world: World) -> World:
    return made(world, "ECS")


# --- groups


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


# --- configurations


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
        ({"minimumHealthyHostsPerZone": {"type": "HOST_COUNT", "value": 1}}, "not available in this version"),
    ],
)
def test_zones_are_checked_before_they_are_refused(world: World, zones: dict[str, Any], words: str) -> None:
    hosts = {"type": "HOST_COUNT", "value": 1}
    with pytest.raises(Refused, match=words) as caught:
        configure(world, computePlatform="Server", minimumHealthyHosts=hosts, zonalConfig=zones)
    assert caught.value.code == "InvalidZonalDeploymentConfigurationException"


# --- revisions


def test_a_text_is_known_by_its_sha256_and_comes_back_only_where_it_is_asked_for(functions: World) -> None:
    functions.call("RegisterApplicationRevision", applicationName="shop", revision=content())
    functions.call("RegisterApplicationRevision", applicationName="shop", revision=content(sha256=SHA.upper()))
    bare = {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": SHA}}
    answer = functions.call("GetApplicationRevision", applicationName="shop", revision=bare)
    assert answer["revision"] == content(sha256=SHA)
    listed = functions.call("ListApplicationRevisions", applicationName="shop")["revisions"]
    batch = functions.call("BatchGetApplicationRevisions", applicationName="shop", revisions=[bare])["revisions"]
    assert (listed, batch[0]["revisionLocation"]) == ([bare], bare)


BAD_REVISIONS: list[tuple[str, str, dict[str, Any], str]] = [
    ("Lambda", "wrong sha256", content(sha256="0" * 64), "is not that of the content"),
    ("Lambda", "no sha256", content(sha256="x"), "64 hexadecimal digits"),
    ("Lambda", "no text at all", {"revisionType": "AppSpecContent", "appSpecContent": {}}, "needs"),
    ("Lambda", "an empty text", content(""), "content' is missing"),
    ("Lambda", "too much text", content("x" * (256 * 1024 + 1)), "262144 bytes"),
    ("Lambda", "half a character", content("\ud800"), "UTF-8"),
    ("Lambda", "a server's archive", s3(bundleType="tar"), "YAML, JSON"),
    (
        "Lambda",
        "GitHub",
        {"revisionType": "GitHub", "gitHubLocation": {"repository": "a/b", "commitId": "a" * 40}},
        "takes revisions of type",
    ),
    ("ECS", "a raw text", {"revisionType": "String", "string": {"content": "x"}}, "takes revisions of type"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("platform", "revision", "words"),
    [(row[0], *row[2:]) for row in BAD_REVISIONS],
    ids=[f"{row[0]}: {row[1]}" for row in BAD_REVISIONS],
)
def test_revisions_that_are_refused(world: World, platform: str, revision: dict[str, Any], words: str) -> None:
    made(world, platform)
    for operation, more in (("RegisterApplicationRevision", {}), ("CreateDeployment", {"deploymentGroupName": "prod"})):
        with pytest.raises(Refused, match=words) as caught:
            world.call(operation, applicationName="shop", revision=revision, **more)
        assert caught.value.code == "InvalidRevisionException"
    assert world.call("ListApplicationRevisions", applicationName="shop")["revisions"] == []


def test_a_text_that_no_deployment_could_use_is_not_registered(functions: World) -> None:
    with pytest.raises(Refused, match="exactly one entry") as caught:
        functions.call("RegisterApplicationRevision", applicationName="shop", revision=content("version: 0.0"))
    assert caught.value.code == "InvalidRevisionException"


@pytest.mark.parametrize("kind", ["YAML", "JSON", "zip", "tgz"])
def test_appspecs_in_s3(functions: World, kind: str) -> None:
    location = {"revisionType": "S3", "s3Location": {"bucket": "releases", "key": "a", "bundleType": kind}}
    functions.call("RegisterApplicationRevision", applicationName="shop", revision=location)
    assert functions.call("ListApplicationRevisions", applicationName="shop")["revisions"] == [location]


# --- deployments


def test_a_lambda_deployment_as_clients_read_it(functions: World) -> None:
    deployment_id = functions.deploy(revision=content())
    info = functions.info(deployment_id)
    assert info["revision"] == {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": SHA}}
    assert (info["computePlatform"], info["deploymentStyle"]) == ("Lambda", SHIFT)
    assert info["deploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"
    assert functions.executions.started == [(deployment_id, 1)]
    registered = functions.call("GetApplicationRevision", applicationName="shop", revision=info["revision"])
    assert registered["revision"] == content(sha256=SHA)
    assert deployment_id in registered["revisionInfo"]["description"]
    item = functions.services.deployments.get(deployment_id)
    assert (item["trafficRouting"], "minimum" in item) == ({"type": "AllAtOnce"}, False)
    assert LAMBDA_APPSPEC not in json.dumps(item, default=str)


def test_an_ecs_deployment_as_clients_read_it(services: World) -> None:
    configuration = "CodeDeployDefault.ECSCanary10Percent5Minutes"
    deployment_id = services.deploy(revision=content("version: 0.0"), deploymentConfigName=configuration)
    info = services.info(deployment_id)
    assert (info["computePlatform"], info["deploymentConfigName"]) == ("ECS", configuration)
    assert info["loadBalancerInfo"] == ECS_GROUP["loadBalancerInfo"]
    assert info["blueGreenDeploymentConfiguration"]["deploymentReadyOption"]["waitTimeInMinutes"] == 0
    item = services.services.deployments.get(deployment_id)
    assert item["trafficRouting"]["timeBasedCanary"] == {"canaryPercentage": 10, "canaryInterval": 5}
    assert item["ecsServices"] == ECS_GROUP["ecsServices"]


def test_a_text_is_deployed_again_by_its_sha256(functions: World) -> None:
    bare = {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": SHA}}
    with pytest.raises(Refused) as caught:
        functions.deploy(revision=bare)
    assert caught.value.code == "RevisionDoesNotExistException"
    functions.end(functions.deploy(revision=content()))
    for revision in (bare, None):
        deployment_id = functions.deploy(revision=revision)
        assert functions.info(deployment_id)["revision"] == bare
        functions.end(deployment_id)
    answer = functions.call("GetApplicationRevision", applicationName="shop", revision=bare)
    assert answer["revision"] == content(sha256=SHA)


BAD_DEPLOYMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("outdated only", {"updateOutdatedInstancesOnly": True}, "InvalidUpdateOutdatedInstancesOnlyValue"),
    ("stop failures", {"ignoreApplicationStopFailures": True}, "InvalidIgnoreApplicationStopFailuresValue"),
    ("files", {"fileExistsBehavior": "OVERWRITE"}, "InvalidFileExistsBehavior"),
    ("target instances", {"targetInstances": {"autoScalingGroups": ["a"]}}, "InvalidTargetInstances"),
    (
        "processes",
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["Terminate"]}},
        "InvalidAutoScalingGroupProcessToSuspend",
    ),
    ("a server's configuration", {"deploymentConfigName": "CodeDeployDefault.AllAtOnce"}, "InvalidComputePlatform"),
    ("unknown configuration", {"deploymentConfigName": "mine"}, "DeploymentConfigDoesNotExist"),
    ("no revision", {"revision": None}, "RevisionRequired"),
    ("alarms", {"overrideAlarmConfiguration": {"enabled": True}}, "InvalidAlarmConfig"),
]


@pytest.mark.parametrize("platform", ["Lambda", "ECS"])
@pytest.mark.parametrize(
    ("given", "code"), [row[1:] for row in BAD_DEPLOYMENTS], ids=[row[0] for row in BAD_DEPLOYMENTS]
)
def test_deployments_that_are_refused_leave_nothing(
    world: World, platform: str, given: dict[str, Any], code: str
) -> None:
    made(world, platform)
    with pytest.raises(Refused) as caught:
        world.deploy(**{"revision": content(), **given})
    assert caught.value.code == f"{code}Exception"
    assert world.call("ListDeployments") == {"deployments": []}
    assert world.executions.started == []


def test_what_says_nothing_is_taken(functions: World) -> None:
    functions.deploy(
        revision=content(),
        updateOutdatedInstancesOnly=False,
        ignoreApplicationStopFailures=False,
        fileExistsBehavior="DISALLOW",
        targetInstances={},
        overrideAlarmConfiguration={"enabled": True, "alarms": [{"name": "a"}]},
    )


TARGETS: list[tuple[str, dict[str, Any]]] = [
    ("both ways", {"tagFilters": [{"Key": "k"}], "ec2TagSet": {"ec2TagSetList": [[{"Key": "k"}]]}}),
    ("eleven tags", {"tagFilters": [{"Key": "k"}] * 11}),
    ("a bad filter", {"tagFilters": [{"Type": "KEY_ONLY"}]}),
    ("a long key", {"tagFilters": [{"Key": "k" * 129}]}),
    ("an Auto Scaling group's name", {"autoScalingGroups": ["a:b"]}),
    ("in place", {"autoScalingGroups": ["a"]}),
]


@pytest.mark.parametrize("targets", [row[1] for row in TARGETS], ids=[row[0] for row in TARGETS])
def test_target_instances_of_servers(shop: World, targets: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        shop.deploy(targetInstances=targets)
    assert caught.value.code == "InvalidTargetInstancesException"


def test_a_deployment_of_one_target_is_asked_for_one(functions: World) -> None:
    deployment_id = functions.deploy(revision=content())
    with pytest.raises(Refused) as caught:
        functions.call("BatchGetDeploymentTargets", deploymentId=deployment_id, targetIds=["shop:live", "shop:dev"])
    assert caught.value.code == "DeploymentTargetListSizeExceededException"
    with pytest.raises(Refused) as caught:
        functions.call("GetDeploymentTarget", deploymentId=deployment_id, targetId="shop:live")
    assert caught.value.code == "DeploymentNotStartedException"


@pytest.mark.parametrize(
    ("platform", "operation", "code"),
    [
        ("Lambda", "ContinueDeployment", "UnsupportedActionForDeploymentType"),
        ("ECS", "ContinueDeployment", "DeploymentIsNotInReadyState"),
        ("Lambda", "SkipWaitTimeForInstanceTermination", "UnsupportedActionForDeploymentType"),
        ("ECS", "SkipWaitTimeForInstanceTermination", "UnsupportedActionForDeploymentType"),
    ],
)
def test_what_is_not_waiting_is_not_continued(world: World, platform: str, operation: str, code: str) -> None:
    made(world, platform)
    deployment_id = world.deploy(revision=content())
    with pytest.raises(Refused) as caught:
        world.call(operation, deploymentId=deployment_id)
    assert caught.value.code == f"{code}Exception"


def modelled(operation: str) -> set[str]:
    return {shape.name for shape in codedeploy().operation_model(operation).error_shapes}


def test_every_refusal_is_one_that_the_operation_models() -> None:
    for name, code in {(row[1], row[3]) for row in REFUSED}:
        for operation in ("CreateDeploymentGroup", "UpdateDeploymentGroup"):
            assert f"{code}Exception" in modelled(operation), name
    for name, _, code in BAD_CONFIGS:
        assert f"{code}Exception" in modelled("CreateDeploymentConfig"), name
    for name, _, code in BAD_DEPLOYMENTS:
        assert f"{code}Exception" in modelled("CreateDeployment"), name
