"""Turns of the balancers: how a flight begins one, and what is seen of it. Pure; the calls are the gateway's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from tidegate.model.decisions import Diagnostics, EventRecord, HostReport, Sight, Sighting
from tidegate.model.ledger import Flight, Ledger, Roster
from tidegate.model.legs import Stage

#: What stands in a traffic flight for the id of a command: balancers give their turns none.
BALANCER: Final = "balancer"


def begun(flight: Flight, now: float) -> Flight:
    """The flight once its balancers have been asked."""
    return replace(flight, command_id=BALANCER, sent_at=now)


def commands_of(flights: Sequence[Flight]) -> list[Flight]:
    """The flights that are commands, of which Systems Manager sends events."""
    return [flight for flight in flights if flight.command_id not in ("", BALANCER)]


def traffic_sightings(
    stage: Stage, flight: Flight, roster: Roster, left: Mapping[str, str], now: float
) -> list[Sighting]:
    """What is seen of a traffic flight's targets, in the order of its positions.

    Parameters
    ----------
    left : by target id, why a target is not there yet; who is not in it is
    now : epoch seconds; an event that is over ended now
    """
    done = HostReport(
        "Succeeded", tuple(EventRecord(event, "Succeeded", flight.sent_at, now) for event in stage.events)
    )
    return [
        Sighting(Sight.RUNNING, detail=f"The instance was still {left[target_id]}")
        if target_id in left
        else Sighting(Sight.ANSWERED, done)
        for target_id in roster.ids(flight.positions)
    ]


def fault_sightings(stage: Stage, flight: Flight, message: str, now: float) -> list[Sighting]:
    """The sightings of a flight whose balancers cannot be used: its targets fail with that."""
    events = tuple(EventRecord(event, "Failed", flight.sent_at, now) for event in stage.events)
    why = Diagnostics(stage.events[0], "UnknownError", "", message, "")
    return [Sighting(Sight.ANSWERED, HostReport("Failed", events, why)) for _ in flight.positions]


def cannot_be_balanced(ledger: Ledger, roster: Roster) -> str:
    """Why the fleet cannot be put behind balancers, or nothing: on-premises instances are no targets of theirs."""
    names = [member.target_id for member in roster.members if member.nodes is not None]
    balanced = any(not stage.kind.on_host for leg in ledger.way for stage in leg.stages)
    if not names or not balanced:
        return ""
    some = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return (
        f"On-premises instances cannot be registered with a load balancer: {some}. Put them into a deployment group "
        "WITHOUT_TRAFFIC_CONTROL."
    )
