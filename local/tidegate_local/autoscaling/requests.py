"""What callers may ask of the instances of an Auto Scaling group.

Follows the Amazon EC2 Auto Scaling API reference: CompleteLifecycleAction, RecordLifecycleActionHeartbeat,
TerminateInstanceInAutoScalingGroup, AttachInstances, DetachInstances, EnterStandby, ExitStandby, SetInstanceHealth,
SetDesiredCapacity, DeleteAutoScalingGroup. Hooks hold an instance when capacity changes, not when it is attached,
detached, put on standby, or its group is deleted by force.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from tidegate_local.autoscaling.lifecycle import LAUNCHING, Action, Member, ScalingError, suspended
from tidegate_local.autoscaling.service import AutoScaling, launched_from

_REQUEST = "In response to a user request."


def member_of(scaling: AutoScaling, instance_id: str, group: Any = None) -> Member:
    """The instance of a group, or of any; ScalingError where there is none."""
    for each in scaling.services.groups() if group is None else [group]:
        for member in each.instance_states:
            if member.instance_id == instance_id:
                found: Member = member
                return found
    where = f"Auto Scaling group '{group.name}'" if group is not None else "any Auto Scaling group"
    raise ScalingError(f"The instance {instance_id} is not part of {where}.")


def complete(
    scaling: AutoScaling, group: Any, hook: str, token: str | None, instance_id: str | None, result: str
) -> None:
    """CompleteLifecycleAction."""
    if result not in ("CONTINUE", "ABANDON"):
        raise ScalingError(f"LifecycleActionResult is {result!r}: give CONTINUE or ABANDON")
    with scaling.lock:
        member, action = _held(group, hook, token, instance_id)
        action.result = result
        scaling.advance(member)


def heartbeat(scaling: AutoScaling, group: Any, hook: str, token: str | None, instance_id: str | None) -> None:
    """RecordLifecycleActionHeartbeat: the wait begins anew, up to the global timeout."""
    with scaling.lock:
        _, action = _held(group, hook, token, instance_id)
        action.deadline = time.monotonic() + action.heartbeat_timeout


def _held(group: Any, hook: str, token: str | None, instance_id: str | None) -> tuple[Member, Action]:
    for member in group.instance_states:
        for action in member.actions:
            if action.hook == hook and not action.result and (token == action.token or (not token and instance_id)):
                if instance_id and member.instance_id != instance_id:
                    continue
                return member, action
    given = f"token {token}" if token else f"instance ID {instance_id}"
    raise ScalingError(f"No active Lifecycle Action found with {given}")


def release(scaling: AutoScaling, group: Any, hook: str) -> None:
    """What a deleted hook holds: "any outstanding lifecycle actions are completed first (ABANDON for launching
    instances, CONTINUE for terminating instances)" (DeleteLifecycleHook).
    """
    with scaling.lock:
        for member in list(group.instance_states):
            for action in member.actions:
                if action.hook == hook and not action.result:
                    action.result = "ABANDON" if action.transition == LAUNCHING else "CONTINUE"
                    scaling.advance(member)


def set_desired(scaling: AutoScaling, group: Any, desired: int) -> None:
    """SetDesiredCapacity."""
    with scaling.lock:
        if desired > group.max_size:
            raise ScalingError(
                f"New SetDesiredCapacity value {desired} is above max value {group.max_size} for the AutoScalingGroup."
            )
        if desired < group.min_size:
            raise ScalingError(
                f"New SetDesiredCapacity value {desired} is below min value {group.min_size} for the AutoScalingGroup."
            )
        group.desired_capacity = desired
        scaling.reconcile(group)


def terminate(scaling: AutoScaling, instance_id: str, decrement: bool) -> dict[str, Any]:
    """TerminateInstanceInAutoScalingGroup; its activity."""
    with scaling.lock:
        member = member_of(scaling, instance_id)
        group = member.auto_scaling_group
        if decrement and not member.warm and not member.leaving:
            _decrement(group, 1)
        activity = scaling.begin_end(member, "in response to a user request")
        scaling.reconcile(group)
        return activity


def attach(scaling: AutoScaling, group: Any, instances: Sequence[Any]) -> None:
    """AttachInstances: the desired capacity grows by them."""
    with scaling.lock:
        taken = {member.instance_id for each in scaling.services.groups() for member in each.instance_states}
        for instance in instances:
            if instance.id in taken:
                raise ScalingError(f"Instance {instance.id} is already part of an Auto Scaling group.")
            if instance.state != "running":
                raise ScalingError(f"Instance {instance.id} is not in correct state.")
        if group.desired_capacity + len(instances) > group.max_size:
            raise ScalingError(
                f"AutoScalingGroup '{group.name}' has desired capacity {group.desired_capacity}; {len(instances)} more "
                f"would exceed its max size {group.max_size}"
            )
        group.desired_capacity += len(instances)
        for instance in instances:
            instance.autoscaling_group = group
            member = Member(
                instance,
                group,
                *launched_from(group),
                protected_from_scale_in=group.new_instances_protected_from_scale_in,
                up=True,
            )
            member.activity = scaling.activities.begin(
                group, f"Attaching an existing EC2 instance: {instance.id}", "Asked for."
            )
            group.instance_states.append(member)
            scaling.advance(member)


def detach(
    scaling: AutoScaling, group: Any, instance_ids: Sequence[str], decrement: bool, forget: Callable[[str], None]
) -> list[dict[str, Any]]:
    """DetachInstances: they run on without the group; their activities.

    Parameters
    ----------
    forget
        Takes the group's tag from an instance.
    """
    with scaling.lock:
        members = [member_of(scaling, instance_id, group) for instance_id in instance_ids]
        if decrement:
            _decrement(group, len(members))
        activities = []
        for member in members:
            activities.append(
                scaling.activities.begin(group, f"Detaching EC2 instance: {member.instance_id}", "Asked for.")
            )
            member.enter("Detached")
            member.actions = []
            group.instance_states.remove(member)
            scaling.services.deregister(group, [member.instance_id])
            forget(member.instance_id)
        scaling.reconcile(group)
        return activities


def enter_standby(
    scaling: AutoScaling, group: Any, instance_ids: Sequence[str], decrement: bool
) -> list[dict[str, Any]]:
    """EnterStandby: they stay in the group without traffic; their activities."""
    with scaling.lock:
        members = [member_of(scaling, instance_id, group) for instance_id in instance_ids]
        for member in members:
            if member.lifecycle_state != "InService":
                raise ScalingError(f"The instance {member.instance_id} is not in InService.")
        if decrement:
            _decrement(group, len(members))
        for member in members:
            member.enter("Standby")
            scaling.services.deregister(group, [member.instance_id])
        scaling.reconcile(group)
        return [
            scaling.activities.begin(group, f"Moving EC2 instance to Standby: {each}", "Asked for.")
            for each in instance_ids
        ]


def exit_standby(scaling: AutoScaling, group: Any, instance_ids: Sequence[str]) -> list[dict[str, Any]]:
    """ExitStandby: the desired capacity grows by them; their activities."""
    with scaling.lock:
        members = [member_of(scaling, instance_id, group) for instance_id in instance_ids]
        for member in members:
            if member.lifecycle_state != "Standby":
                raise ScalingError(f"The instance {member.instance_id} is not in Standby.")
        group.desired_capacity += len(members)
        for member in members:
            member.activity = scaling.activities.begin(
                group, f"Moving EC2 instance out of Standby: {member.instance_id}", _REQUEST
            )
            member.enter("Pending")
            scaling.advance(member)
        return [member.activity for member in members]


def set_health(scaling: AutoScaling, member: Member, health: str) -> None:
    """SetInstanceHealth, or what a health check found: an unhealthy instance is replaced."""
    with scaling.lock:
        member.health_status = health
        replace_unhealthy(scaling, member.auto_scaling_group)


def replace_unhealthy(scaling: AutoScaling, group: Any) -> None:
    """Replace unhealthy instances, unless ReplaceUnhealthy is suspended."""
    with scaling.lock:
        if not suspended(group, "ReplaceUnhealthy"):
            for member in group.instance_states:
                if member.health_status == "Unhealthy" and not member.leaving:
                    scaling.begin_end(member, "it was found to be unhealthy")
        scaling.reconcile(group)


def delete(scaling: AutoScaling, group: Any, force: bool) -> None:
    """DeleteAutoScalingGroup; by force its instances go too, and no hook holds them."""
    with scaling.lock:
        if group.instance_states and not force:
            raise ScalingError(
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
                "ResourceInUse",
            )
        group.min_size = group.max_size = group.desired_capacity = 0
        group.warm_pool = None
        if not group.instance_states:
            scaling.services.forget(group)
            return
        group.status = "Delete in progress"
        for member in list(group.instance_states):
            if member.leaving:
                for action in member.actions:
                    action.result = action.result or "CONTINUE"
                scaling.advance(member)
            else:
                scaling.begin_end(member, "its group is deleted", hooks=False)


def delete_pool(scaling: AutoScaling, group: Any, force: bool) -> None:
    """DeleteWarmPool; by force without hooks."""
    with scaling.lock:
        group.warm_pool = None
        for member in list(group.instance_states):
            if member.warm:
                scaling.begin_end(member, "its warm pool is deleted", hooks=not force)


def _asked(scaling: AutoScaling, group: Any, description: str) -> dict[str, Any]:
    activity = scaling.activities.begin(group, description, _REQUEST)
    scaling.activities.end(activity, "Successful")
    return activity


def _decrement(group: Any, number: int) -> None:
    if group.desired_capacity - number < group.min_size:
        raise ScalingError(
            f"Currently, desiredSize equals {group.desired_capacity} and minSize {group.min_size}. Terminating "
            "instance without replacement will violate group's min size constraint. Either set "
            "shouldDecrementDesiredCapacity flag to false or lower group's min size."
        )
    group.desired_capacity -= number
