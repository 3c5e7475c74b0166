"""The ledger: one compact record a deployment, holding every target's place; and the roster, which names them.

A target is one byte (:mod:`tidegate.model.cells`). The order of the bytes is the order in which targets are picked
(AWS: "Instance health", priority of deployments by health), so scheduling never sorts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tidegate.model.cells import Census, Outcome, outcome_of
from tidegate.model.legs import Leg, Stage, WaitKind, whole_fleet


class Purpose(StrEnum):
    """What a flight asks of its hosts."""

    RUN = "run"
    REPORT = "report"  # start nothing, tell what is recorded: for a command that ended without an answer


@dataclass(frozen=True, slots=True)
class Flight:
    """Targets set going together on one stage of the leg: what becomes one command, or one turn of the balancers.

    A flight is written before its command is sent (``command_id`` empty); that intent lets a handler that
    died in between find the command it may have sent. It leaves the ledger when none of its targets
    are in flight any more.

    Attributes
    ----------
    key : unique within the deployment; it stands in the command's comment
    begun_at, sent_at : epoch seconds; ``sent_at`` is 0 until sent
    refusal : why its targets cannot be commanded at all; empty otherwise
    asked : how often its targets have been asked for a report, this time included
    """

    key: str
    purpose: Purpose
    stage: int
    positions: tuple[int, ...]
    begun_at: float
    command_id: str = ""
    sent_at: float = 0.0
    refusal: str = ""
    asked: int = 0

    @property
    def begins(self) -> bool:
        """Whether its targets have not been touched in this leg before: then a stopping deployment leaves them alone.

        Those further on are taken to their leg's end, lest one stays without its traffic.
        """
        return self.purpose is Purpose.RUN and self.stage == 0

    @property
    def unsent(self) -> bool:
        """Whether no command is known for it yet."""
        return not self.command_id and not self.refusal


@dataclass(frozen=True, slots=True)
class Closing:
    """The stop condition, once true: nothing new starts, what runs is waited for.

    ``status`` is the deployment's final status (``Failed`` or ``Stopped``), ``code`` CodeDeploy's error code.
    """

    status: str
    code: str
    reason: str
    since: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """A deployment's targets, what is in flight, and whether it is closing.

    Attributes
    ----------
    cells : one byte a target, in order of selection
    minimum : healthy targets to keep, a count (``rollout.plan.minimum_healthy``)
    batches, decisions : how many were made; they number the next
    changed_at : epoch seconds of the last change, from which waiting grows
    settled : the end has been told in the history; only the deployment's own record is left to be ended
    legs : the way of the fleet; empty for one leg of all targets with one stage
    leg : number of the leg it is in
    leg_since : epoch seconds from which that leg's wait counts
    leg_open : the leg's wait is over, if it had one
    silent : no instance's SSM agent has answered yet, nor was one refused for another reason
    roster : names the roster whose order the cells have
    """

    cells: bytes
    minimum: int
    flights: tuple[Flight, ...] = ()
    closing: Closing | None = None
    batches: int = 0
    decisions: int = 0
    changed_at: float = 0.0
    settled: bool = False
    legs: tuple[Leg, ...] = ()
    leg: int = 0
    leg_since: float = 0.0
    leg_open: bool = False
    silent: bool = False
    roster: str = ""

    @property
    def way(self) -> tuple[Leg, ...]:
        """All legs."""
        return self.legs or (whole_fleet(len(self.cells), self.minimum),)

    @property
    def current(self) -> Leg:
        """The leg it is in."""
        return self.way[self.leg]

    @property
    def waiting(self) -> bool:
        """Whether the leg's wait is not over yet."""
        return self.current.wait is not None and not self.leg_open

    def stage(self, flight: Flight) -> Stage:
        """The stage a flight is on; flights are always of the current leg."""
        return self.current.stages[flight.stage]

    def outcome(self, position: int) -> Outcome:
        """The outcome of one target."""
        return outcome_of(self.cells[position])

    def census(self, first: int = 0, last: int | None = None) -> Census:
        """Count the targets, or those of a range, by what the rules of health ask about them."""
        return Census.of(self.cells[first:last])

    @property
    def waits_for(self) -> WaitKind | None:
        """What the leg still waits for, if for anything."""
        return self.current.wait.kind if self.waiting and self.current.wait is not None else None

    @property
    def status(self) -> str:
        """The deployment's status while it goes on: Ready while its replacement instances wait for traffic."""
        return "Ready" if self.waits_for is WaitKind.READY else "InProgress"

    @property
    def overview(self) -> dict[str, int]:
        """CodeDeploy's DeploymentOverview: targets that only wait for traffic are Ready.

        Original instances have succeeded once their traffic is gone, whether they are ended or not.
        """
        found, leg = self.census().overview, self.current
        here = self.census(leg.first, leg.last)
        if self.waits_for is WaitKind.READY:
            found |= {"Pending": found["Pending"] - here.pending, "Ready": here.pending}
        if leg.only_ends:
            left = {"Pending": here.pending, "InProgress": here.in_flight, "Skipped": here.skipped}
            found |= {name: found[name] - number for name, number in left.items()}
            found["Succeeded"] += sum(left.values())
        return found

    def positions(self, outcome: Outcome) -> list[int]:
        """The targets with an outcome, in order of selection."""
        return [i for i, byte in enumerate(self.cells) if byte & 0b111 == outcome]

    def moved(self, positions: Iterable[int], outcome: Outcome, stage: int | None = None) -> Ledger:
        """The ledger with some targets' outcome (and stage) changed."""
        cells = bytearray(self.cells)
        kept, new = (0b11111000, int(outcome)) if stage is None else (0b11000, outcome | stage << 5)
        for i in positions:
            cells[i] = cells[i] & kept | new
        return replace(self, cells=bytes(cells))


@dataclass(frozen=True, slots=True)
class Member:
    """A host of the fleet as the roster keeps it.

    Attributes
    ----------
    target_id : as everything shows it: the id of an EC2 instance, or the name of an on-premises one
    opted_in : carries the stack's opt-in tag, without which no command may be sent to it
    nodes : the managed nodes that answer to an on-premises instance's name; None for an EC2 instance, which is its own
    suffix : what an on-premises instance's ARN ends in
    label : ``Blue`` or ``Green`` (`model.deployment.BLUE`, ``GREEN``), empty in place
    """

    target_id: str
    opted_in: bool = True
    nodes: tuple[str, ...] | None = None
    suffix: str = ""
    label: str = ""

    @property
    def node_id(self) -> str:
        """What Systems Manager calls it; empty where no node, or more than one, answers to its name."""
        if self.nodes is None:
            return self.target_id
        return self.nodes[0] if len(self.nodes) == 1 else ""


@dataclass(frozen=True, slots=True)
class Roster:
    """The fleet in ledger order; written once."""

    members: Sequence[Member] = field(default_factory=tuple)

    def at(self, positions: Iterable[int]) -> list[Member]:
        """Members at some positions."""
        return [self.members[i] for i in positions]

    def node_ids(self, positions: Iterable[int]) -> list[str]:
        """What Systems Manager calls the targets at some positions, as far as it knows them."""
        return [node_id for member in self.at(positions) if (node_id := member.node_id)]

    def ids(self, positions: Iterable[int]) -> list[str]:
        """Target ids of some positions."""
        return [self.members[i].target_id for i in positions]
