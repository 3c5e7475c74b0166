"""The deprecated reading of instances through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import Refused, World

ARN = "arn:aws:ec2:us-east-1:123456789012:instance"


@pytest.fixture
def deployment_id(shop: World) -> str:
    found = shop.deploy()
    shop.fleet(found, {"i-3": "Succeeded", "i-1": "InProgress", "i-2": None})
    return found


def listed(world: World, deployment_id: str, **given: Any) -> list[str]:
    found: list[str] = world.call("ListDeploymentInstances", deploymentId=deployment_id, **given)["instancesList"]
    return found


@pytest.mark.parametrize("name", ["i-1", f"{ARN}/i-1"])
def test_an_instance_by_id_or_arn(shop: World, deployment_id: str, name: str) -> None:
    found = shop.call("GetDeploymentInstance", deploymentId=deployment_id, instanceId=name)["instanceSummary"]
    assert found["instanceId"] == f"{ARN}/i-1"
    assert (found["deploymentId"], found["status"]) == (deployment_id, "InProgress")
    assert [event["lifecycleEventName"] for event in found["lifecycleEvents"]] == ["ApplicationStop", "Install"]
    assert "instanceType" not in found


def test_an_instance_shows_what_its_host_tells(shop: World, deployment_id: str) -> None:
    shop.progress[deployment_id, "i-1"] = {"events": [["ApplicationStop", "Succeeded", 1764000002, 1764000003]]}
    found = shop.call("GetDeploymentInstance", deploymentId=deployment_id, instanceId="i-1")["instanceSummary"]
    assert [event["status"] for event in found["lifecycleEvents"]] == ["Succeeded", "Pending"]


def test_a_batch_tells_which_it_does_not_know(shop: World, deployment_id: str) -> None:
    given = {"deploymentId": deployment_id, "instanceIds": ["i-2", "i-9", "i-3", "i-2"]}
    found = shop.call("BatchGetDeploymentInstances", **given)
    assert [each["instanceId"] for each in found["instancesSummary"]] == [f"{ARN}/i-2", f"{ARN}/i-3"]
    assert [each["status"] for each in found["instancesSummary"]] == ["Pending", "Succeeded"]
    assert found["errorMessage"] == "Not part of the deployment: i-9."
    given["instanceIds"] = ["i-3"]
    assert "errorMessage" not in shop.call("BatchGetDeploymentInstances", **given)


def test_instances_are_listed_by_bare_id_in_the_order_of_the_fleet(shop: World, deployment_id: str) -> None:
    assert listed(shop, deployment_id) == ["i-3", "i-1", "i-2"]
    assert listed(shop, deployment_id, instanceStatusFilter=["Pending", "Succeeded"]) == ["i-3", "i-2"]
    assert listed(shop, deployment_id, instanceTypeFilter=[]) == ["i-3", "i-1", "i-2"]


def test_pages_of_instances(shop: World) -> None:
    deployment_id = shop.deploy()
    fleet = {f"i-{number:03}": None for number in range(150)}
    shop.fleet(deployment_id, fleet)
    first = shop.call("ListDeploymentInstances", deploymentId=deployment_id)
    rest = listed(shop, deployment_id, nextToken=first["nextToken"])
    assert (len(first["instancesList"]), first["instancesList"] + rest) == (100, list(fleet))


def test_before_the_deployment_has_started(shop: World) -> None:
    deployment_id = shop.deploy()
    with pytest.raises(Refused) as caught:
        listed(shop, deployment_id)
    assert caught.value.code == "DeploymentNotStartedException"
    # The other two model no such error: nothing is part of the deployment yet.
    with pytest.raises(Refused) as caught:
        shop.call("GetDeploymentInstance", deploymentId=deployment_id, instanceId="i-1")
    assert caught.value.code == "InstanceDoesNotExistException"
    found = shop.call("BatchGetDeploymentInstances", deploymentId=deployment_id, instanceIds=["i-1"])
    assert (found["instancesSummary"], found["errorMessage"]) == ([], "Not part of the deployment: i-1.")


@pytest.mark.parametrize("platform", ["Lambda", "ECS"])
def test_other_platforms_have_no_instances(shop: World, deployment_id: str, platform: str) -> None:
    shop.services.deployments.amend(deployment_id, {"computePlatform": platform})
    for operation, given in (
        ("GetDeploymentInstance", {"instanceId": "i-1"}),
        ("BatchGetDeploymentInstances", {"instanceIds": ["i-1"]}),
        ("ListDeploymentInstances", {}),
    ):
        with pytest.raises(Refused, match=platform) as caught:
            shop.call(operation, deploymentId=deployment_id, **given)
        assert caught.value.code == "InvalidComputePlatformException"
