"""The settings of a deployment group after a call: what there was, with what was given in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.rules.balancers import kinds_of
from tidegate.api.rules.ecs_services import filled_services
from tidegate.api.rules.selectors import settle_selectors
from tidegate.api.rules.styles import BLUE_GREEN, filled_blue_green, filled_style
from tidegate.model.names import DEFAULT_CONFIGS

_NOT_SETTINGS: Final = ("tags", "currentDeploymentGroupName", "newDeploymentGroupName")
_DEFAULTS: Final[Mapping[str, Any]] = {
    "ec2TagFilters": [],
    "onPremisesInstanceTagFilters": [],
    "autoScalingGroups": [],
    "triggerConfigurations": [],
    "outdatedInstancesStrategy": "UPDATE",
    "terminationHookEnabled": False,
}
#: Given empty, these are cleared.
_CLEARED: Final = (BLUE_GREEN, "alarmConfiguration", "autoRollbackConfiguration", "ec2DeploymentOptions")


def platform_of(info: Mapping[str, Any]) -> str:
    """The compute platform of a group's settings; those recorded without one are for servers."""
    return str(info.get("computePlatform", "Server"))


def new_settings(given: Mapping[str, Any], platform: str) -> dict[str, Any]:
    """The settings of a new group."""
    defaults = {**_DEFAULTS, "deploymentConfigName": DEFAULT_CONFIGS[platform], "computePlatform": platform}
    return changed_settings(defaults, given)


def changed_settings(info: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings after a call: what is absent stays, what is empty clears (API: UpdateDeploymentGroup).

    Parameters
    ----------
    info
        The settings before.
    given
        The call's input, ``deploymentGroupName`` being the name the group has afterwards.
    """
    platform = platform_of(info)
    new = {**info, **{name: value for name, value in given.items() if name not in _NOT_SETTINGS}}
    new["deploymentStyle"] = filled_style(new.get("deploymentStyle"), platform)
    if new["deploymentStyle"]["deploymentType"] == "IN_PLACE" and BLUE_GREEN not in given:
        # Options of the style that the group had before; nobody asked for them now.
        new.pop(BLUE_GREEN, None)
    if new.get(BLUE_GREEN) or platform == "ECS":
        new[BLUE_GREEN] = filled_blue_green(new.get(BLUE_GREEN), platform)
    settle_selectors(new, given)
    if "ecsServices" in new:
        new["ecsServices"] = filled_services(new["ecsServices"])
    if not kinds_of(new.get("loadBalancerInfo")):
        new.pop("loadBalancerInfo", None)
    for name in _CLEARED:
        if not new.get(name):
            new.pop(name, None)
    return new
