"""Auto Scaling groups whose instances are deployed to as they come, and before they go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from tests.local.deployments.conftest import TERMINAL, Cloud, Group

from tidegate_local.control import running

pytestmark = pytest.mark.local
T = TypeVar("T")


def eventually(look: Callable[[], T | None], seconds: float = 90) -> T:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s")


class Scaled:
    """An Auto Scaling group."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud, self.name, self.api = cloud, name, cloud.client("autoscaling")

    def create(self, desired: int) -> None:
        template = {"ImageId": "ami-00000000000000001", "InstanceType": "t3.micro"}
        self.cloud.client("ec2").create_launch_template(LaunchTemplateName=self.name, LaunchTemplateData=template)
        self.api.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            MinSize=0,
            MaxSize=3,
            DesiredCapacity=desired,
            LaunchTemplate={"LaunchTemplateName": self.name, "Version": "$Latest"},
            AvailabilityZones=["us-east-1a"],
            Tags=[{"Key": "tidegate:managed", "Value": "true", "PropagateAtLaunch": True}],
        )

    def states(self) -> dict[str, str]:
        (group,) = self.api.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        return {each["InstanceId"]: each["LifecycleState"] for each in group["Instances"]}

    def in_service(self, number: int) -> list[str]:
        def look() -> list[str] | None:
            states = self.states()
            there = len(states) == number and set(states.values()) <= {"InService"}
            return sorted(states) if there else None

        return eventually(look)

    def desire(self, number: int) -> None:
        self.api.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=number)

    def hooks(self) -> dict[str, str]:
        found = self.api.describe_lifecycle_hooks(AutoScalingGroupName=self.name)["LifecycleHooks"]
        return {each["LifecycleHookName"]: each["LifecycleTransition"] for each in found}

    def host(self, instance_id: str) -> str:
        return str(next(one["name"] for one in running(self.cloud.folder).hosts if one["id"] == instance_id))


@pytest.fixture
def web(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[Scaled]:
    name = request.node.name.removeprefix("test_")[:40]
    scaled = Scaled(cloud, name)
    yield scaled
    if scaled.api.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]:
        scaled.api.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def made_by(group: Group, creator: str) -> list[dict[str, Any]]:
    """The ended deployments of the group with a creator, the latest first."""
    ids = group.codedeploy.list_deployments(applicationName=group.name, deploymentGroupName="group")["deployments"]
    found = [group.codedeploy.get_deployment(deploymentId=each)["deploymentInfo"] for each in ids]
    return [each for each in found if each["creator"] == creator and each["status"] in TERMINAL]


def test_instances_come_with_the_revision_and_go_when_it_is_stopped(group: Callable[..., Group], web: Scaled) -> None:
    web.create(1)
    (first,) = web.in_service(1)
    shop = group(0, autoScalingGroups=[web.name], terminationHookEnabled=True)
    assert sorted(web.hooks().values()) == [
        "autoscaling:EC2_INSTANCE_LAUNCHING",
        "autoscaling:EC2_INSTANCE_TERMINATING",
    ]
    assert shop.wait(shop.deploy(shop.push("one")))["status"] == "Succeeded"

    web.desire(2)
    (new,) = set(web.in_service(2)) - {first}
    assert web.cloud.read(web.host(new), f"/srv/{shop.name}/file.txt") == "one"
    (launch,) = eventually(lambda: made_by(shop, "autoscaling") or None)
    assert (launch["status"], launch["deploymentConfigName"]) == ("Succeeded", "CodeDeployDefault.OneAtATime")

    web.desire(1)
    (leave,) = eventually(lambda: made_by(shop, "autoscalingTermination") or None)
    assert leave["status"] == "Succeeded"
    target = shop.codedeploy.list_deployment_targets(deploymentId=leave["deploymentId"])["targetIds"]
    web.in_service(1)
    assert not set(target) & set(web.states())

    shop.codedeploy.delete_deployment_group(applicationName=shop.name, deploymentGroupName="group")
    assert web.hooks() == {}


def test_an_instance_that_cannot_be_deployed_to_is_abandoned(group: Callable[..., Group], web: Scaled) -> None:
    web.create(1)
    (first,) = web.in_service(1)
    shop = group(0, autoScalingGroups=[web.name])
    web.cloud.run(web.host(first), "touch", "/var/tmp/good")
    hooks = "hooks:\n  ValidateService:\n    - location: check.sh\n      timeout: 20\n"
    revision = shop.push("one", hooks, {"check.sh": "#!/bin/sh\ntest -e /var/tmp/good\n"})
    assert shop.wait(shop.deploy(revision))["status"] == "Succeeded"

    web.desire(2)
    launch = eventually(lambda: made_by(shop, "autoscaling") or None)[-1]
    assert launch["status"] == "Failed"
    (target,) = shop.codedeploy.list_deployment_targets(deploymentId=launch["deploymentId"])["targetIds"]
    web.desire(1)
    eventually(lambda: None if target in web.states() else True)
    assert web.states()[first] == "InService"


def test_a_lost_event_is_found_by_the_sweep(group: Callable[..., Group], web: Scaled) -> None:
    web.create(0)
    shop = group(1, autoScalingGroups=[web.name])
    assert shop.wait(shop.deploy(shop.push("one")))["status"] == "Succeeded"
    web.cloud.page("faults", {"events": {"lose": 1.0}})
    web.desire(1)
    eventually(lambda: True if "Pending:Wait" in web.states().values() else None)
    web.cloud.client("lambda").invoke(FunctionName=sweep(web.cloud), Payload=b"{}")
    (new,) = web.in_service(1)
    web.cloud.page("faults", {"events": {}})
    assert web.cloud.read(web.host(new), f"/srv/{shop.name}/file.txt") == "one"


def sweep(cloud: Cloud) -> str:
    """The name of the function that sweeps."""
    names = [each["FunctionName"] for each in cloud.client("lambda").list_functions()["Functions"]]
    return str(next(name for name in names if "SweepDeployments" in name))
