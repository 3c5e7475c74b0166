"""What a seed stands for: a fleet, the deployments that are asked for, and how hostile the world is (``draws.py``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class BoxPlan:
    """What makes a host an on-premises instance.

    Attributes
    ----------
    node_ids : the managed nodes that answer to its name; where that is not one, it cannot be deployed to
    registered : seconds before the start
    deregistered_at : seconds after the start; None: it stays
    goes_away : it is gone then; otherwise it still ends what it has begun
    """

    node_ids: tuple[str, ...]
    registered: float
    deregistered_at: float | None
    goes_away: bool


@dataclass(frozen=True)
class HostPlan:
    """A host as it is at the start."""

    target_id: str
    zone: str
    health: str  # never, unhealthy, unknown, old, current
    fails: frozenset[str]
    takes: float
    online: bool = True
    opted_in: bool = True
    comes_back: float | None = None
    box: BoxPlan | None = None

    @property
    def node_id(self) -> str:
        """What Systems Manager calls it."""
        if self.box is None:
            return self.target_id
        return self.box.node_ids[0] if self.box.node_ids else f"no node of {self.target_id}"


@dataclass(frozen=True)
class Wish:
    """A deployment that a user asks for at a time."""

    at: float
    key: str
    minimum: tuple[str, int]
    zonal: dict[str, Any] | None = None
    rolls_back_on: tuple[str, ...] = ()
    outdated_only: bool = False
    restart: bool = False
    stop_after: float | None = None
    stop_rolls_back: bool | None = None
    watches_alarm: bool = False


@dataclass(frozen=True)
class CopyPlan:
    """What becomes of the copy of an Auto Scaling group.

    Attributes
    ----------
    refused : the error code with which Auto Scaling refuses the copy; empty: it makes it
    never : so many of its instances do not come
    says : error code of the last activity where they do not
    launches : seconds until an instance is in service
    tagged : the original bears the opt-in tag, without which it may not be deleted
    instances : how its instances behave, in turn
    """

    refused: str
    never: int
    says: str
    launches: float
    tagged: bool
    instances: tuple[Newcomer, ...]


@dataclass(frozen=True)
class BlueGreenPlan:
    """How a blue/green deployment goes.

    Attributes
    ----------
    failing : instances on which a stage of their traffic's move fails, with its name
    calm : nobody stops it, and no host fails: it succeeds, if the world lets it
    scaled : the originals are the instances of an Auto Scaling group; some of them leave (target id, seconds)
    attached : that group is attached to the balancers itself
    copy : that group is copied; otherwise every second host is a replacement instance
    minimum : of each fleet
    ready, terminate : minutes of the two waits; None: no wait, and the originals are kept
    continued_after : seconds after which somebody lets the traffic move
    """

    minimum: tuple[str, int]
    ready: int | None
    terminate: int | None
    continued_after: float | None
    failing: tuple[tuple[str, str], ...] = ()
    calm: bool = False
    scaled: bool = False
    leaving: tuple[tuple[str, float], ...] = ()
    attached: bool = False
    copy: CopyPlan | None = None


@dataclass(frozen=True)
class Newcomer:
    """An instance that Auto Scaling launches.

    Attributes
    ----------
    registers_after : seconds until its SSM agent registers; None: never
    leaves_after : seconds until it is to end; None: it stays
    pooled_for : seconds until it leaves the warm pool, into which it is launched; None: it goes into service at once
    """

    target_id: str
    at: float
    fails: frozenset[str]
    takes: float
    registers_after: float | None
    leaves_after: float | None
    pooled_for: float | None = None


@dataclass(frozen=True)
class ScalingPlan:
    """What Auto Scaling does beside the deployments of the fleet.

    Attributes
    ----------
    suspends : processes that the fleet's deployments suspend
    suspended : those that somebody else has suspended
    switched_at : when UpdateDeploymentGroup turns the termination hook on, or off; seconds
    hook_lost_at : when somebody removes the launch hook by hand
    refusals : calls that Auto Scaling refuses, as a right is missing, each from when until when; seconds
    """

    newcomers: tuple[Newcomer, ...]
    termination_hook: bool
    strategy: str
    suspends: tuple[str, ...] = ()
    suspended: frozenset[str] = frozenset()
    switched_at: tuple[float, ...] = ()
    hook_lost_at: float | None = None
    refusals: tuple[tuple[str, float, float], ...] = ()

    @property
    def kinds(self) -> list[str]:
        """What it has besides instances that come and go."""
        found = {
            "warm pool": any(each.pooled_for is not None for each in self.newcomers),
            "suspended processes": bool(self.suspends),
            "termination hook switched": bool(self.switched_at),
            "launch hook lost": self.hook_lost_at is not None,
            "calls refused": bool(self.refusals),
        }
        return [f"Auto Scaling, {kind}" for kind, has in found.items() if has]


@dataclass(frozen=True)
class Scenario:
    """All that is drawn before a play begins."""

    seed: int
    hosts: tuple[HostPlan, ...]
    wishes: tuple[Wish, ...]
    balanced: bool
    last_good: str
    rates: dict[str, float]
    env: dict[str, str] = field(default_factory=dict)
    blue_green: BlueGreenPlan | None = None
    scaling: ScalingPlan | None = None
    patience: int = 5  # tries of a step that fail in a row by the world's doing; the machine makes seven

    @property
    def kinds(self) -> list[str]:
        """The kinds of deployment it asks for."""
        if self.blue_green:
            if self.blue_green.copy:
                return ["blue/green, copied Auto Scaling group"]
            return [f"blue/green{', originals of an Auto Scaling group' if self.blue_green.scaled else ''}"]
        place = "behind a balancer" if self.balanced else "in place"
        boxes = sum(host.box is not None for host in self.hosts)
        found = []
        for wish in self.wishes:
            how = "by zones" if wish.zonal else "at once"
            found.append(f"{place}, {how}{', restart' if wish.restart else ''}")
        if boxes:
            found.append(f"{place}, on-premises instances{'' if boxes == len(self.hosts) else ' and EC2 instances'}")
        if self.scaling:
            found.append(f"Auto Scaling{', terminations too' if self.scaling.termination_hook else ''}")
            found += self.scaling.kinds
        return found
