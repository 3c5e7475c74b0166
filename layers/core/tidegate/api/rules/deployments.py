"""What a new deployment must satisfy (API: CreateDeployment).

Errors come in a fixed order: what the call gives by itself, then application and group, then what fits the group, then
the revision, then the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.rules.common import check_alarms, check_auto_rollback, check_description
from tidegate.api.rules.restart import check_restart, is_restart
from tidegate.api.rules.scaling import check_auto_scaling_groups, check_suspended, check_suspended_fit
from tidegate.api.rules.selectors import check_filters, lists_of
from tidegate.api.rules.settings import platform_of

_TARGETS: Final = "InvalidTargetInstancesException"
_OUTDATED: Final = "InvalidUpdateOutdatedInstancesOnlyValueException"
_MOST_TAGS: Final = 10


def check_new(given: Mapping[str, Any]) -> None:
    """Check what one call of CreateDeployment gives, seen by itself."""
    check_description(given.get("description"))
    check_auto_rollback(given.get("autoRollbackConfiguration"))
    check_alarms("overrideAlarmConfiguration", given.get("overrideAlarmConfiguration"))
    check_suspended(given.get("ec2DeploymentOptions"))
    if is_restart(given):
        check_restart(given)
    _check_target_instances(given.get("targetInstances") or {})


def check_fits_group(given: Mapping[str, Any], info: Mapping[str, Any]) -> None:
    """Check what one call gives against the settings of its group."""
    platform = platform_of(info)
    if platform == "Server":
        _check_for_servers(given, info)
    else:
        _check_for_others(given, platform)


def check_config_fits(config: Mapping[str, Any], platform: str, style: Mapping[str, str]) -> None:
    """A deployment's configuration is one of its platform's, and goes by zones in place only (API: ZonalConfig)."""
    if config["computePlatform"] != platform:
        message = (
            f"The deployment configuration '{config['deploymentConfigName']}' is for {config['computePlatform']}; "
            f"this deployment is for {platform}."
        )
        raise ApiError("InvalidComputePlatformException", message)
    if "zonalConfig" in config and style["deploymentType"] == "BLUE_GREEN":
        message = (
            f"The deployment configuration '{config['deploymentConfigName']}' goes from one Availability Zone to the "
            "next ('zonalConfig'), which is for deployments in place; this deployment group's are blue/green. Give a "
            "'deploymentConfigName' without zones."
        )
        raise ApiError("InvalidInputException", message)


def _check_target_instances(found: Mapping[str, Any]) -> None:
    """The replacement instances of a blue/green deployment (API: TargetInstances)."""
    filters, lists = found.get("tagFilters") or (), lists_of(found, "ec2TagSet")
    if filters and lists:
        raise ApiError(_TARGETS, "'targetInstances' takes 'tagFilters' or 'ec2TagSet', not both.")
    if len(filters) + sum(len(each) for each in lists) > _MOST_TAGS:
        raise ApiError(_TARGETS, f"'targetInstances' may hold {_MOST_TAGS} tags.")
    for each in (filters, *lists):
        check_filters("targetInstances", each, _TARGETS)
    _as(_TARGETS, found.get("autoScalingGroups") or ())


def _as(code: str, names: Sequence[str]) -> None:
    try:
        check_auto_scaling_groups(names)
    except ApiError as error:
        raise ApiError(code, f"'targetInstances': {error.message}") from None


def _check_for_servers(given: Mapping[str, Any], info: Mapping[str, Any]) -> None:
    style = info["deploymentStyle"]
    if given.get("targetInstances") and style["deploymentType"] == "IN_PLACE":
        raise ApiError(_TARGETS, "'targetInstances' is for blue/green deployments; this group deploys in place.")
    if given.get("updateOutdatedInstancesOnly") and style["deploymentType"] == "BLUE_GREEN":
        message = (
            "'updateOutdatedInstancesOnly' is for deployments in place; this group deploys blue/green, to all "
            "replacement instances. Leave it out."
        )
        raise ApiError(_OUTDATED, message)
    provisioning = (info.get("blueGreenDeploymentConfiguration") or {}).get("greenFleetProvisioningOption") or {}
    if given.get("targetInstances") and provisioning.get("action") == "COPY_AUTO_SCALING_GROUP":
        message = (
            "'targetInstances' names replacement instances that exist (DISCOVER_EXISTING); this group copies its "
            "Auto Scaling group."
        )
        raise ApiError(_TARGETS, message)
    check_suspended_fit(given.get("ec2DeploymentOptions"), style, info.get("autoScalingGroups") or ())


def _check_for_others(given: Mapping[str, Any], platform: str) -> None:
    """What only servers have; its default says nothing and passes."""
    refused = (
        (given.get("targetInstances"), "targetInstances", _TARGETS),
        (
            (given.get("ec2DeploymentOptions") or {}).get("autoScalingGroupProcessesToSuspend"),
            "ec2DeploymentOptions",
            "InvalidAutoScalingGroupProcessToSuspendException",
        ),
        (
            given.get("updateOutdatedInstancesOnly"),
            "updateOutdatedInstancesOnly",
            _OUTDATED,
        ),
        (
            given.get("ignoreApplicationStopFailures"),
            "ignoreApplicationStopFailures",
            "InvalidIgnoreApplicationStopFailuresValueException",
        ),
        (
            given.get("fileExistsBehavior", "DISALLOW") != "DISALLOW",
            "fileExistsBehavior",
            "InvalidFileExistsBehaviorException",
        ),
    )
    for wanted, name, code in refused:
        if wanted:
            raise ApiError(code, f"'{name}' is for servers; this deployment group's platform is {platform}.")
