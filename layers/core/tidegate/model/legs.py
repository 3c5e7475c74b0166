"""Legs and stages: the way of a fleet through its deployment, as data.

A deployment is one leg after another; a leg takes a range of the fleet through its stages. In place there is one leg
of all targets (one a zone where the configuration is zonal); blue/green has one for the replacement fleet's
installation, one for its traffic, and so on. What may be out at a time, and what must have succeeded when a leg ends,
are constraints over ranges of the fleet, so every kind of deployment is judged and picked by the same equations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final


class StageKind(StrEnum):
    """What happens to a target in a stage."""

    HOST = "host"  # lifecycle events on the host: one command
    BLOCK = "block"  # deregistered from its balancers, and drained
    ALLOW = "allow"  # registered with its balancers, until healthy
    TERMINATE = "terminate"  # the instance is ended

    @property
    def on_host(self) -> bool:
        """Whether a command is sent for it."""
        return self is StageKind.HOST


class WaitKind(StrEnum):
    """What a deployment waits for before a leg."""

    MONITOR = "MONITOR"  # a zone is watched before the next one
    READY = "READY_WAIT"  # the replacement fleet is ready; ContinueDeployment, or the time, lets traffic move
    TERMINATION = "TERMINATION_WAIT"  # the originals are kept for a while


@dataclass(frozen=True, slots=True)
class Stage:
    """What a target passes through between two waits.

    Attributes
    ----------
    name : unique within the deployment; names the stage to hosts
    events : the lifecycle events that run, in order
    limit : longest it may take once begun on a target, in seconds; 0 leaves it to the rules
    """

    name: str
    kind: StageKind = StageKind.HOST
    events: tuple[str, ...] = ()
    limit: float = 0.0


@dataclass(frozen=True, slots=True)
class Constraint:
    """Of the targets from ``first`` up to ``last`` (excluded), ``count`` must be healthy; ``name`` says which."""

    first: int
    last: int
    count: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause before a leg.

    Attributes
    ----------
    seconds : how long
    stops : the deployment is stopped when the time is over and nobody continued it; otherwise it goes on
    """

    kind: WaitKind
    seconds: float
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Leg:
    """A range of targets, and the stages they go through together.

    Attributes
    ----------
    name : as told in decisions: a zone, or a part of blue/green
    first, last : positions, the last excluded
    keep : what must stay healthy while targets are taken out
    needs : what must have succeeded when the leg ends
    strict : the first failure ends the deployment (deregistration of an original fleet)
    wait : the pause before it
    paces : its targets serve nobody yet, so ``keep`` only says how many go at a time: where as many failed before as
        may fail, one still goes
    """

    name: str
    first: int
    last: int
    stages: tuple[Stage, ...]
    keep: tuple[Constraint, ...] = ()
    needs: Constraint | None = None
    strict: bool = False
    wait: Wait | None = None
    paces: bool = False

    @property
    def positions(self) -> range:
        """The leg's targets."""
        return range(self.first, self.last)

    @property
    def events(self) -> tuple[str, ...]:
        """The events of all its stages."""
        return tuple(event for stage in self.stages for event in stage.events)

    @property
    def only_ends(self) -> bool:
        """Whether its targets are only ended: for them the deployment is over."""
        return bool(self.stages) and all(stage.kind is StageKind.TERMINATE for stage in self.stages)

    @property
    def installs(self) -> bool:
        """Whether the revision is put to work on its targets, not only their traffic or life changed."""
        on_host = [stage.events for stage in self.stages if stage.kind.on_host]
        return any(not events or "ApplicationStart" in events for events in on_host)


WHOLE: Final = "fleet"
ONLY_STAGE: Final = "host"


def whole_fleet(total: int, minimum: int, stages: Iterable[Stage] = (Stage(ONLY_STAGE),)) -> Leg:
    """The one leg of an in-place deployment without zones."""
    return Leg(
        WHOLE,
        0,
        total,
        tuple(stages),
        keep=(Constraint(0, total, minimum),),
        needs=Constraint(0, total, max(1, minimum)),
    )


def events_of(legs: Iterable[Leg], position: int) -> list[str]:
    """All lifecycle events that a target goes through, in order."""
    return [event for leg in legs if leg.first <= position < leg.last for event in leg.events]


@lru_cache(maxsize=1 << 8)
def to_text(legs: tuple[Leg, ...]) -> str:
    """Legs as the table keeps them: JSON, for they hardly change from pass to pass, and each one writes and reads them.

    >>> way = (whole_fleet(3, 1, [Stage("host", events=("Install",), limit=60.0)]),)
    >>> from_text(to_text(way)) == way, to_text(()), from_text("")
    (True, '', ())
    """
    return json.dumps([_to_item(each) for each in legs], separators=(",", ":")) if legs else ""


@lru_cache(maxsize=1 << 8)
def from_text(text: str) -> tuple[Leg, ...]:
    """The legs in what :func:`to_text` made."""
    return tuple(_from_item(each) for each in json.loads(text)) if text else ()


def _to_item(leg: Leg) -> dict[str, Any]:
    def constraint(each: Constraint) -> list[Any]:
        return [each.first, each.last, each.count, each.name]

    return {
        "name": leg.name,
        "first": leg.first,
        "last": leg.last,
        "stages": [[s.name, s.kind.value, list(s.events), s.limit] for s in leg.stages],
        "keep": [constraint(each) for each in leg.keep],
        "needs": leg.needs and constraint(leg.needs),
        "strict": leg.strict,
        "wait": leg.wait and [leg.wait.kind.value, leg.wait.seconds, leg.wait.stops],
        **({"paces": True} if leg.paces else {}),
    }


def _from_item(item: Mapping[str, Any]) -> Leg:
    wait = item["wait"]
    return Leg(
        name=item["name"],
        first=item["first"],
        last=item["last"],
        stages=tuple(
            Stage(name, StageKind(kind), tuple(events), limit) for name, kind, events, limit in item["stages"]
        ),
        keep=tuple(Constraint(*each) for each in item["keep"]),
        needs=Constraint(*item["needs"]) if item["needs"] else None,
        strict=item["strict"],
        wait=Wait(WaitKind(wait[0]), wait[1], wait[2]) if wait else None,
        paces=item.get("paces", False),
    )
