"""Lifecycle hooks that hold an instance ("How lifecycle hooks work" of the Amazon EC2 Auto Scaling user guide)."""

from __future__ import annotations

import time
import uuid

from tidegate_local.autoscaling import events
from tidegate_local.autoscaling.activities import now_utc
from tidegate_local.autoscaling.lifecycle import GLOBAL_TIMEOUT, Action, Member
from tidegate_local.autoscaling.ports import Keeper


def hold(scaling: Keeper, member: Member, transition: str) -> None:
    """Let every hook of a transition hold the instance, and tell of it."""
    group, now = member.auto_scaling_group, time.monotonic()
    hooks = scaling.services.hooks(group, transition)
    if hooks:
        member.enter(f"{member.phase}:Wait")
    member.actions = [
        Action(
            token=str(uuid.uuid4()),
            hook=hook.name,
            transition=transition,
            heartbeat_timeout=hook.heartbeat_timeout,
            default_result=hook.default_result,
            deadline=now + hook.heartbeat_timeout,
            ends_at=now + min(GLOBAL_TIMEOUT, 100 * hook.heartbeat_timeout),
        )
        for hook in hooks
    ]
    for hook, action in zip(hooks, member.actions, strict=True):
        event = events.action_event(member, action, hook.notification_metadata)
        scaling.services.emit(event)
        if hook.notification_target_arn:
            scaling.notify(hook.notification_target_arn, events.notification(event, scaling.account, now_utc()))
        _watch(scaling, member, action)


def _watch(scaling: Keeper, member: Member, action: Action) -> None:
    """Take the default result when the action is due; a heartbeat has moved that perhaps."""

    def look() -> None:
        with scaling.lock:
            if action.result or action not in member.actions:
                return
            if action.due > time.monotonic():
                _watch(scaling, member, action)
                return
            action.result = action.default_result
            scaling.advance(member)

    scaling.later(look, max(0.01, action.due - time.monotonic()))
