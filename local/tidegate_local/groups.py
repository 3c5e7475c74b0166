"""The Auto Scaling groups that a local cloud is started with, to try them out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from tidegate_local.adapters.ssm import OPT_IN_TAG
from tidegate_local.limits import MOST_HOSTS

_ZONES = ("a", "b")
_SECONDS = 60.0


def make_groups(client: Callable[[str], Any], region: str, wanted: Mapping[str, int], tags: Mapping[str, str]) -> None:
    """Make Auto Scaling groups in two zones, each with a launch template of its name, and wait for their instances.

    Parameters
    ----------
    client
        Makes the administrator's client of a service.
    wanted
        How many instances each group begins with.
    tags
        What their instances carry, besides the opt-in tag.

    Raises
    ------
    RuntimeError
        When the instances do not come into service.
    """
    for name, number in wanted.items():
        data = {"ImageId": "ami-00000000000000001", "InstanceType": "t3.micro"}
        client("ec2").create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
        client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=MOST_HOSTS,
            DesiredCapacity=number,
            LaunchTemplate={"LaunchTemplateName": name, "Version": "$Default"},
            AvailabilityZones=[f"{region}{zone}" for zone in _ZONES],
            Tags=[
                {"Key": key, "Value": value, "PropagateAtLaunch": True}
                for key, value in {OPT_IN_TAG: "true", **tags}.items()
            ],
        )
    until = time.monotonic() + _SECONDS
    for name, number in wanted.items():
        while (serving := _in_service(client("autoscaling"), name)) < number:
            if time.monotonic() > until:
                raise RuntimeError(f"of {number} instances of Auto Scaling group {name} {serving} came into service")
            time.sleep(0.05)


def _in_service(autoscaling: Any, name: str) -> int:
    (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return sum(each["LifecycleState"] == "InService" for each in group["Instances"])
