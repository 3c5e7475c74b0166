"""Revisions and deployments of platforms Lambda and ECS, through the door."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.api.platforms import ECS_GROUP, LAMBDA_APPSPEC, SHA, SHIFT, content, made, modelled
from tests.unit.api.world import Refused, World, s3


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


def test_every_refusal_is_one_that_the_operation_models() -> None:
    for name, _, code in BAD_DEPLOYMENTS:
        assert f"{code}Exception" in modelled("CreateDeployment"), name
