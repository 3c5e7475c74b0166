"""From the fleet as it was found to a ledger, or to the reason why nothing can start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.model.decisions import Decision
from tidegate.model.deployment import ErrorCode
from tidegate.model.ledger import Closing, Ledger, Member, Origin, Outcome, Roster, cell
from tidegate.rollout.words import count


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host that the group selects, with what is known of it.

    ``healthy`` is None for a host the group has never deployed to (AWS counts it as unhealthy); ``revision_key`` is
    the revision last installed on it with success.
    """

    target_id: str
    healthy: bool | None = None
    revision_key: str = ""
    opted_in: bool = True


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
) -> Plan:
    """Order the fleet and fix its minimum.

    Parameters
    ----------
    candidates : the hosts the group selects
    minimum : type and value of the configuration's minimum healthy hosts
    last_good : key of the group's last successful revision, or ""
    now : epoch seconds
    outdated_for : when set, hosts that already run this revision (healthy) are left out
    """
    found = len(candidates)
    wanted = [c for c in candidates if not (outdated_for and c.healthy and c.revision_key == outdated_for)]
    ordered = sorted(wanted, key=lambda c: (origin(c, last_good), c.target_id))
    total = len(ordered)
    floor = minimum_healthy(*minimum, total)
    closing, decision = _verdict_on_fleet(found, total, floor, minimum, now)
    cells = bytes(cell(Outcome.PENDING, origin(c, last_good)) for c in ordered)
    return Plan(
        roster=Roster(tuple(Member(c.target_id, c.opted_in) for c in ordered)),
        ledger=Ledger(cells=cells, minimum=floor, closing=closing, changed_at=now),
        decision=decision,
    )


def _verdict_on_fleet(
    found: int, total: int, floor: int, minimum: tuple[str, int], now: float
) -> tuple[Closing | None, Decision]:
    kind, value = minimum
    facts: dict[str, int | str] = {"total": total, "minimum": floor, "type": kind, "value": value}
    if found == 0:
        code = ErrorCode.NO_INSTANCES
        reason = (
            "No instance matches the deployment group: no running or stopped instance carries its tags. "
            "Tag the instances, or correct the group's tag filters."
        )
    elif total == 0:
        reason = f"Nothing is to be done: all {count(found, 'instance')} already run this revision."
        return None, Decision("Plan", "NOTHING_OUTDATED", reason, facts)
    elif floor >= total:
        code = ErrorCode.HEALTH_CONSTRAINTS_INVALID
        reason = (
            f"{kind} {value} asks for {floor} of {count(total, 'instance')} to "
            "stay healthy, so not one of them may be taken "
            "out to be deployed to. Lower the minimum or add instances."
        )
    else:
        reason = (
            f"{count(total, 'instance')} will be deployed to; {floor} must stay healthy ({kind} {value}), "
            f"so at most {total - floor} are out at a time."
        )
        return None, Decision("Plan", "PLANNED", reason, facts)
    return Closing("Failed", code, reason, now), Decision("Plan", code, reason, facts)
