"""Auto Scaling groups that launch and end local hosts, and wait for lifecycle hooks.

Level-triggered: each change of a group ends in a look at what it is to have and what it has. Follows "Amazon EC2 Auto
Scaling instance lifecycle", "How lifecycle hooks work" and "Suspend and resume Amazon EC2 Auto Scaling processes" of
its user guide.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tidegate_local.autoscaling import events, pools
from tidegate_local.autoscaling.activities import Activities, now_utc
from tidegate_local.autoscaling.hooks import hold
from tidegate_local.autoscaling.lifecycle import (
    LAUNCHING,
    TERMINATING,
    Member,
    emptiest_zone,
    next_to_leave,
    suspended,
)
from tidegate_local.autoscaling.ports import Hosts, Services
from tidegate_local.background import Background

_LOG = logging.getLogger(__name__)
#: "Amazon EC2 Auto Scaling limits the rate at which it allows instances to launch if the lifecycle hooks are failing
#: consistently": the pause doubles from one failed launch to the next. Seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_RESTING = ("Stopped", "Running", "Hibernated")
_DRAIN_LOOK = 0.2


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
        self.activities = Activities()
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
                pools.fill(self, group)

    def _scale_out(self, group: Any, missing: int) -> None:
        wait = self.pause_left(group)
        if wait > 0:
            self.later(lambda: self.reconcile(group), wait)
            return
        ready = [each for each in group.instance_states if each.warm and each.phase in _RESTING]
        for member in ready[:missing]:
            pools.leave(self, member)
        for _ in range(missing - len(ready)):
            if not self.launch(group, warm=False):
                break

    # -- launching ---------------------------------------------------------------------------------------------------

    def launch(self, group: Any, warm: bool) -> bool:
        """Launch one instance, into the group or its warm pool; False where that cannot be."""
        cause = f"At {now_utc():%Y-%m-%dT%H:%M:%SZ} an instance was started to reach a desired capacity of"
        cause = f"{cause} {group.desired_capacity}."
        try:
            zone = emptiest_zone(group.availability_zones, group.instance_states)
            instance = self.services.run(group, zone)
        except Exception as error:
            activity = self.activities.begin(group, "Launching a new EC2 instance", cause)
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
        member.activity = self.activities.begin(group, f"Launching a new EC2 instance: {member.instance_id}", cause)
        instance.autoscaling_group = group
        group.instance_states.append(member)
        self.later(lambda: self._bring_up(member))
        return True

    def _bring_up(self, member: Member) -> None:
        """Let hooks hold the instance, and start its host meanwhile, as an instance boots while it waits."""
        with self.lock:
            if member.leaving:
                return
            hold(self, member, LAUNCHING)
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
        self.activities.end(activity, "Failed", why)
        self.services.emit(events.outcome_event(member, group, "Launch", activity, False))
        self._pause(group)

    def pause_left(self, group: Any) -> float:
        """How long no instance is launched after some that failed; seconds."""
        return self._not_before[group.name] - time.monotonic()

    def _pause(self, group: Any) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** self._failures[group.name])
        self._failures[group.name] += 1
        self._not_before[group.name] = time.monotonic() + pause
        self.later(lambda: self.reconcile(group), pause)

    def _arrive(self, member: Member) -> None:
        group = member.auto_scaling_group
        self._failures[group.name] = 0
        if member.warm:
            pools.rest(self, member)
        else:
            if not suspended(group, "AddToLoadBalancer"):
                self.services.register(group, [member.instance_id])
            member.enter("InService")
        self.activities.end(member.activity, "Successful")
        self.services.emit(events.outcome_event(member, group, "Launch", member.activity, True))

    # -- hooks -------------------------------------------------------------------------------------------------------

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
        self.activities.end(member.activity, "Cancelled", why)
        cause = f"At {now_utc():%Y-%m-%dT%H:%M:%SZ} instance {member.instance_id} was taken out of service: {why}."
        member.activity = self.activities.begin(group, f"Terminating EC2 instance: {member.instance_id}", cause)
        if not member.warm:
            self.services.deregister(group, [member.instance_id])

        def drained() -> None:
            if hooks and not member.warm and self.services.is_draining(group, member.instance_id):
                self.later(drained, _DRAIN_LOOK)
                return
            with self.lock:
                if hooks:
                    hold(self, member, TERMINATING)
                self.advance(member)

        self.later(drained)
        return member.activity

    def _end(self, member: Member) -> None:
        group = member.auto_scaling_group
        back = member.destination == "WarmPool"
        if not back:
            self.services.terminate(member.instance_id)
        with self.lock:
            self.activities.end(member.activity, "Successful")
            self.services.emit(events.outcome_event(member, group, "Terminate", member.activity, True))
            if back:
                member.warm = True
                pools.rest(self, member)
            else:
                member.enter("Terminated")
                group.instance_states.remove(member)
            if getattr(group, "status", None) and not group.instance_states:
                self.services.forget(group)
            self.reconcile(group)


def launched_from(group: Any) -> tuple[str | None, dict[str, Any] | None]:
    """The launch configuration, or the template, that a group launches from."""
    if group.ec2_launch_template is None:
        return group.launch_configuration_name, None
    template = group.ec2_launch_template
    version = str(template.get_version(group.launch_template_version).number)
    return None, {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": version}
