"""Operations of Amazon EC2 Auto Scaling that moto lacks, or answers without looking.

Follows the Amazon EC2 Auto Scaling API reference of each operation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from tidegate_local.adapters import autoscaling_settings
from tidegate_local.autoscaling import AutoScaling, ScalingError, events, requests
from tidegate_local.autoscaling.activities import now_utc

_Operation = Callable[[AutoScalingResponse], ActionResult]
_running: Callable[[], AutoScaling]
#: These name a group that need not be there.
_FREE = ("create_auto_scaling_group", "describe_scaling_activities", "describe_policies", "describe_scheduled_actions")


def install(running: Callable[[], AutoScaling]) -> None:
    """Put the operations into moto.

    Parameters
    ----------
    running
        Gives the groups of the local cloud of this process.
    """
    global _running
    _running = running
    for operation in (
        complete_lifecycle_action,
        record_lifecycle_action_heartbeat,
        put_lifecycle_hook,
        delete_lifecycle_hook,
        describe_lifecycle_hook_types,
        create_auto_scaling_group,
        delete_auto_scaling_group,
        describe_scaling_activities,
        describe_warm_pool,
        delete_warm_pool,
        *autoscaling_settings.OPERATIONS,
    ):
        setattr(AutoScalingResponse, operation.__name__, operation)
    for name in _operations():
        setattr(AutoScalingResponse, name, _checked(name, getattr(AutoScalingResponse, name)))


def _operations() -> list[str]:
    from moto.core.utils import camelcase_to_underscores, get_service_model

    names = [camelcase_to_underscores(name) for name in get_service_model("autoscaling").operation_names]
    return [name for name in names if hasattr(AutoScalingResponse, name)]


def _checked(name: str, operation: _Operation) -> _Operation:
    """The operation, which refuses a group that is not there, and gives errors as AWS does."""

    @wraps(operation)
    def call(response: AutoScalingResponse) -> ActionResult:
        group = response._get_param("AutoScalingGroupName")
        if group and name not in _FREE and group not in response.autoscaling_backend.autoscaling_groups:
            raise AutoscalingClientError(
                "ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{group}' not found"
            )
        try:
            return operation(response)
        except ScalingError as error:
            raise AutoscalingClientError(error.code, error.message) from error

    return call


def _group(response: AutoScalingResponse) -> Any:
    return response.autoscaling_backend.autoscaling_groups[response._get_param("AutoScalingGroupName")]


def complete_lifecycle_action(response: AutoScalingResponse) -> ActionResult:
    """CompleteLifecycleAction."""
    requests.complete(
        _running(),
        _group(response),
        response._get_param("LifecycleHookName"),
        response._get_param("LifecycleActionToken"),
        response._get_param("InstanceId"),
        response._get_param("LifecycleActionResult"),
    )
    return EmptyResult()


def record_lifecycle_action_heartbeat(response: AutoScalingResponse) -> ActionResult:
    """RecordLifecycleActionHeartbeat."""
    requests.heartbeat(
        _running(),
        _group(response),
        response._get_param("LifecycleHookName"),
        response._get_param("LifecycleActionToken"),
        response._get_param("InstanceId"),
    )
    return EmptyResult()


def put_lifecycle_hook(response: AutoScalingResponse) -> ActionResult:
    """PutLifecycleHook; of a hook that is there, what is not given stays."""
    given = {name: response._get_param(name) for name in _HOOK_MEMBERS}
    _put_hook(response, _group(response), response._get_param("LifecycleHookName"), given)
    return EmptyResult()


_HOOK_MEMBERS = (
    "LifecycleTransition",
    "HeartbeatTimeout",
    "DefaultResult",
    "NotificationMetadata",
    "NotificationTargetARN",
    "RoleARN",
)
_MOST_HOOKS = 50


def _put_hook(response: AutoScalingResponse, group: Any, name: str, given: dict[str, Any]) -> None:
    backend = response.autoscaling_backend
    before = next(iter(backend.describe_lifecycle_hooks(group.name, [name])), None)
    if before is None and not given["LifecycleTransition"]:
        raise ScalingError("LifecycleTransition is required for a new lifecycle hook")
    if before is None and len(backend.describe_lifecycle_hooks(group.name)) >= _MOST_HOOKS:
        raise ScalingError(f"{group.name} has {_MOST_HOOKS} lifecycle hooks already", "LimitExceeded")
    timeout = given["HeartbeatTimeout"]
    timeout = int(timeout) if timeout else getattr(before, "heartbeat_timeout", 3600)
    if not 1 <= timeout <= 172_800:
        raise ScalingError(f"HeartbeatTimeout is {timeout}: give 30 to 172800 seconds (here from 1 on)")
    hook = backend.create_lifecycle_hook(
        name,
        group.name,
        given["LifecycleTransition"] or getattr(before, "lifecycle_transition", None),
        timeout,
        given["DefaultResult"] or getattr(before, "default_result", "ABANDON"),
    )
    hook.global_timeout = min(172_800, 100 * timeout)
    hook.notification_metadata = given["NotificationMetadata"] or getattr(before, "notification_metadata", None)
    hook.notification_target_arn = given["NotificationTargetARN"] or getattr(before, "notification_target_arn", None)
    hook.role_arn = given["RoleARN"] or getattr(before, "role_arn", None)
    if given["NotificationTargetARN"]:
        scaling = _running()
        message = events.trial_notification(name, group.arn, group.name, scaling.account, now_utc())
        scaling.notify(hook.notification_target_arn, message)


def delete_lifecycle_hook(response: AutoScalingResponse) -> ActionResult:
    """DeleteLifecycleHook."""
    backend, group = response.autoscaling_backend, _group(response)
    name = response._get_param("LifecycleHookName")
    if not backend.describe_lifecycle_hooks(group.name, [name]):
        raise ScalingError(f"No Lifecycle Hook found with name: {name}")
    backend.delete_lifecycle_hook(group.name, name)
    requests.release(_running(), group, name)
    return EmptyResult()


def describe_lifecycle_hook_types(response: AutoScalingResponse) -> ActionResult:
    """DescribeLifecycleHookTypes."""
    del response
    kinds = ["autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"]
    return ActionResult({"LifecycleHookTypes": kinds})


_create_auto_scaling_group: _Operation = AutoScalingResponse.create_auto_scaling_group


def create_auto_scaling_group(response: AutoScalingResponse) -> ActionResult:
    """CreateAutoScalingGroup: its hooks are there before its first instance."""
    answer = _create_auto_scaling_group(response)
    group = _group(response)
    autoscaling_settings.keep(response, group)
    for given in response._get_param("LifecycleHookSpecificationList", []):
        members = {name: given.get(name) for name in _HOOK_MEMBERS}
        _put_hook(response, group, given["LifecycleHookName"], members)
    _running().reconcile(group)
    return answer


def delete_auto_scaling_group(response: AutoScalingResponse) -> ActionResult:
    """DeleteAutoScalingGroup."""
    requests.delete(_running(), _group(response), response._get_bool_param("ForceDelete", False))
    return EmptyResult()


def describe_scaling_activities(response: AutoScalingResponse) -> ActionResult:
    """DescribeScalingActivities, the newest first."""
    name, ids = response._get_param("AutoScalingGroupName"), response._get_param("ActivityIds", [])
    most = response._get_int_param("MaxRecords", 100)
    found = [
        dict(activity)
        for activity in _running().activities
        if name in (None, activity["AutoScalingGroupName"]) and (not ids or activity["ActivityId"] in ids)
    ]
    return ActionResult({"Activities": found[:most]})


def describe_warm_pool(response: AutoScalingResponse) -> ActionResult:
    """DescribeWarmPool, with its instances."""
    group = _group(response)
    warm = [member for member in group.instance_states if member.warm]
    return ActionResult({"WarmPoolConfiguration": group.warm_pool, "Instances": warm})


def delete_warm_pool(response: AutoScalingResponse) -> ActionResult:
    """DeleteWarmPool."""
    requests.delete_pool(_running(), _group(response), response._get_bool_param("ForceDelete", False))
    return EmptyResult()
