"""From flights that were written down to flights that have their commands; pure bookkeeping around sending."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tidegate.model.cells import Outcome
from tidegate.model.decisions import Decision
from tidegate.model.ledger import Flight, Ledger, Member
from tidegate.rollout.words import count

_NOT_OPTED_IN = (
    "The instance does not carry the tag {tag}, without which no command may be sent to it. "
    "Add the tag and deploy again."
)
_NO_NODE = (
    "No managed node of Systems Manager answers to the on-premises instance {instance}. Run 'tidegate hosts register "
    "{instance}' and, on the machine, what it prints; or tag its node with tidegate:instance-name={instance}. "
    "Then deploy again."
)
_MANY_NODES = (
    "Several managed nodes answer to the on-premises instance {instance}: {nodes}. Deregister those that are gone "
    "(aws ssm deregister-managed-instance), or tag the others with their own tidegate:instance-name. Then deploy again."
)
_NODE_NOT_OPTED_IN = (
    "The managed node {nodes} of the on-premises instance {instance} does not carry the tag {key}={value}, without "
    "which no command may be sent to it. Add it (aws ssm add-tags-to-resource --resource-type ManagedInstance "
    "--resource-id {nodes} --tags Key={key},Value={value}) and deploy again."
)

Commands = Sequence[tuple[str, Collection[str]]]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What became of one flight: the flights it turned into, and whether the rest is given up.

    What is in no part of ``done`` stays behind as an unsent flight, or is skipped where ``give_up`` is set.
    """

    flight: Flight
    done: list[Flight]
    give_up: bool = False


def adopted(flight: Flight, commands: Commands, positions: Mapping[str, int], now: float) -> list[Flight]:
    """A flight's targets by the commands that were sent to them.

    Parameters
    ----------
    commands : command ids with the target ids they went to
    positions : target id to ledger position
    now : when they were sent, or found again: not earlier than their order was published, so that a target is given up
        only when its order has expired
    """
    mine = set(flight.positions)
    found: list[Flight] = []
    for command_id, target_ids in commands:
        hit = sorted(mine & {positions[each] for each in target_ids if each in positions})
        mine -= set(hit)
        if hit:
            found.append(replace(flight, positions=tuple(hit), command_id=command_id, sent_at=now))
    return found


def refused(flight: Flight, positions: Sequence[int], why: str) -> list[Flight]:
    """Targets of a flight that may not be commanded at all; the next look fails them with ``why``."""
    return [replace(flight, positions=tuple(positions), refusal=why)] if positions else []


def why_not(member: Member, opt_in_tag: tuple[str, str]) -> str:
    """Why a target may not be commanded at all, with what to do about it; empty where it may.

    ``{instance}`` and ``{nodes}`` stand for the target's own name and nodes (`worded`): one text serves a whole flight.
    """
    tag = "=".join(opt_in_tag)
    if member.nodes is None:
        return "" if member.opted_in else _NOT_OPTED_IN.format(tag=tag)
    if not member.nodes:
        return _NO_NODE
    if len(member.nodes) > 1:
        return _MANY_NODES
    return (
        "" if member.opted_in else _NODE_NOT_OPTED_IN.replace("{key}", opt_in_tag[0]).replace("{value}", opt_in_tag[1])
    )


def worded(text: str, member: Member) -> str:
    """A text with the target's own name and nodes in it."""
    return text.replace("{instance}", member.target_id).replace("{nodes}", ", ".join(member.nodes or ()))


def remaining(flight: Flight, done: Sequence[Flight]) -> Flight | None:
    """The part of a flight that is not done, or None."""
    gone = {position for each in done for position in each.positions}
    left = tuple(position for position in flight.positions if position not in gone)
    return replace(flight, positions=left) if left else None


def withdrawn(flight: Flight, done: list[Flight]) -> Dispatch:
    """Give up what is not done of a flight: the stop condition came true before it was sent."""
    return Dispatch(flight, done, give_up=True)


def dispatched(ledger: Ledger, results: Sequence[Dispatch], now: float) -> tuple[Ledger, list[Decision]]:
    """The ledger after sending, and what is to be told of it."""
    by_key = {result.flight.key: result for result in results}
    flights: list[Flight] = []
    skipped: list[int] = []
    decisions: list[Decision] = []
    for flight in ledger.flights:
        result = by_key.get(flight.key) if flight.unsent else None
        if result is None:
            flights.append(flight)
            continue
        flights += result.done
        left = remaining(flight, result.done)
        if left is None:
            continue
        if result.give_up:
            skipped += left.positions
        else:
            # Its next command needs a comment of its own; while nothing was sent the flight stays as it is.
            flights.append(replace(left, key=flight.key + "+") if result.done else left)
            decisions += _unreachable(flight, left, first="+" not in flight.key)
    if skipped:
        reason = (
            f"{count(len(skipped), 'instance')} had not been sent a command when the deployment began to stop; skipped."
        )
        decisions.append(Decision("Batch", "WITHDRAWN", reason))
    changed_at = now if tuple(flights) != ledger.flights else ledger.changed_at
    return replace(ledger.moved(skipped, Outcome.SKIPPED), flights=tuple(flights), changed_at=changed_at), decisions


def _unreachable(flight: Flight, left: Flight, *, first: bool) -> list[Decision]:
    """Told once, when a part of a flight goes and a part stays behind."""
    if not first or len(left.positions) == len(flight.positions):
        return []
    reason = (
        f"{count(len(left.positions), 'instance')} cannot be reached through Systems Manager yet; tried again later."
    )
    return [Decision("Batch", "UNREACHABLE", reason)]
