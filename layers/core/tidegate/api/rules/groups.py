"""Deployment groups: what their settings must satisfy.

Errors come in a fixed order: what one call gives by itself (role, tags, Auto Scaling, balancers, ECS, triggers, alarms,
rollback), then what the application is and whether the configuration exists, then what fits together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.rules.balancers import check_balancers, check_balancers_fit
from tidegate.api.rules.common import check_alarms, check_auto_rollback
from tidegate.api.rules.ecs_services import check_services, check_services_fit
from tidegate.api.rules.scaling import check_auto_scaling_groups, check_suspended, check_suspended_fit
from tidegate.api.rules.selectors import check_selectors
from tidegate.api.rules.settings import platform_of
from tidegate.api.rules.styles import check_blue_green, check_style
from tidegate.api.rules.triggers import check_triggers, check_triggers_fit

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\x21-\x7e]{1,512}")
#: What only servers have, and what it is called to give it to another platform.
_SERVERS_ONLY: Final[Mapping[str, str]] = {
    "ec2TagFilters": "InvalidEC2TagException",
    "ec2TagSet": "InvalidEC2TagException",
    "onPremisesInstanceTagFilters": "InvalidTagException",
    "onPremisesTagSet": "InvalidTagException",
    "autoScalingGroups": "InvalidAutoScalingGroupException",
    "terminationHookEnabled": "InvalidAutoScalingGroupException",
    "ec2DeploymentOptions": "InvalidAutoScalingGroupProcessToSuspendException",
}


def check_given(given: Mapping[str, Any]) -> None:
    """Check what one call of CreateDeploymentGroup or UpdateDeploymentGroup gives, seen by itself."""
    if "serviceRoleArn" in given and not _ROLE.fullmatch(given["serviceRoleArn"]):
        message = f"'serviceRoleArn' must be the ARN of an IAM role; not {given['serviceRoleArn'][:80]!r}."
        raise ApiError("InvalidRoleException", message)
    check_selectors(given)
    check_auto_scaling_groups(given.get("autoScalingGroups") or ())
    check_suspended(given.get("ec2DeploymentOptions"))
    check_balancers(given.get("loadBalancerInfo"))
    check_services(given.get("ecsServices") or ())
    check_triggers(given.get("triggerConfigurations") or ())
    check_alarms("alarmConfiguration", given.get("alarmConfiguration"))
    check_auto_rollback(given.get("autoRollbackConfiguration"))


def check_settings(info: Mapping[str, Any]) -> None:
    """Check that the settings a group would have fit together."""
    platform = platform_of(info)
    if platform != "Server":
        _check_not_of_servers(info, platform)
    check_services_fit(info, platform)
    check_style(info["deploymentStyle"], platform)
    check_balancers_fit(info, platform)
    check_blue_green(info, platform)
    groups = info.get("autoScalingGroups") or ()
    check_suspended_fit(info.get("ec2DeploymentOptions"), info["deploymentStyle"], groups)
    check_triggers_fit(info.get("triggerConfigurations") or (), platform)


def check_config_fits(name: str, config_platform: str, platform: str) -> None:
    """A group's deployment configuration is one of its platform's."""
    if config_platform != platform:
        message = f"The deployment configuration '{name}' is for {config_platform}; this application is for {platform}."
        raise ApiError("InvalidTrafficRoutingConfigurationException", message)


def _check_not_of_servers(info: Mapping[str, Any], platform: str) -> None:
    for name, code in _SERVERS_ONLY.items():
        if info.get(name):
            raise ApiError(code, f"'{name}' is for servers; this application's platform is {platform}.")
    # UPDATE is what everybody has who does not choose, and some clients always send it.
    if info.get("outdatedInstancesStrategy", "UPDATE") != "UPDATE":
        message = f"'outdatedInstancesStrategy' is for servers; this application's platform is {platform}."
        raise ApiError("InvalidInputException", message)
