"""Instances that cannot answer any more, as far as Amazon EC2 knows: terminated during their deployment, or stopped.

Systems Manager does not tell: the command of a terminated instance runs until its time is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tidegate.gateways.errors import FleetFault, GatewayError
from tidegate.model.cells import Outcome
from tidegate.model.decisions import Sight, Sighting

if TYPE_CHECKING:
    from tidegate.model.ledger import Flight, Member, Roster
    from tidegate.rollout import Rules, TargetChange
    from tidegate.runtime import Runtime

TERMINATED: Final = (
    "The instance was terminated (Amazon EC2) before its deployment had ended; what was left to be done on it was not."
)
_GONE: Final = frozenset({"shutting-down", "terminated"})
_STOPPED: Final = frozenset({"stopping", "stopped"})


def without_the_terminated(
    seen: Mapping[int, Sighting], flights: Sequence[Flight], roster: Roster, rules: Rules, now: float, runtime: Runtime
) -> dict[int, Sighting]:
    """What is seen of the flights' targets, with those gone that are terminated.

    Only who has worked for longer than a silent agent is waited for is asked about: most deployments ask nothing.
    """
    late = [
        position
        for flight in flights
        if now - flight.sent_at > rules.undelivered_after
        for position in flight.positions
        if seen[position].sight is Sight.RUNNING and roster.members[position].nodes is None
    ]
    states = _states(roster.ids(late), runtime)
    gone = [position for position in late if states.get(roster.members[position].target_id) in _GONE]
    return {**seen, **dict.fromkeys(gone, Sighting(Sight.GONE, detail=TERMINATED))}


def messages(changes: Sequence[TargetChange], members: Sequence[Member], runtime: Runtime) -> list[str]:
    """Why each target failed, with what EC2 says of an instance that did not answer."""
    silent = [
        change.outcome is Outcome.FAILED
        and change.report is None
        and change.stage.kind.on_host
        and member.nodes is None
        and change.message != TERMINATED
        for change, member in zip(changes, members, strict=True)
    ]
    states = _states([member.target_id for member, told in zip(members, silent, strict=True) if told], runtime)
    return [
        _worded(change.message, states.get(member.target_id, "")) if told else change.message
        for change, member, told in zip(changes, members, silent, strict=True)
    ]


def _worded(message: str, state: str) -> str:
    if state in _GONE:
        return TERMINATED
    if state in _STOPPED:
        return f"The instance is {state} (Amazon EC2): start it, or take it out of the deployment group. {message}"
    return message


def _states(instance_ids: Sequence[str], runtime: Runtime) -> Mapping[str, str]:
    """States by id; nothing where EC2 cannot be asked, for this only tells why."""
    if not instance_ids:
        return {}
    try:
        return runtime.instances.states(instance_ids)
    except (GatewayError, FleetFault):
        return {}
