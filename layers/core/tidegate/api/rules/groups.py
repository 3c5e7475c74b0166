"""Deployment groups: what their settings must satisfy, and what of CodeDeploy's choice is not there yet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.errors import ApiError, not_yet
from tidegate.api.rules.common import check_alarms, check_auto_rollback
from tidegate.model.names import MAX_TAG_KEY, MAX_TAG_VALUE

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.{1,512}")
IN_PLACE: Final = {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}


def check_given(given: Mapping[str, Any]) -> None:
    """Check what one call of CreateDeploymentGroup or UpdateDeploymentGroup gives."""
    if "serviceRoleArn" in given and not _ROLE.fullmatch(given["serviceRoleArn"]):
        message = f"'serviceRoleArn' must be the ARN of an IAM role; not {given['serviceRoleArn'][:80]!r}."
        raise ApiError("InvalidRoleException", message)
    _check_selectors(given, "ec2TagFilters", "ec2TagSet", "InvalidEC2Tag")
    _check_selectors(given, "onPremisesInstanceTagFilters", "onPremisesTagSet", "InvalidTag")
    check_auto_rollback(given.get("autoRollbackConfiguration"))
    check_alarms("alarmConfiguration", given.get("alarmConfiguration"))
    _refuse_what_is_not_there(given)


def filled_filters(filters: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Tag filters with their type, which may be left out where key and value tell it."""
    return [{**each, "Type": _type(each)} for each in filters]


def _check_selectors(given: Mapping[str, Any], flat: str, nested: str, error: str) -> None:
    groups = (given.get(nested) or {}).get(f"{nested}List") or []
    if given.get(flat) and groups:
        combination = {"ec2TagSet": "InvalidEC2TagCombinationException"}
        code = combination.get(nested, "InvalidOnPremisesTagCombinationException")
        raise ApiError(code, f"Give '{flat}' or '{nested}', not both.")
    if len(groups) > 3 or any(len(group) > 10 for group in groups):
        message = f"'{nested}' may hold 3 groups of 10 tags each."
        raise ApiError("TagSetListLimitExceededException", message)
    for group in [given.get(flat) or [], *groups]:
        for each in group:
            check_filter(each, f"{error}Exception")


def check_filter(each: Mapping[str, str], code: str) -> None:
    """One tag filter: it has what its type asks for, and nothing is too long."""
    kind, key, value = _type(each), each.get("Key"), each.get("Value")
    needs_key, needs_value = kind != "VALUE_ONLY", kind != "KEY_ONLY"
    # A value may be empty text, a key may not.
    if (needs_key and not key) or (needs_value and value is None):
        needed = " and ".join(name for name, need in (("Key", needs_key), ("Value", needs_value)) if need)
        raise ApiError(code, f"A tag filter of type {kind} needs {needed}: {dict(each)}.")
    if len(key or "") > MAX_TAG_KEY or len(value or "") > MAX_TAG_VALUE:
        raise ApiError(code, f"A tag filter has a key of at most {MAX_TAG_KEY}, a value of {MAX_TAG_VALUE} characters.")


def _type(each: Mapping[str, str]) -> str:
    if "Type" in each:
        return each["Type"]
    if "Key" in each:
        return "KEY_AND_VALUE" if "Value" in each else "KEY_ONLY"
    return "VALUE_ONLY"


def _refuse_what_is_not_there(given: Mapping[str, Any]) -> None:
    style = {**IN_PLACE, **given.get("deploymentStyle", {})}
    if style["deploymentType"] == "BLUE_GREEN":
        raise not_yet("InvalidDeploymentStyleException", "Blue/green deployments are")
    if style["deploymentOption"] == "WITH_TRAFFIC_CONTROL":
        raise not_yet("InvalidDeploymentStyleException", "Deployments behind a load balancer are")
    if given.get("blueGreenDeploymentConfiguration"):
        raise not_yet("InvalidBlueGreenDeploymentConfigurationException", "Blue/green deployments are")
    if (given.get("alarmConfiguration") or {}).get("enabled"):
        raise not_yet("InvalidAlarmConfigException", "Alarms that stop a deployment are")
    suspend = (given.get("ec2DeploymentOptions") or {}).get("autoScalingGroupProcessesToSuspend")
    refused = (
        (given.get("autoScalingGroups"), "InvalidAutoScalingGroupException", "Auto Scaling groups are"),
        (given.get("terminationHookEnabled"), "InvalidAutoScalingGroupException", "Termination hooks are"),
        (suspend, "InvalidAutoScalingGroupProcessToSuspendException", "Suspended Auto Scaling processes are"),
        (given.get("ecsServices"), "InvalidECSServiceException", "Amazon ECS services are"),
        (given.get("triggerConfigurations"), "InvalidTriggerConfigException", "Notifications by SNS are"),
    )
    for wanted, code, what in refused:
        if wanted:
            raise not_yet(code, what)
