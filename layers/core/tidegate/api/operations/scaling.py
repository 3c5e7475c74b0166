"""The hooks that come and go with a deployment group's Auto Scaling groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.services import Call, LifecycleHooks
from tidegate.model.deployment import ErrorCode
from tidegate.model.scaling import MOST_HOOKS, ScalingFault, wanted_hooks
from tidegate.scaling.hook_settling import all_hooks, remove_hooks, settle_hooks, shown_hooks
from tidegate.store.table import Item

#: Members of a call that hooks hang on. Given again as they are, they put hooks right that somebody changed.
_ABOUT_HOOKS: Final = ("autoScalingGroups", "terminationHookEnabled")
_ERRORS: Final = {
    ErrorCode.AUTO_SCALING_CONFIGURATION: "InvalidAutoScalingGroupException",
    ErrorCode.AUTO_SCALING_IAM_ROLE_PERMISSIONS: "InvalidRoleException",
}


def check_scaling_groups(call: Call, info: Mapping[str, Any], item: Item | None = None) -> None:
    """Check that the Auto Scaling groups are there, and have room for the hooks.

    Parameters
    ----------
    info
        The settings that the deployment group is to have.
    item
        The group as it is, where there is one.
    """
    names = info.get("autoScalingGroups") or ()
    if not names:
        return
    port, known = _port(call, info), (item or {}).get("hooks", {})
    try:
        there = port.groups(names)
        if missing := [name for name in names if name not in there]:
            message = f"There is no Auto Scaling group {', '.join(missing)} in this account and Region."
            raise ApiError("InvalidAutoScalingGroupException", message)
        for name, hooks in wanted_hooks(info, (item or {}).get("deploymentGroupId", "new"), known).items():
            others = set(port.names(name)) - set(hooks.values())
            if len(others) + len(hooks) > MOST_HOOKS:
                message = (
                    f"The Auto Scaling group {name} has {len(others)} lifecycle hooks of {MOST_HOOKS} that it may "
                    f"have, and {len(hooks)} are needed; delete some."
                )
                raise ApiError("LifecycleHookLimitExceededException", message)
    except ScalingFault as fault:
        raise refused(fault) from fault


def minds_hooks(given: Mapping[str, Any], item: Item) -> bool:
    """Whether a call's settings, or what an earlier call left, ask for hooks to be looked after."""
    return bool(item.get("hooksDue")) or any(name in given for name in _ABOUT_HOOKS)


def hooks_settled(call: Call, item: Item) -> list[dict[str, Any]]:
    """Put the group's hooks on, take others off; those that could not be taken off (``hooksNotCleanedUp``)."""
    if not item.get("hooks") and not item.get("strayHooks"):
        return []
    try:
        return shown_hooks(settle_hooks(item, _port(call, item["info"]), call.services.scaled_groups))
    except ScalingFault as fault:
        raise refused(fault) from fault


def hooks_removed(call: Call, item: Item) -> list[dict[str, Any]]:
    """Take all hooks of a group off that is about to be deleted; those left, which the sweep tries again."""
    if not (hooks := all_hooks(item)):
        return []
    if left := remove_hooks(hooks, _port(call, item["info"])):
        call.services.scaled_groups.leave_hooks(item, left, call.services.clock())
    return shown_hooks(left)


def _port(call: Call, info: Mapping[str, Any]) -> LifecycleHooks:
    port = call.services.lifecycle_hooks
    port.act_for(info["serviceRoleArn"], "deployment-groups")
    return port


def shown_groups(item: Item) -> Sequence[Mapping[str, Any]]:
    """``autoScalingGroups`` of a group, with its hooks."""
    hooks = item.get("hooks", {})
    return [{"name": name, **hooks.get(name, {})} for name in item["info"]["autoScalingGroups"]]


def refused(fault: ScalingFault) -> ApiError:
    """The client's view of what Auto Scaling refuses."""
    return ApiError(_ERRORS[fault.code], fault.message)
