"""What Auto Scaling asks of a deployment group: hooks, and instances that wait at them (AWS: "Lifecycle hooks")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from tidegate.model.deployment import Fault

#: Where instances of a warm pool come from and go to (AWS: "Warm pool event types").
WARM_POOL: Final = "WarmPool"

LAUNCH_CREATOR: Final = "autoscaling"
TERMINATION_CREATOR: Final = "autoscalingTermination"

_LONGEST_NAME: Final = 255
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_/-]")
_GROUP_ID: Final = re.compile(r"-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$")


#: Hooks that an Auto Scaling group may have (AWS: "Quotas for Amazon EC2 Auto Scaling").
MOST_HOOKS: Final = 50


class ScalingFault(Fault):
    """An Auto Scaling group cannot be used."""


@dataclass(frozen=True, slots=True)
class ScalingGroup:
    """An Auto Scaling group as it is.

    Attributes
    ----------
    states : lifecycle state by instance id
    suspended : processes that are suspended
    """

    states: Mapping[str, str]
    suspended: frozenset[str] = frozenset()


class Transition(StrEnum):
    """What an instance is held in, by the words of its hook."""

    LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
    TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"

    @property
    def creator(self) -> str:
        """The creator of the deployments that it starts (API: DeploymentCreator)."""
        return LAUNCH_CREATOR if self is Transition.LAUNCHING else TERMINATION_CREATOR

    @property
    def member(self) -> str:
        """The member of an Auto Scaling group that names its hook (API: AutoScalingGroup)."""
        return "hook" if self is Transition.LAUNCHING else "terminationHook"


_WORDS: Final = {Transition.LAUNCHING: "launch", Transition.TERMINATING: "termination"}

#: The hooks of a deployment group: by Auto Scaling group, the name of each transition's hook by its member.
Hooks = Mapping[str, Mapping[str, str]]


def hook_name(transition: Transition, group: str, group_id: str) -> str:
    """The name of a group's hook: what Auto Scaling does not take in names becomes a hyphen, and it ends in the id.

    >>> name = hook_name(Transition.LAUNCHING, "web+blue", "11111111-2222-3333-4444-555555555555")
    >>> name.removeprefix("CodeDeploy-managed-automatic-launch-deployment-hook-")
    'web-blue-11111111-2222-3333-4444-555555555555'
    """
    head = f"CodeDeploy-managed-automatic-{_WORDS[transition]}-deployment-hook-"
    room = _LONGEST_NAME - len(head) - len(group_id) - 1
    return f"{head}{_UNFIT.sub('-', group)[:room]}-{group_id}"


def group_id_of(hook: str) -> str | None:
    """The id of the group that a hook belongs to, where the name is one of ours.

    >>> group_id_of("CodeDeploy-managed-automatic-launch-deployment-hook-w-11111111-2222-3333-4444-555555555555")
    '11111111-2222-3333-4444-555555555555'
    >>> group_id_of("drain") is None
    True
    """
    found = _GROUP_ID.search(hook)
    return found[1] if found and hook.startswith("CodeDeploy-managed-automatic-") else None


def wanted_hooks(info: Mapping[str, Any], group_id: str, known: Hooks) -> dict[str, dict[str, str]]:
    """The hooks that a group's settings ask for; those that are there keep their names, also when the group is renamed.

    Parameters
    ----------
    info : the group's settings
    known : the hooks it has
    """
    transitions = [Transition.LAUNCHING]
    if info.get("terminationHookEnabled"):
        transitions.append(Transition.TERMINATING)
    return {
        scaling_group: {
            each.member: known.get(scaling_group, {}).get(each.member)
            or hook_name(each, info["deploymentGroupName"], group_id)
            for each in transitions
        }
        for scaling_group in info.get("autoScalingGroups") or ()
    }


def stray_hooks(before: Hooks, after: Hooks) -> list[list[str]]:
    """The hooks that are no longer wanted: pairs of Auto Scaling group and name."""
    return [
        [scaling_group, name]
        for scaling_group, names in before.items()
        for member, name in names.items()
        if after.get(scaling_group, {}).get(member) != name
    ]


@dataclass(frozen=True, slots=True)
class LifecycleAction:
    """An instance that waits at a hook.

    Attributes
    ----------
    scaling_group, hook : where it waits
    token : of this wait; empty where the wait was found by looking, for it is told in the event alone
    key : tells waits of one instance apart: the token, or the state in which the instance was found
    origin, destination : ``EC2``, ``AutoScalingGroup`` or ``WarmPool``
    time : when it was told, or seen; epoch seconds
    """

    scaling_group: str
    instance_id: str
    hook: str
    transition: Transition
    key: str
    token: str = ""
    origin: str = ""
    destination: str = ""
    time: float = 0.0

    @property
    def found(self) -> bool:
        """Whether it was found by looking, its event being lost or late."""
        return not self.token

    def to_item(self) -> dict[str, str | float]:
        """As a deployment keeps it."""
        item: dict[str, str | float] = {
            "autoScalingGroup": self.scaling_group,
            "instanceId": self.instance_id,
            "hook": self.hook,
            "token": self.token,
            "transition": self.transition.value,
            "since": self.time,
        }
        more = {"origin": self.origin, "destination": self.destination}
        return item | {name: value for name, value in more.items() if value}


def action_of_event(event: Mapping[str, Any]) -> LifecycleAction | None:
    """The action in an event of Auto Scaling, None where it is about something else (AWS: "Auto Scaling events")."""
    detail = event.get("detail")
    needed = ("LifecycleActionToken", "AutoScalingGroupName", "LifecycleHookName", "EC2InstanceId")
    if not isinstance(detail, Mapping) or any(not isinstance(detail.get(name), str) for name in needed):
        return None
    try:
        transition = Transition(str(detail.get("LifecycleTransition")))
    except ValueError:
        return None
    return LifecycleAction(
        scaling_group=detail["AutoScalingGroupName"],
        instance_id=detail["EC2InstanceId"],
        hook=detail["LifecycleHookName"],
        transition=transition,
        key=detail["LifecycleActionToken"],
        token=detail["LifecycleActionToken"],
        origin=str(detail.get("Origin", "")),
        destination=str(detail.get("Destination", "")),
        time=_seconds(event.get("time")),
    )


def action_of_state(
    scaling_group: str, instance_id: str, state: str, hooks: Mapping[str, str], *, pooled: bool, now: float
) -> LifecycleAction | None:
    """The action that an instance's lifecycle state tells of, None where it does not wait at a hook of ours.

    Parameters
    ----------
    state : as Auto Scaling has it, such as ``Pending:Wait`` or ``Warmed:Terminating:Wait``
    hooks : of its Auto Scaling group, by member
    pooled : whether it was last prepared for the warm pool
    """
    warmed = state.startswith("Warmed:")
    transition = {"Pending:Wait": Transition.LAUNCHING, "Terminating:Wait": Transition.TERMINATING}.get(
        state.removeprefix("Warmed:")
    )
    if transition is None or not (hook := hooks.get(transition.member)):
        return None
    launching = transition is Transition.LAUNCHING
    origin = WARM_POOL if (warmed and not launching) or (pooled and launching and not warmed) else ""
    return LifecycleAction(
        scaling_group,
        instance_id,
        hook,
        transition,
        key=state,
        origin=origin,
        destination=WARM_POOL if warmed and launching else "",
        time=now,
    )


def of_deployment(deployment: Mapping[str, Any]) -> LifecycleAction | None:
    """The action that a deployment was started for, None for any other deployment."""
    scaling = deployment.get("scaling")
    if not scaling:
        return None
    return LifecycleAction(
        scaling_group=scaling["autoScalingGroup"],
        instance_id=scaling["instanceId"],
        hook=scaling["hook"],
        transition=Transition(scaling["transition"]),
        key=scaling["token"],
        token=scaling["token"],
        origin=scaling.get("origin", ""),
        destination=scaling.get("destination", ""),
        time=scaling.get("since", 0.0),
    )


def is_leaving(deployment: Mapping[str, Any]) -> bool:
    """Whether it takes an instance out of service, so that nothing is installed on it."""
    action = of_deployment(deployment)
    return action is not None and action.transition is Transition.TERMINATING


def let_go(deployment: Mapping[str, Any]) -> bool:
    """Whether the instance of an ended deployment goes on (CONTINUE); a launch that failed is abandoned.

    Who leaves goes on in any case: ABANDON would end it too, only without the hooks of others.
    """
    return is_leaving(deployment) or bool(deployment["status"] == "Succeeded")


def processes_of(options: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """The processes to suspend: those of the first options that name any, in their order."""
    for each in options:
        if found := (each or {}).get("autoScalingGroupProcessesToSuspend"):
            return list(found)
    return []


def _seconds(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
