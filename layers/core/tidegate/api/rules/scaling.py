"""Auto Scaling groups of deployment groups (AWS: "Integrating CodeDeploy with Amazon EC2 Auto Scaling")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.errors import ApiError

_BAD: Final = "InvalidAutoScalingGroupException"
_BAD_PROCESS: Final = "InvalidAutoScalingGroupProcessToSuspendException"
_MOST: Final = 10
#: Auto Scaling's own rule: printable text without a colon.
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f:]{1,255}")


def check_auto_scaling_groups(names: Sequence[str]) -> None:
    """Check the names that one call gives: well-formed, each once, at most 10."""
    if len(names) > _MOST:
        raise ApiError(_BAD, f"'autoScalingGroups' may hold {_MOST} names; it holds {len(names)}.")
    for name in names:
        if not _NAME.fullmatch(name):
            message = f"An Auto Scaling group's name has 1 to 255 printable characters and no colon; not {name[:80]!r}."
            raise ApiError(_BAD, message)
    if len(set(names)) < len(names):
        raise ApiError(_BAD, "'autoScalingGroups' names a group twice.")


def suspended(options: Mapping[str, Any] | None) -> Sequence[str]:
    """The processes that ``ec2DeploymentOptions`` suspends."""
    return (options or {}).get("autoScalingGroupProcessesToSuspend") or ()


def check_suspended(options: Mapping[str, Any] | None) -> None:
    """Check the processes that one call gives: each once. Their names are checked against the service model before."""
    processes = suspended(options)
    if len(set(processes)) < len(processes):
        raise ApiError(_BAD_PROCESS, "'autoScalingGroupProcessesToSuspend' names a process twice.")


def check_suspended_fit(
    options: Mapping[str, Any] | None, style: Mapping[str, str], auto_scaling_groups: Sequence[str]
) -> None:
    """Processes are suspended in place only, and where there is an Auto Scaling group (API: EC2DeploymentOptions)."""
    if not suspended(options):
        return
    if style["deploymentType"] != "IN_PLACE":
        raise ApiError(_BAD_PROCESS, "Auto Scaling processes are suspended by in-place deployments only.")
    if not auto_scaling_groups:
        message = "The deployment group has no Auto Scaling group whose processes could be suspended."
        raise ApiError(_BAD_PROCESS, message)
