"""Which targets go next."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.model.cells import Census, Origin, Outcome
from tidegate.model.decisions import Decision
from tidegate.model.ledger import Flight, Ledger, Purpose
from tidegate.rollout.rules import Rules
from tidegate.rollout.words import count


@dataclass(frozen=True, slots=True)
class Batch:
    """The targets a pass sets going (none where it only sends again), the ledger after it, and why."""

    positions: tuple[int, ...]
    ledger: Ledger
    decision: Decision | None


def room(census: Census, minimum: int) -> tuple[int, int]:
    """How many more targets may start: of any kind, and of the healthy ones among them.

    ``any = (total − failed) − minimum − in flight``; ``healthy = available − minimum``. A healthy target that goes
    out stops being available, so starting ``healthy`` of them leaves exactly the minimum.

    Nine healthy targets with a minimum of five: (4, 4). Then four are in flight: (0, 0). One of them failed: (0, 0),
    for the minimum holds with three in flight. Six never deployed to, minimum three: (3, −3): three
    unhealthy ones go, and no healthy one could.

    >>> room(Census(total=9, pending=9, healthy=9), 5)
    (4, 4)
    >>> room(Census(total=9, pending=5, in_flight=3, healthy_in_flight=3, failed=1, healthy=8), 5)
    (0, 0)
    >>> room(Census(total=6, pending=6, pending_unhealthy=6), 3)
    (3, -3)
    """
    potential = census.total - census.failed
    return potential - minimum - census.in_flight, census.available - minimum


def leg_room(ledger: Ledger) -> tuple[int, int]:
    """The room that all constraints of the current leg leave together; none while the leg still waits."""
    if ledger.waiting:
        return 0, 0
    leg = ledger.current
    rooms = [room(ledger.census(each.first, each.last), each.count) for each in leg.keep]
    everyone = leg.last - leg.first
    return min([everyone, *(r[0] for r in rooms)]), min([everyone, *(r[1] for r in rooms)])


def may_start(ledger: Ledger) -> int:
    """How many pending targets of the leg can be set going now."""
    anyone, healthy = leg_room(ledger)
    census = ledger.census(ledger.current.first, ledger.current.last)
    pending_healthy = census.pending - census.pending_unhealthy
    return max(0, min(anyone, census.pending_unhealthy + max(0, min(healthy, pending_healthy))))


def pick(ledger: Ledger, rules: Rules, now: float) -> Batch:
    """Choose targets of the leg in ledger order within the room there is, and cut them into flights.

    Returns an empty batch when the deployment is closing or there is no room; the caller then only sends
    the flights that have no command yet.
    """
    anyone, healthy = leg_room(ledger)
    if ledger.closing is not None or anyone <= 0:
        return Batch((), ledger, None)
    chosen: list[int] = []
    for position in ledger.current.positions:
        if len(chosen) >= anyone:
            break
        byte = ledger.cells[position]
        if byte & 0b111 != Outcome.PENDING:
            continue
        if byte >> 3 & 0b11 != Origin.UNHEALTHY:
            if healthy <= 0:
                break  # order of selection: every later target is healthy too
            healthy -= 1
        chosen.append(position)
    if not chosen:
        return Batch((), ledger, None)
    return Batch(tuple(chosen), _launched(ledger, chosen, rules, now), _decision(ledger, len(chosen)))


def _launched(ledger: Ledger, chosen: list[int], rules: Rules, now: float) -> Ledger:
    number = ledger.batches + 1
    size = rules.flight_size
    flights = tuple(
        Flight(f"{number:04d}.{i // size:02d}", Purpose.RUN, 0, tuple(chosen[i : i + size]), now)
        for i in range(0, len(chosen), size)
    )
    moved = ledger.moved(chosen, Outcome.IN_FLIGHT, stage=0)
    return replace(moved, flights=ledger.flights + flights, batches=number, changed_at=now)


def _decision(ledger: Ledger, chosen: int) -> Decision:
    leg = ledger.current
    tightest = min(leg.keep, key=lambda each: room(ledger.census(each.first, each.last), each.count)[0], default=None)
    census = ledger.census(tightest.first, tightest.last) if tightest else ledger.census(leg.first, leg.last)
    minimum = tightest.count if tightest else 0
    facts: dict[str, int | str] = {
        "batch": ledger.batches + 1,
        "chosen": chosen,
        "pending": census.pending,
        "inFlight": census.in_flight,
        "healthy": census.healthy,
        "minimum": minimum,
        "failed": census.failed,
    }
    where = ""
    if len(ledger.way) > 1:
        facts["leg"] = leg.name
        where = f" ({leg.name})"
    limit = census.total - census.failed - minimum
    reason = (
        f"{chosen} of {count(census.pending, 'pending instance')}{where} set going: "
        f"with {census.failed} of {census.total} failed "
        f"and a minimum of {minimum}, {limit} may be out at a time; {census.in_flight} were out, "
        f"{census.healthy} are healthy."
    )
    return Decision("Batch", "BATCH", reason, facts)
