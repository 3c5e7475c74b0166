"""A deployment group of a test whose targets are the instances of an Auto Scaling group."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.local.deployments.conftest import TERMINAL, Cloud, Group, made_group

from tidegate_local.control import running

T = TypeVar("T")
_GATE = """#!/bin/sh
touch /var/tmp/waits
while ! test -s /var/tmp/verdict; do sleep 0.1; done
exit "$(cat /var/tmp/verdict)"
"""
ZONES = ["us-east-1a", "us-east-1b"]


def eventually(look: Callable[[], T | None], seconds: float = 60, say: Callable[[], Any] = lambda: "") -> T:
    """Look until something is seen; the bound only ends a test that has failed."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"not seen within {seconds} s: {say()}"
        time.sleep(0.1)
    return seen


def make_scaling_group(cloud: Cloud, name: str, desired: int, **options: Any) -> None:
    """An Auto Scaling group with a launch template of its name, whose instances may be deployed to."""
    cloud.client("ec2").create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": "ami-00000000000000001", "InstanceType": "t3.micro"}
    )
    cloud.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=6,
        DesiredCapacity=desired,
        LaunchTemplate={"LaunchTemplateName": name},
        AvailabilityZones=ZONES,
        Tags=[{"Key": "tidegate:managed", "Value": "true", "PropagateAtLaunch": True}],
        **options,
    )


@dataclass
class Scaled:
    """The deployment group, and the Auto Scaling group of the same name."""

    cloud: Cloud
    name: str
    group: Group

    @property
    def scaling(self) -> Any:
        return self.cloud.client("autoscaling")

    def states(self) -> dict[str, str]:
        """The state of each instance by its id."""
        (found,) = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        return {each["InstanceId"]: each["LifecycleState"] for each in found["Instances"]}

    def in_service(self, number: int, seconds: float = 60) -> list[str]:
        """Wait until exactly that many are in service and nothing else is there; their host names."""
        wanted = ["InService"] * number
        eventually(lambda: list(self.states().values()) == wanted, seconds, lambda: (self.states(), self.told()))
        return self.hosts()

    def hosts(self) -> list[str]:
        """The host names of the group's instances, which the deployment group then knows too."""
        here = self.states()
        # Those that a command can be run in: the page tells of a host a moment before.
        self.group.hosts = [host for host in running(self.cloud.folder).hosts if host["id"] in here]
        return self.group.names

    def desire(self, number: int) -> None:
        """Scale out or in."""
        self.scaling.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=number)

    def newcomer(self, known: list[str]) -> str:
        """Wait for a host that is none of the known ones; its name."""
        return eventually(
            lambda: next((each for each in self.hosts() if each not in known), ""), say=lambda: (known, self.states())
        )

    def gate(self, host: str, verdict: int) -> None:
        """Let the script of `gated` go on in a host, with that exit status."""
        done = self.cloud.run(host, "sh", "-c", f"echo {verdict} > /var/tmp/verdict")
        assert done.returncode == 0, done.stderr

    def gated(self, content: str, event: str = "AfterInstall", timeout: int = 60) -> dict[str, Any]:
        """A revision whose script waits until `gate` opens for it."""
        hooks = f"hooks:\n  {event}:\n    - location: gate.sh\n      timeout: {timeout}\n"
        return self.group.push(content, hooks, {"gate.sh": _GATE})

    def deployments(self, creator: str) -> list[dict[str, Any]]:
        """The group's deployments of some creator, the oldest first."""
        codedeploy = self.cloud.client("codedeploy")
        pages = codedeploy.get_paginator("list_deployments").paginate(
            applicationName=self.name, deploymentGroupName="group"
        )
        ids = [each for page in pages for each in page["deployments"]]
        found = [dict(codedeploy.get_deployment(deploymentId=each)["deploymentInfo"]) for each in ids]
        return sorted((each for each in found if each["creator"] == creator), key=lambda each: each["createTime"])

    def ended(self, creator: str, number: int = 1, seconds: float = 60) -> list[dict[str, Any]]:
        """Wait until that many deployments of some creator have ended."""

        def look() -> list[dict[str, Any]]:
            found = [each for each in self.deployments(creator) if each["status"] in TERMINAL]
            return found if len(found) >= number else []

        return eventually(look, seconds, self.told)

    def told(self) -> list[Any]:
        """All deployments, for a test that fails."""
        codedeploy = self.cloud.client("codedeploy")
        ids = codedeploy.list_deployments(applicationName=self.name, deploymentGroupName="group")["deployments"]
        infos = [codedeploy.get_deployment(deploymentId=each)["deploymentInfo"] for each in ids]
        return [
            (i["creator"], i["status"], i.get("errorInformation"), self.group.reasons(i["deploymentId"])) for i in infos
        ]


def scaled_fleet(cloud: Cloud, name: str, desired: int, **options: Any) -> Scaled:
    """Both groups, once the instances are in service."""
    make_scaling_group(cloud, name, desired)
    made = Scaled(cloud, name, made_group(cloud, name, 0, autoScalingGroups=[name], **options))
    made.in_service(desired)
    return made


def end_scaling_group(cloud: Cloud, name: str) -> None:
    """Take all its instances away, and it."""
    scaling = cloud.client("autoscaling")
    found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    if found:
        scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        eventually(lambda: not scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"])
