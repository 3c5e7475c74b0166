"""The states of an instance of an Auto Scaling group, and the choices of which instance is next.

Follows "Amazon EC2 Auto Scaling instance lifecycle", "How lifecycle hooks work", "Lifecycle state transitions for
instances in a warm pool" and "Control which Auto Scaling instances terminate during scale in" of its user guide.
No AWS, no clock.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
#: The longest that hooks may hold an instance: 48 hours, or a hundred heartbeat timeouts where that is less.
GLOBAL_TIMEOUT = 172_800
_NUMBERS = itertools.count()


class ScalingError(Exception):
    """What was asked cannot be done; ``code`` is the API's."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Action:
    """One hook's hold on one instance; times are of the monotonic clock, in seconds.

    Attributes
    ----------
    deadline
        When the default result is taken, unless a heartbeat comes before.
    ends_at
        When it is taken whatever comes.
    result
        ``CONTINUE`` or ``ABANDON``; empty while it waits.
    """

    token: str
    hook: str
    transition: str
    heartbeat_timeout: float
    default_result: str
    deadline: float
    ends_at: float
    result: str = ""

    @property
    def due(self) -> float:
        """When it ends by itself."""
        return min(self.deadline, self.ends_at)


@dataclass
class Member:
    """One instance of a group, with the names under which moto shows it.

    Attributes
    ----------
    warm
        Whether it is in the warm pool.
    up
        Whether its host runs.
    origin, destination
        Where it comes from and goes to: ``EC2``, ``AutoScalingGroup`` or ``WarmPool``.
    activity
        The scaling activity that it is in.
    """

    instance: Any
    auto_scaling_group: Any
    launch_configuration_name: str | None
    launch_template: dict[str, Any] | None
    protected_from_scale_in: bool | None = False
    lifecycle_state: str = "Pending"
    health_status: str = "Healthy"
    warm: bool = False
    up: bool = False
    origin: str = "EC2"
    destination: str = "AutoScalingGroup"
    actions: list[Action] = field(default_factory=list)
    activity: dict[str, Any] = field(default_factory=dict)
    number: int = field(default_factory=lambda: next(_NUMBERS))

    @property
    def instance_id(self) -> str:
        """Its EC2 instance id."""
        return str(self.instance.id)

    @property
    def instance_type(self) -> str:
        """Its EC2 instance type."""
        return str(self.instance.instance_type)

    @property
    def availability_zone(self) -> str:
        """Where it is."""
        return str(self.instance.placement.zone)

    @property
    def auto_scaling_group_name(self) -> str:
        """Its group's name."""
        return str(self.auto_scaling_group.name)

    @property
    def phase(self) -> str:
        """Its state without the pool and without waiting: ``Pending``, ``InService``, ``Terminating`` …"""
        return self.lifecycle_state.removeprefix("Warmed:").partition(":")[0]

    @property
    def leaving(self) -> bool:
        """Whether it is on its way out of the group."""
        return self.phase in ("Terminating", "Terminated", "Detaching", "Detached")

    @property
    def counts(self) -> bool:
        """Whether it counts against the desired capacity."""
        return not self.warm and not self.leaving and self.phase not in ("Standby", "EnteringStandby")

    def enter(self, phase: str) -> None:
        """Enter a phase, in the pool or out of it."""
        self.lifecycle_state = f"Warmed:{phase}" if self.warm else phase


def suspended(group: Any, process: str) -> bool:
    """Whether a process of a group is suspended."""
    return process in group._suspended_processes


def emptiest_zone(zones: Sequence[str], members: Iterable[Member]) -> str:
    """The zone with the fewest instances; the first of several.

    >>> emptiest_zone(["a", "b"], [])
    'a'
    """
    inside = Counter(member.availability_zone for member in members if not member.leaving)
    return min(zones, key=lambda zone: inside[zone])


def next_to_leave(members: Sequence[Member], policies: Sequence[str], number: int) -> list[Member]:
    """The instances that scale-in takes, one after the other from the fullest zone.

    What is in service goes before what is still starting; within the zone the oldest, or the newest by the policy
    ``NewestInstance``. Protected instances stay. Other termination policies are taken for the default one.
    """
    left = [member for member in members if not member.protected_from_scale_in]
    newest = "NewestInstance" in policies
    chosen: list[Member] = []
    while left and len(chosen) < number:
        inside = Counter(member.availability_zone for member in left)
        one = min(
            left,
            key=lambda member: (
                member.phase == "Pending",
                -inside[member.availability_zone],
                -member.number if newest else member.number,
            ),
        )
        left.remove(one)
        chosen.append(one)
    return chosen


def pool_size(smallest: int, prepared: int | None, largest: int, desired: int) -> int:
    """How many instances a warm pool is to hold ("Warm pools for applications with long boot times").

    Parameters
    ----------
    smallest
        The pool's MinSize.
    prepared
        Its MaxGroupPreparedCapacity: of group and pool together; None (or -1): the group's greatest size.
    largest, desired
        Of the group.

    >>> pool_size(0, None, 10, 6), pool_size(2, None, 10, 10), pool_size(0, 8, 10, 6)
    (4, 2, 2)
    """
    together = largest if prepared is None or prepared < 0 else prepared
    return max(smallest, together - desired, 0)
