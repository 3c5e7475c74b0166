"""Deployment style and blue/green options (API: DeploymentStyle, BlueGreenDeploymentConfiguration)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.errors import ApiError

IN_PLACE: Final = {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}
SHIFTING: Final = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
BLUE_GREEN: Final = "blueGreenDeploymentConfiguration"

_BAD: Final = "InvalidBlueGreenDeploymentConfigurationException"
_TERMINATE: Final = "terminateBlueInstancesOnDeploymentSuccess"
_READY: Final = "deploymentReadyOption"
_PROVISION: Final = "greenFleetProvisioningOption"
_LONGEST_TERMINATION: Final = 2880
_LONGEST_READY: Final[Mapping[str, int]] = {"Server": 2880, "ECS": 7200}


def filled_style(style: Mapping[str, str] | None, platform: str) -> dict[str, str]:
    """A style with what was left out: for Lambda and ECS, and with BLUE_GREEN, only one thing can be meant.

    >>> filled_style({"deploymentType": "BLUE_GREEN"}, "Server")["deploymentOption"]
    'WITH_TRAFFIC_CONTROL'
    """
    given = style or {}
    shifts = platform != "Server" or given.get("deploymentType") == "BLUE_GREEN"
    return {**(SHIFTING if shifts else IN_PLACE), **given}


def filled_blue_green(configuration: Mapping[str, Any] | None, platform: str) -> dict[str, Any]:
    """Blue/green options with what was left out. Clients read an ECS group's waits without looking whether they are
    there.
    """
    found = {name: dict(part) for name, part in (configuration or {}).items()}
    if platform == "ECS":
        ready, terminate = found.setdefault(_READY, {}), found.setdefault(_TERMINATE, {})
        ready.setdefault("actionOnTimeout", "CONTINUE_DEPLOYMENT")
        terminate.setdefault("action", "TERMINATE")
    if found.get(_READY, {}).get("actionOnTimeout") == "CONTINUE_DEPLOYMENT":
        found[_READY].setdefault("waitTimeInMinutes", 0)
    if found.get(_TERMINATE, {}).get("action") == "TERMINATE":
        found[_TERMINATE].setdefault("terminationWaitTimeInMinutes", 0)
    return found


def check_style(style: Mapping[str, str], platform: str) -> None:
    """Check a filled style: BLUE_GREEN goes with traffic control, and is all that Lambda and ECS have."""
    if platform != "Server" and style != SHIFTING:
        message = (
            f"A deployment group of platform {platform} has the style BLUE_GREEN, WITH_TRAFFIC_CONTROL; "
            f"not {style['deploymentType']}, {style['deploymentOption']}."
        )
        raise ApiError("InvalidDeploymentStyleException", message)
    if style["deploymentType"] == "BLUE_GREEN" and style != SHIFTING:
        message = "Blue/green deployments move traffic: give 'deploymentOption' the value WITH_TRAFFIC_CONTROL."
        raise ApiError("InvalidDeploymentStyleException", message)


def check_blue_green(info: Mapping[str, Any], platform: str) -> None:
    """Check a group's blue/green options against its style, its platform and its Auto Scaling groups.

    Parameters
    ----------
    info
        The group's settings, style and options filled.
    """
    found: Mapping[str, Mapping[str, Any]] = info.get(BLUE_GREEN) or {}
    if platform == "Lambda" or info["deploymentStyle"]["deploymentType"] == "IN_PLACE":
        if found:
            of = "AWS Lambda" if platform == "Lambda" else "in-place deployments"
            raise ApiError(_BAD, f"'{BLUE_GREEN}' is not for {of}; leave it out.")
        return
    if platform == "ECS":
        _check_for_ecs(found)
    else:
        _check_for_servers(found, len(info.get("autoScalingGroups") or ()))
    _check_ready(found[_READY], _LONGEST_READY[platform])
    wait = found[_TERMINATE].get("terminationWaitTimeInMinutes", 0)
    if not 0 <= wait <= _LONGEST_TERMINATION:
        raise ApiError(_BAD, f"'{_TERMINATE}.terminationWaitTimeInMinutes' must be 0 to 2880; not {wait}.")


def _check_for_ecs(found: Mapping[str, Mapping[str, Any]]) -> None:
    if found.get(_PROVISION):
        raise ApiError(_BAD, f"'{_PROVISION}' is for instances; an Amazon ECS service provisions its own tasks.")
    if found[_TERMINATE]["action"] != "TERMINATE":
        raise ApiError(_BAD, f"'{_TERMINATE}.action' must be TERMINATE for Amazon ECS: the original tasks are deleted.")


def _check_for_servers(found: Mapping[str, Mapping[str, Any]], auto_scaling_groups: int) -> None:
    for part, member in ((_TERMINATE, "action"), (_READY, "actionOnTimeout"), (_PROVISION, "action")):
        if not found.get(part, {}).get(member):
            raise ApiError(_BAD, f"Blue/green deployments need '{BLUE_GREEN}.{part}.{member}'.")
    if found[_PROVISION]["action"] == "COPY_AUTO_SCALING_GROUP" and auto_scaling_groups != 1:
        message = f"COPY_AUTO_SCALING_GROUP needs exactly one Auto Scaling group; there are {auto_scaling_groups}."
        raise ApiError(_BAD, message)


def _check_ready(ready: Mapping[str, Any], longest: int) -> None:
    wait = ready.get("waitTimeInMinutes")
    if ready["actionOnTimeout"] == "CONTINUE_DEPLOYMENT" and wait:
        message = (
            f"'{_READY}.waitTimeInMinutes' is for STOP_DEPLOYMENT; CONTINUE_DEPLOYMENT does not wait {wait} minutes."
        )
        raise ApiError(_BAD, message)
    if ready["actionOnTimeout"] == "STOP_DEPLOYMENT" and (wait is None or not 1 <= wait <= longest):
        message = f"STOP_DEPLOYMENT needs '{_READY}.waitTimeInMinutes' of 1 to {longest}; not {wait}."
        raise ApiError(_BAD, message)
