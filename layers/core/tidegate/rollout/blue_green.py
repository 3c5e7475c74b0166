"""Blue/green on servers: from two fleets to a ledger, and who has the traffic when a deployment ends.

A replacement instance that is past the first stage of its traffic leg, which only runs scripts, may be registered;
before that leg, and where it failed earlier, its stage is 0. So the ledger alone tells who may have traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tidegate.model.cells import Origin, Outcome, cell, outcome_of, stage_of
from tidegate.model.decisions import Decision
from tidegate.model.deployment import BLUE, GREEN, ErrorCode
from tidegate.model.ledger import Closing, Ledger, Member, Roster
from tidegate.model.legs import StageKind
from tidegate.rollout.plan import Candidate, Plan, minimum_healthy, origin, refused, too_many
from tidegate.rollout.way import BALANCER_LIMIT, BlueGreen, Limit, blue_green_legs, traffic_back_legs
from tidegate.rollout.words import count


class Traffic(StrEnum):
    """Who has the traffic of a blue/green deployment."""

    ORIGINALS = "originals"  # none was moved
    MOVED = "moved"  # some or all of it; the originals still exist
    REPLACEMENT_ALONE = "replacement"  # the end of the originals has begun


@dataclass(frozen=True, slots=True)
class Stages:
    """What the ways of blue/green are made of: the events on a host, and how long they and the balancers may take."""

    host_events: Sequence[str]
    limit: Limit
    balancer_limit: float = BALANCER_LIMIT


def plan_blue_green(
    green: Sequence[Candidate],
    blue: Sequence[Candidate],
    minimum: tuple[str, int],
    how: BlueGreen,
    stages: Stages,
    *,
    last_good: str,
    now: float,
    most: int | None = None,
) -> Plan:
    """Order both fleets, the replacement first, fix their minimums and lay out the way.

    Parameters
    ----------
    green, blue : the replacement instances, and the originals
    minimum : type and value of the configuration's minimum healthy hosts, which are of the replacement fleet
        (AWS: "Instance health"). The originals lose their traffic at the same pace; of them one at least goes at a time
    last_good : key of the group's last successful revision, or ""
    now : epoch seconds
    most : most hosts of either fleet, as the stack's parameter has it
    """
    for fleet in (green, blue):
        if most is not None and len(fleet) > most:
            return too_many(len(fleet), most, now)
    ordered = [sorted(each, key=lambda c: (origin(c, last_good), c.target_id)) for each in (green, blue)]
    floor = minimum_healthy(*minimum, len(green))
    blue_floor = min(minimum_healthy(*minimum, len(blue)), max(0, len(blue) - 1))
    closing, decision = _verdict(green, blue, floor, minimum, now)
    legs = blue_green_legs(
        len(green), len(blue), floor, blue_floor, how, stages.host_events, stages.limit, stages.balancer_limit
    )
    # Replacement instances serve nobody yet, and of the originals the leg's own pace counts: none is to be kept from
    # going because it is healthy.
    cells = bytes([cell(Outcome.PENDING, Origin.UNHEALTHY)] * (len(green) + len(blue)))
    members = [_member(c, label) for label, fleet in zip((GREEN, BLUE), ordered, strict=True) for c in fleet]
    ledger = Ledger(cells=cells, minimum=floor, closing=closing, changed_at=now, legs=legs, leg_since=now)
    return Plan(Roster(tuple(members)), ledger, decision)


def plan_traffic_back(
    failed: Ledger, roster: Roster, gone: Sequence[str], minimum: tuple[str, int], stages: Stages, now: float
) -> Plan:
    """The way back: traffic to the originals that still exist, then from the replacement instances that may have it.

    Parameters
    ----------
    failed, roster : those of the deployment that is rolled back
    gone : ids of originals that exist no more
    minimum : type and value; so many of the originals must have traffic before it is taken from the replacement
    """
    places = list(zip(roster.members, failed.cells, strict=True))
    blue = [member for member, _ in places if member.label == BLUE and member.target_id not in gone]
    green = [member for member, byte in places if member.label == GREEN and stage_of(byte) > 0]
    floor = min(minimum_healthy(*minimum, len(blue)), max(0, len(blue) - 1))
    closing = None
    facts: dict[str, int | str] = {"originals": len(blue), "replacement": len(green), "minimum": floor}
    reason = (
        f"Traffic goes back to {count(len(blue), 'original instance')}, then is taken from "
        f"{count(len(green), 'replacement instance')}."
    )
    code = "PLANNED"
    if not blue:
        code = ErrorCode.NO_INSTANCES
        reason = (
            "None of the original instances exists any more, so there is nothing to give the traffic back to. "
            "The replacement instances keep what they have."
        )
        closing = Closing("Failed", code, reason, now)
    legs = traffic_back_legs(len(blue), len(green), floor, stages.limit, stages.balancer_limit)
    cells = bytes([cell(Outcome.PENDING, Origin.UNHEALTHY)] * (len(blue) + len(green)))
    ledger = Ledger(cells=cells, minimum=floor, closing=closing, changed_at=now, legs=legs, leg_since=now)
    return Plan(Roster((*blue, *green)), ledger, Decision("Plan", code, reason, facts))


def traffic_of(ledger: Ledger) -> Traffic:
    """Who has the traffic, as the ledger of a blue/green deployment tells it."""
    moving, leg = _traffic_leg(ledger), ledger.current
    if leg.only_ends and any(_begun(ledger.cells[i]) for i in leg.positions):
        return Traffic.REPLACEMENT_ALONE
    if ledger.leg < moving or (ledger.leg == moving and not any(stage_of(ledger.cells[i]) for i in leg.positions)):
        return Traffic.ORIGINALS
    return Traffic.MOVED


def _traffic_leg(ledger: Ledger) -> int:
    """The number of the leg that gives traffic to the replacement."""
    kinds = [{stage.kind for stage in leg.stages} for leg in ledger.way]
    return next((i for i, found in enumerate(kinds) if StageKind.ALLOW in found), len(kinds))


def _begun(byte: int) -> bool:
    return outcome_of(byte) in (Outcome.IN_FLIGHT, Outcome.SUCCEEDED, Outcome.FAILED)


def _verdict(
    green: Sequence[Candidate], blue: Sequence[Candidate], floor: int, minimum: tuple[str, int], now: float
) -> tuple[Closing | None, Decision]:
    facts: dict[str, int | str] = {"replacement": len(green), "originals": len(blue), "minimum": floor}
    both = sorted({c.target_id for c in green} & {c.target_id for c in blue})
    code: str = ErrorCode.HEALTH_CONSTRAINTS_INVALID
    if not green:
        code = ErrorCode.NO_INSTANCES
        reason = (
            "There is no replacement instance: no running or stopped EC2 instance is what 'targetInstances' of the "
            "deployment asks for. Tag the replacement instances, or correct the tags and Auto Scaling groups that "
            "'targetInstances' names."
        )
    elif both:
        reason = (
            f"{count(len(both), 'instance')} would be both original and replacement: {', '.join(both[:5])}"
            f"{', …' if len(both) > 5 else ''}. Give 'targetInstances' tags or Auto Scaling groups that select none "
            "of the deployment group's own instances."
        )
    elif floor >= len(green):
        reason = (
            f"{minimum[0]} {minimum[1]} asks for {floor} of {count(len(green), 'replacement instance')} to stay "
            "healthy, so not one of them may be deployed to. Lower the minimum or add instances."
        )
    else:
        reason = (
            f"{count(len(green), 'replacement instance')} will be deployed to, {max(1, floor)} of which must succeed "
            f"({minimum[0]} {minimum[1]}); then traffic moves to them from {count(len(blue), 'original instance')}."
        )
        return None, Decision("Plan", "PLANNED", reason, facts)
    return refused(code, reason, facts, now)


def _member(candidate: Candidate, label: str) -> Member:
    return Member(candidate.target_id, candidate.opted_in, candidate.nodes, candidate.suffix, label)
