"""From the fleet as it was found to a ledger, or to the reason why nothing can start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tidegate.model.cells import Origin, Outcome, cell
from tidegate.model.decisions import Decision
from tidegate.model.deployment import ErrorCode
from tidegate.model.ledger import Closing, Ledger, Member, Roster
from tidegate.model.legs import ONLY_STAGE, Leg, Stage, whole_fleet
from tidegate.rollout.way import Zonal, zone_legs
from tidegate.rollout.words import count


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host that the group selects, with what is known of it.

    ``healthy`` is None for a host the group has never deployed to (AWS counts it as unhealthy); ``revision_key`` is
    the revision last installed on it with success; ``zone`` its Availability Zone. The rest is as in the roster
    (`Member`).
    """

    target_id: str
    healthy: bool | None = None
    revision_key: str = ""
    opted_in: bool = True
    zone: str = ""
    nodes: tuple[str, ...] | None = None
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The roster, the ledger to begin with (closing already where nothing may start), and why."""

    roster: Roster
    ledger: Ledger
    decision: Decision


def minimum_healthy(kind: str, value: int, total: int) -> int:
    """Targets that must stay healthy, fixed when the deployment starts (API: MinimumHealthyHosts).

    ``HOST_COUNT``: the value. ``FLEET_PERCENT``: that share, rounded up. ``MOST_CONCURRENCY``: all but that many
    (what CodeDeployDefault.OneAtATime is).

    >>> minimum_healthy("FLEET_PERCENT", 95, 10), minimum_healthy("FLEET_PERCENT", 50, 9)
    (10, 5)
    >>> minimum_healthy("MOST_CONCURRENCY", 1, 6), minimum_healthy("MOST_CONCURRENCY", 1, 1)
    (5, 0)
    """
    if kind == "HOST_COUNT":
        return value
    if kind == "FLEET_PERCENT":
        return -(-total * value // 100)
    if kind == "MOST_CONCURRENCY":
        return max(total - value, 0)
    raise ValueError(f"minimum healthy hosts of type {kind!r}: expected HOST_COUNT, FLEET_PERCENT or MOST_CONCURRENCY")


def origin(candidate: Candidate, last_good: str) -> Origin:
    """The class a host is picked in (AWS: "Instance health": revision health and instance health)."""
    if not candidate.healthy:
        return Origin.UNHEALTHY
    if not candidate.revision_key:
        return Origin.UNKNOWN
    return Origin.CURRENT if candidate.revision_key == last_good else Origin.OLD


def plan(
    candidates: Sequence[Candidate],
    minimum: tuple[str, int],
    *,
    last_good: str,
    now: float,
    outdated_for: str = "",
    only: Collection[str] | None = None,
    stages: Sequence[Stage] = (Stage(ONLY_STAGE),),
    zonal: Zonal | None = None,
    most: int | None = None,
) -> Plan:
    """Order the fleet of an in-place deployment, fix its minimum and lay out its way.

    Parameters
    ----------
    candidates : the hosts the group selects
    minimum : type and value of the configuration's minimum healthy hosts
    last_good : key of the group's last successful revision, or ""
    now : epoch seconds
    outdated_for : when set, hosts that already run this revision (healthy) are left out
    only : when set, all hosts but these are left out too. Where the minimum of the whole fleet, for which those left
        out count that are healthy, asks for less, that one holds: by its own, one newcomer might never be taken out
    stages : what each target goes through
    zonal : one zone after another, in the order of their names; ``None`` for all at once. With on-premises
        instances, which are in no zone, nothing is begun
    most : most hosts of a deployment, as the stack's parameter has it; ``None`` for any number
    """
    found = len(candidates)
    outdated = [c for c in candidates if not (outdated_for and c.healthy and c.revision_key == outdated_for)]
    wanted = [c for c in outdated if only is None or c.target_id in only]
    ordered = sorted(wanted, key=lambda c: (c.zone if zonal else "", origin(c, last_good), c.target_id))
    total = len(ordered)
    if most is not None and total > most:
        return too_many(total, most, now)
    floor, beside = minimum_healthy(*minimum, total), ""
    if only is not None and total:
        floor, beside = _beside_others(floor, candidates, wanted, minimum)
    closing, decision = _verdict_on_fleet(found, found - len(outdated), total, floor, minimum, now, beside)
    legs: tuple[Leg, ...] = (whole_fleet(total, floor, stages),)
    boxes = [c.target_id for c in ordered if c.nodes is not None]
    if zonal is not None and closing is None and boxes:
        closing, decision = _verdict_without_zone(boxes, decision, now)
    elif zonal is not None and closing is None and total:
        zones = sorted(Counter(c.zone for c in ordered).items())
        per_zone = [minimum_healthy(zonal.kind, zonal.value, size) for _, size in zones]
        legs = zone_legs(zones, floor, per_zone, zonal, tuple(stages))
        closing, decision = _verdict_on_zones(zones, per_zone, decision, now)
    cells = bytes(cell(Outcome.PENDING, origin(c, last_good)) for c in ordered)
    return Plan(
        roster=Roster(tuple(Member(c.target_id, c.opted_in, c.nodes, c.suffix) for c in ordered)),
        ledger=Ledger(
            cells=cells, minimum=floor, closing=closing, changed_at=now, legs=legs, leg_since=now, silent=True
        ),
        decision=decision,
    )


def _beside_others(
    floor: int, candidates: Sequence[Candidate], chosen: Sequence[Candidate], minimum: tuple[str, int]
) -> tuple[int, str]:
    """How many of the chosen must stay healthy where others of the fleet are, and a sentence where these are fewer.

    Parameters
    ----------
    floor : by the minimum of the chosen alone
    """
    ids = {each.target_id for each in chosen}
    whole = minimum_healthy(*minimum, len(candidates))
    others = sum(each.healthy is True for each in candidates if each.target_id not in ids)
    least = max(0, whole - others)
    if least >= floor:
        return floor, ""
    told = f" Of all {count(len(candidates), 'instance')} {whole} must; {others} of those left out are healthy."
    return least, told


def too_many(total: int, most: int, now: float) -> Plan:
    """A plan without targets: a fleet that is too large is not written down either."""
    reason = (
        f"The deployment group selects {count(total, 'instance')}, and a deployment may have {most} at most. Raise the "
        "stack's parameter MaxInstances, or split the deployment group by its tags."
    )
    code = ErrorCode.OVER_MAX_INSTANCES
    closing, decision = refused(code, reason, {"total": total, "most": most}, now)
    return Plan(Roster(()), Ledger(b"", 0, closing=closing, changed_at=now, leg_since=now), decision)


def refused(code: str, reason: str, facts: dict[str, int | str], now: float) -> tuple[Closing, Decision]:
    """How a fleet is refused that cannot be deployed to: the stop condition, and the plan's decision."""
    return Closing("Failed", code, reason, now), Decision("Plan", code, reason, facts)


def _verdict_without_zone(boxes: Sequence[str], planned: Decision, now: float) -> tuple[Closing, Decision]:
    """On-premises instances are in no Availability Zone, so no turn among the zones is theirs."""
    first = min(boxes)
    others = f" and {count(len(boxes) - 1, 'other')}" if len(boxes) > 1 else ""
    verb = "are on-premises instances" if others else "is an on-premises instance"
    reason = (
        f"The deployment configuration goes from one Availability Zone to the next (zonalConfig), and {first}{others} "
        f"{verb}, in no zone. Deploy to on-premises instances by a deployment group of their own, or with a "
        "configuration without zonalConfig."
    )
    code = ErrorCode.HEALTH_CONSTRAINTS_INVALID
    return refused(code, reason, planned.facts, now)


def _verdict_on_zones(
    zones: Sequence[tuple[str, int]], per_zone: Sequence[int], planned: Decision, now: float
) -> tuple[Closing | None, Decision]:
    """A zone that must stay whole can never be deployed to; otherwise the plan, with its zones."""
    for (name, size), floor in zip(zones, per_zone, strict=True):
        if floor >= size:
            reason = (
                f"{floor} of {count(size, 'instance')} in zone {name} must stay healthy, so not one of them may be "
                "taken out to be deployed to. Lower the minimum of the zones or add instances there."
            )
            code = ErrorCode.HEALTH_CONSTRAINTS_INVALID
            return refused(code, reason, planned.facts, now)
    order = ", ".join(f"{name} ({size}, {floor} stay)" for (name, size), floor in zip(zones, per_zone, strict=True))
    reason = f"{planned.reason} One zone after another: {order}."
    return None, Decision("Plan", planned.code, reason, {**planned.facts, "zones": len(zones)})


def _verdict_on_fleet(
    found: int, current: int, total: int, floor: int, minimum: tuple[str, int], now: float, beside: str
) -> tuple[Closing | None, Decision]:
    kind, value = minimum
    facts: dict[str, int | str] = {"total": total, "minimum": floor, "type": kind, "value": value}
    if found == 0:
        code = ErrorCode.NO_INSTANCES
        reason = (
            "No instance matches the deployment group: no running or stopped EC2 instance and no registered "
            "on-premises instance carries its tags, and no instance is in service in an Auto Scaling group of its. "
            "Tag the instances, or correct the group's tag filters or Auto Scaling groups."
        )
    elif total == 0:
        reason = f"Nothing is to be done: all {count(found, 'instance')} already run this revision."
        if current < found:
            reason = (
                f"Nothing is to be done: of {count(found, 'instance')} {current} already run this revision, and those "
                "that were launched meanwhile are not among the others."
            )
        return None, Decision("Plan", "NOTHING_OUTDATED", reason, facts)
    elif floor >= total:
        code = ErrorCode.HEALTH_CONSTRAINTS_INVALID
        reason = (
            f"{kind} {value} asks for {floor} of {count(total, 'instance')} to "
            "stay healthy, so not one of them may be taken "
            f"out to be deployed to.{beside} Lower the minimum or add instances."
        )
    else:
        reason = (
            f"{count(total, 'instance')} will be deployed to; {floor} must stay healthy ({kind} {value}), "
            f"so at most {total - floor} are out at a time.{beside}"
        )
        return None, Decision("Plan", "PLANNED", reason, facts)
    return refused(code, reason, facts, now)
