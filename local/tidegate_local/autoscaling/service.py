"""Auto Scaling groups that launch and end local hosts, and wait for lifecycle hooks.

Level-triggered: each change of a group ends in a look at what it is to have and what it has. Follows "Amazon EC2 Auto
Scaling instance lifecycle", "How lifecycle hooks work" and "Suspend and resume Amazon EC2 Auto Scaling processes" of
its user guide.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tidegate_local.autoscaling import events
from tidegate_local.autoscaling.lifecycle import (
    GLOBAL_TIMEOUT,
    LAUNCHING,
    TERMINATING,
    Action,
    Member,
    emptiest_zone,
    next_to_leave,
    pool_size,
)
from tidegate_local.autoscaling.ports import Hosts, Services
from tidegate_local.background import Background

_LOG = logging.getLogger(__name__)
#: "Amazon EC2 Auto Scaling limits the rate at which it allows instances to launch if the lifecycle hooks are failing
#: consistently": the pause doubles from one failed launch to the next. Seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_RESTING = ("Stopped", "Running", "Hibernated")
_DRAIN_LOOK = 0.2
_KEPT_ACTIVITIES = 500


class AutoScaling:
    """The groups of one local cloud.

    Parameters
    ----------
    hosts
        Starts and ends local hosts.
    services
        The rest of the cloud.
    account
        Named in notifications.
    """

    def __init__(self, hosts: Hosts, services: Services, account: str) -> None:
        self.services = services
        self.lock = threading.RLock()
        self.account = account
        self.activities: list[dict[str, Any]] = []
        self._hosts = hosts
        self._background = Background("scaling", threads=4)
        self._failures: dict[str, int] = defaultdict(int)  # launches in a row that failed, by group
        self._not_before: dict[str, float] = defaultdict(float)

    def stop(self) -> None:
        """Do nothing more; what runs goes on."""
        self._background.stop()

    def later(self, task: Callable[[], None], delay: float = 0.0) -> None:
        """Run something without the caller's waiting."""
        self._background.submit(task, delay)

    def notify(self, target: str, message: dict[str, Any]) -> None:
        """Send a message to a notification target, aside."""
        self.later(lambda: self.services.notify(target, message))

    # -- what a group is to have -------------------------------------------------------------------------------------

    def reconcile(self, group: Any) -> None:
        """Launch and terminate until the group has what it desires, as far as its processes are not suspended."""
        with self.lock:
            if group not in self.services.groups():
                return
            here = [member for member in group.instance_states if member.counts]
            missing = (group.desired_capacity or 0) - len(here)
            if missing > 0 and not suspended(group, "Launch"):
                self._scale_out(group, missing)
            if missing < 0 and not suspended(group, "Terminate"):
                for member in next_to_leave(here, group.termination_policies, -missing):
                    self.begin_end(member, f"the desired capacity became {group.desired_capacity}", scale_in=True)
            if group.warm_pool is not None:
                self._fill_pool(group)

    def _scale_out(self, group: Any, missing: int) -> None:
        wait = self._not_before[group.name] - time.monotonic()
        if wait > 0:
            self.later(lambda: self.reconcile(group), wait)
            return
        ready = [each for each in group.instance_states if each.warm and each.phase in _RESTING]
        for member in ready[:missing]:
            self._leave_pool(member)
        for _ in range(missing - len(ready)):
            if not self._launch(group, warm=False):
                break

    def _fill_pool(self, group: Any) -> None:
        pool = group.warm_pool
        prepared = pool.max_group_prepared_capacity
        wanted = pool_size(
            int(pool.min_size or 0),
            None if prepared is None else int(prepared),
            group.max_size or 0,
            group.desired_capacity or 0,
        )
        warm = [each for each in group.instance_states if each.warm and not each.leaving]
        wanted -= sum(each.leaving and each.destination == "WarmPool" for each in group.instance_states)
        if len(warm) < wanted and not suspended(group, "Launch") and self._not_before[group.name] <= time.monotonic():
            for _ in range(wanted - len(warm)):
                if not self._launch(group, warm=True):
                    break
        if len(warm) > wanted and not suspended(group, "Terminate"):
            for member in next_to_leave(warm, (), len(warm) - wanted):
                self.begin_end(member, f"the warm pool is to hold {wanted} instances")

    # -- launching ---------------------------------------------------------------------------------------------------

    def _launch(self, group: Any, warm: bool) -> bool:
        cause = f"At {now_utc():%Y-%m-%dT%H:%M:%SZ} an instance was started to reach a desired capacity of"
        cause = f"{cause} {group.desired_capacity}."
        try:
            zone = emptiest_zone(group.availability_zones, group.instance_states)
            instance = self.services.run(group, zone)
        except Exception as error:
            activity = self.record(group, "Launching a new EC2 instance", cause)
            self._launch_failed(group, None, activity, str(error))
            return False
        member = Member(
            instance,
            group,
            *launched_from(group),
            protected_from_scale_in=group.new_instances_protected_from_scale_in,
            warm=warm,
            destination="WarmPool" if warm else "AutoScalingGroup",
        )
        member.enter("Pending")
        member.activity = self.record(group, f"Launching a new EC2 instance: {member.instance_id}", cause)
        instance.autoscaling_group = group
        group.instance_states.append(member)
        self.later(lambda: self._bring_up(member))
        return True

    def _bring_up(self, member: Member) -> None:
        """Let hooks hold the instance, and start its host meanwhile, as an instance boots while it waits."""
        with self.lock:
            if member.leaving:
                return
            self._hold(member, LAUNCHING)
        group = member.auto_scaling_group
        try:
            self._hosts.start_instance(
                member.instance_id,
                {tag["key"]: tag["value"] for tag in member.instance.get_tags()},
                self.services.profile(group),
            )
        except Exception as error:
            with self.lock:
                self._launch_failed(group, member, member.activity, str(error))
                self.begin_end(member, f"it could not be started: {error}", hooks=False)
            return
        with self.lock:
            member.up = True
            gone = member.lifecycle_state.endswith("Terminated")
            self.advance(member)
        if gone:
            self._hosts.end_instance(member.instance_id)

    def _launch_failed(self, group: Any, member: Member | None, activity: dict[str, Any], why: str) -> None:
        _LOG.warning("Auto Scaling group %s: an instance could not be launched: %s", group.name, why)
        self._end_activity(activity, "Failed", why)
        self.services.emit(events.outcome_event(member, group, "Launch", activity, False))
        self._pause(group)

    def _pause(self, group: Any) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** self._failures[group.name])
        self._failures[group.name] += 1
        self._not_before[group.name] = time.monotonic() + pause
        self.later(lambda: self.reconcile(group), pause)

    def _leave_pool(self, member: Member) -> None:
        """From the warm pool into the group: launch hooks hold the instance once more."""
        group = member.auto_scaling_group
        member.warm, member.origin, member.destination = False, "WarmPool", "AutoScalingGroup"
        member.enter("Pending")
        member.activity = self.record(
            group, f"Launching a new EC2 instance from warm pool: {member.instance_id}", "The group needs an instance."
        )

        def start() -> None:
            self.services.power(member.instance_id, on=True)
            with self.lock:
                if not member.leaving:
                    self._hold(member, LAUNCHING)
                    self.advance(member)

        self.later(start)

    def _arrive(self, member: Member) -> None:
        group = member.auto_scaling_group
        self._failures[group.name] = 0
        if member.warm:
            self._rest(member)
        else:
            if not suspended(group, "AddToLoadBalancer"):
                self.services.register(group, [member.instance_id])
            member.enter("InService")
        self._end_activity(member.activity, "Successful")
        self.services.emit(events.outcome_event(member, group, "Launch", member.activity, True))

    def _rest(self, member: Member) -> None:
        """Leave an instance in the warm pool, in the pool's state; hibernated ones are stopped here."""
        pool = member.auto_scaling_group.warm_pool
        running = pool is not None and pool.pool_state == "Running"
        if not running:
            self.services.power(member.instance_id, on=False)
        member.enter("Running" if running else str(getattr(pool, "pool_state", "Stopped")))

    # -- hooks -------------------------------------------------------------------------------------------------------

    def _hold(self, member: Member, transition: str) -> None:
        """Let every hook of a transition hold the instance, and tell of it."""
        group, now = member.auto_scaling_group, time.monotonic()
        hooks = self.services.hooks(group, transition)
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
            self.services.emit(event)
            if hook.notification_target_arn:
                self.notify(hook.notification_target_arn, events.notification(event, self.account, now_utc()))
            self._watch(member, action)

    def _watch(self, member: Member, action: Action) -> None:
        """Take the default result when the action is due; a heartbeat has moved that perhaps."""

        def look() -> None:
            with self.lock:
                if action.result or action not in member.actions:
                    return
                if action.due > time.monotonic():
                    self._watch(member, action)
                    return
                action.result = action.default_result
                self.advance(member)

        self.later(look, max(0.01, action.due - time.monotonic()))

    def advance(self, member: Member) -> None:
        """Take an instance out of its wait when its hooks let it."""
        phase, results = member.phase, [action.result for action in member.actions]
        if phase == "Pending" and "ABANDON" in results:
            self._pause(member.auto_scaling_group)
            self.begin_end(member, "a lifecycle hook abandoned its launch")
            return
        # What abandons a terminating instance ends its other hooks; what continues lets them end.
        if "" in results and not (phase == "Terminating" and "ABANDON" in results):
            return
        if phase == "Pending" and member.up:
            self._arrive(member)
        elif phase in ("Pending", "Terminating"):
            proceeds = member.actions or phase == "Terminating"
            member.actions = []
            if proceeds and not member.lifecycle_state.endswith(":Proceed"):
                member.enter(f"{phase}:Proceed")
                if phase == "Terminating":
                    self.later(lambda: self._end(member))

    # -- terminating -------------------------------------------------------------------------------------------------

    def begin_end(self, member: Member, why: str, *, hooks: bool = True, scale_in: bool = False) -> dict[str, Any]:
        """Begin to take an instance out: out of its load balancers first, then its hooks, then gone.

        Parameters
        ----------
        hooks
            Whether termination hooks hold it.
        scale_in
            Whether it goes because fewer are wanted: a warm pool with ReuseOnScaleIn takes it back.

        Returns
        -------
        dict
            The scaling activity.
        """
        group = member.auto_scaling_group
        if member.leaving:
            return member.activity
        reuse = getattr(group.warm_pool, "instance_reuse_policy", None) or {}
        back = scale_in and not member.warm and bool(reuse.get("ReuseOnScaleIn"))
        member.origin = "WarmPool" if member.warm else "AutoScalingGroup"
        member.destination = "WarmPool" if back else "EC2"
        member.actions = []
        member.enter("Terminating")
        self._end_activity(member.activity, "Cancelled", why)
        cause = f"At {now_utc():%Y-%m-%dT%H:%M:%SZ} instance {member.instance_id} was taken out of service: {why}."
        member.activity = self.record(group, f"Terminating EC2 instance: {member.instance_id}", cause)
        if not member.warm:
            self.services.deregister(group, [member.instance_id])

        def drained() -> None:
            if hooks and not member.warm and self.services.is_draining(group, member.instance_id):
                self.later(drained, _DRAIN_LOOK)
                return
            with self.lock:
                if hooks:
                    self._hold(member, TERMINATING)
                self.advance(member)

        self.later(drained)
        return member.activity

    def _end(self, member: Member) -> None:
        group = member.auto_scaling_group
        back = member.destination == "WarmPool"
        if not back:
            self.services.terminate(member.instance_id)
        with self.lock:
            self._end_activity(member.activity, "Successful")
            self.services.emit(events.outcome_event(member, group, "Terminate", member.activity, True))
            if back:
                member.warm = True
                self._rest(member)
            else:
                member.enter("Terminated")
                group.instance_states.remove(member)
            if getattr(group, "status", None) and not group.instance_states:
                self.services.forget(group)
            self.reconcile(group)

    # -- activities --------------------------------------------------------------------------------------------------

    def record(self, group: Any, description: str, cause: str) -> dict[str, Any]:
        """Begin a scaling activity."""
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "AutoScalingGroupName": group.name,
            "AutoScalingGroupARN": group.arn,
            "Description": description,
            "Cause": cause,
            "StartTime": now_utc(),
            "StatusCode": "InProgress",
            "Progress": 50,
            "Details": "{}",
        }
        self.activities = [activity, *self.activities[: _KEPT_ACTIVITIES - 1]]
        return activity

    def _end_activity(self, activity: dict[str, Any], status: str, message: str = "") -> None:
        if activity["StatusCode"] == "InProgress":
            activity |= {"StatusCode": status, "EndTime": now_utc(), "Progress": 100}
            activity |= {"StatusMessage": message} if message else {}


def suspended(group: Any, process: str) -> bool:
    """Whether a process of a group is suspended."""
    return process in group._suspended_processes


def launched_from(group: Any) -> tuple[str | None, dict[str, Any] | None]:
    """The launch configuration, or the template, that a group launches from."""
    if group.ec2_launch_template is None:
        return group.launch_configuration_name, None
    template = group.ec2_launch_template
    version = str(template.get_version(group.launch_template_version).number)
    return None, {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": version}


def now_utc() -> datetime:
    """The time, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
