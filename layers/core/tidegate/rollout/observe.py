"""The ledger brought up to date with what was seen of its commands, and with the clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from tidegate.model.cells import Outcome
from tidegate.model.decisions import HostReport, Sight, Sighting
from tidegate.model.ledger import Flight, Ledger, Purpose
from tidegate.model.legs import ONLY_STAGE, Stage
from tidegate.rollout.rules import Rules
from tidegate.rollout.words import seconds


@dataclass(frozen=True, slots=True)
class TargetChange:
    """A target that ended a stage in this pass.

    Attributes
    ----------
    stage : the stage that ended
    outcome : ``IN_FLIGHT`` where it goes on to the leg's next stage
    message : why it failed, where the host did not say
    """

    position: int
    outcome: Outcome
    report: HostReport | None
    message: str = ""
    stage: Stage = field(default_factory=lambda: Stage(ONLY_STAGE))


@dataclass(frozen=True, slots=True)
class Observed:
    """The new ledger, the targets that ended, and commands to cancel (command id to positions)."""

    ledger: Ledger
    changes: tuple[TargetChange, ...]
    cancels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def to_look_at(ledger: Ledger, changed: Collection[str], pass_number: int, rules: Rules, now: float) -> list[Flight]:
    """The sent flights worth a look: those a signal named, those past a deadline, and a rotating share of the rest.

    The share bounds the calls of a heartbeat pass whatever the fleet's size; it rotates with the pass, so each command
    is looked at in time.
    """
    urgent: list[Flight] = []
    rest: list[Flight] = []
    for flight in ledger.flights:
        if flight.command_id:
            overdue = now - flight.sent_at > limit_of(ledger, flight, rules)
            (urgent if flight.command_id in changed or overdue else rest).append(flight)
    if len(rest) > rules.look_share:
        start = pass_number * rules.look_share % len(rest)
        rest = (rest[start:] + rest[:start])[: rules.look_share]
    return urgent + rest


def observe(ledger: Ledger, sightings: Mapping[int, Sighting], rules: Rules, now: float) -> Observed:
    """Move targets by what was seen of them.

    Parameters
    ----------
    sightings : by position; targets that were not looked at are left as they are

    A target ends when its host answered, when it did not pick up its command within ``undelivered_after`` (our own
    clock: SSM's adds the execution time-out), or when it cannot be commanded. A command that ended
    without an answer, or ran longer than ``stage_limit``, is followed by one that asks the host what it recorded; only
    when that has no answer either, after ``most_asks`` tries, does the target fail.
    """
    return _Pass(ledger, rules, now).run(sightings)


def limit_of(ledger: Ledger, flight: Flight, rules: Rules) -> float:
    """Longest a flight may take once it is sent, in seconds."""
    return ledger.stage(flight).limit or rules.stage_limit


def stays_away(ledger: Ledger, flight: Flight, rules: Rules, now: float) -> bool:
    """Whether the hosts of a flight without a command could not be reached for as long as they are waited for."""
    waited = now - max(flight.begun_at, rules.revived_at)
    return flight.unsent and ledger.stage(flight).kind.on_host and waited > rules.reachable_within


class _Pass:
    """Collects the outcome of one look."""

    def __init__(self, ledger: Ledger, rules: Rules, now: float) -> None:
        self.ledger, self.rules, self.now = ledger, rules, now
        self.changes: list[TargetChange] = []
        self.cancels: dict[str, list[int]] = {}
        self.ask: dict[int, tuple[int, int]] = {}  # position to its stage, and how often it has been asked then
        self.silent = ledger.silent
        self.onward: dict[int, int] = {}  # position to the stage it goes on to

    def run(self, sightings: Mapping[int, Sighting]) -> Observed:
        cells = self.ledger.cells
        for flight in self.ledger.flights:
            if not flight.command_id:
                self._without_command(flight)
                continue
            for position in flight.positions:
                if position in sightings and cells[position] & 0b111 == Outcome.IN_FLIGHT:
                    self._seen(flight, position, sightings[position])
        return Observed(
            self._new_ledger(),
            tuple(self.changes),
            {cmd: tuple(where) for cmd, where in self.cancels.items()},
        )

    def _without_command(self, flight: Flight) -> None:
        """A flight that could not be sent: refused for good, or its hosts stay away."""
        if flight.refusal:
            self.silent = False
            message = flight.refusal
        elif stays_away(self.ledger, flight, self.rules, self.now):
            message = (
                f"The instance's SSM agent was not reachable for {seconds(self.rules.reachable_within)}. "
                "Check that the instance runs, that its SSM agent is started and that it may reach Systems Manager."
            )
        else:
            return
        for position in flight.positions:
            self._fail(flight, position, message)

    def _seen(self, flight: Flight, position: int, sighting: Sighting) -> None:
        age, limit = self.now - flight.sent_at, limit_of(self.ledger, flight, self.rules)
        if not self.ledger.stage(flight).kind.on_host:
            self._traffic_seen(flight, position, sighting, age > limit)
            return
        if sighting.sight not in (Sight.WAITING, Sight.GONE):
            self.silent = False
        match sighting.sight:
            case Sight.ANSWERED if sighting.report is not None:
                self._answered(flight, position, sighting.report)
            case Sight.WAITING if age > self.rules.undelivered_after:
                self._cancel(flight, position)
                self._fail(flight, position, self._undelivered())
            case Sight.GONE:
                self._fail(flight, position, sighting.detail)
            case Sight.UNANSWERED:
                self._unknown(flight, position, sighting.detail, again=flight.asked < self.rules.most_asks)
            case Sight.RUNNING if age > limit:
                self._cancel(flight, position)
                # A host that is asked attaches to what still runs; it may take a stage's time once more, not for ever.
                self._unknown(
                    flight, position, f"still running after {seconds(age)}", again=flight.purpose is Purpose.RUN
                )

    def _traffic_seen(self, flight: Flight, position: int, sighting: Sighting, overdue: bool) -> None:
        """Balancers answer when they are asked: there is nothing to ask again, only a time by which it must be so."""
        if sighting.sight is Sight.ANSWERED and sighting.report is not None:
            self._answered(flight, position, sighting.report)
        elif overdue:
            limit = limit_of(self.ledger, flight, self.rules)
            self._fail(flight, position, f"{sighting.detail or 'Not done'} after {seconds(limit)}.")

    def _undelivered(self) -> str:
        return (
            "The instance did not pick up its command within "
            f"{seconds(self.rules.undelivered_after)}; nothing was run on it. "
            "Check that its SSM agent runs."
        )

    def _answered(self, flight: Flight, position: int, report: HostReport) -> None:
        stage = self.ledger.stage(flight)
        if report.status == "Succeeded":
            more = flight.stage + 1 < len(self.ledger.current.stages)
            if more:
                self.onward[position] = flight.stage + 1
            outcome = Outcome.IN_FLIGHT if more else Outcome.SUCCEEDED
            self.changes.append(TargetChange(position, outcome, report, stage=stage))
            return
        message = ""
        if report.status == "NotStarted":
            told = report.diagnostics.message if report.diagnostics else ""
            message = told or "Nothing was run on the instance."
            if flight.purpose is Purpose.REPORT:
                message = (
                    "The command ended without an answer, and the instance has "
                    f"no record of it: nothing was run. {told}"
                ).strip()
        self.changes.append(TargetChange(position, Outcome.FAILED, report, message, stage))

    def _unknown(self, flight: Flight, position: int, detail: str, *, again: bool) -> None:
        if again:
            self.ask[position] = (flight.stage, flight.asked + 1)
        else:
            self._fail(
                flight,
                position,
                "The instance did not say what became of its command "
                f"({detail}), though it was asked {flight.asked} times.",
            )

    def _fail(self, flight: Flight, position: int, message: str) -> None:
        stage = self.ledger.stage(flight)
        self.changes.append(TargetChange(position, Outcome.FAILED, None, message, stage))

    def _cancel(self, flight: Flight, position: int) -> None:
        self.cancels.setdefault(flight.command_id, []).append(position)

    def _new_ledger(self) -> Ledger:
        ledger = self.ledger if self.silent == self.ledger.silent else replace(self.ledger, silent=self.silent)
        if not self.changes and not self.ask:
            return ledger
        for outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
            ledger = ledger.moved((c.position for c in self.changes if c.outcome is outcome), outcome)
        for stage in sorted(set(self.onward.values())):
            ledger = ledger.moved((p for p, to in self.onward.items() if to == stage), Outcome.IN_FLIGHT, stage)
        gone = {c.position for c in self.changes} | set(self.ask)
        kept = [replace(f, positions=tuple(p for p in f.positions if p not in gone)) for f in ledger.flights]
        fresh = self._fresh_flights(ledger.batches + 1)
        return replace(
            ledger,
            flights=tuple(f for f in kept if f.positions) + fresh,
            batches=ledger.batches + (1 if fresh else 0),
            changed_at=self.now,
        )

    def _fresh_flights(self, number: int) -> tuple[Flight, ...]:
        """Flights of those that are asked for a report, and of those that go on to their next stage."""
        wanted = {position: (Purpose.RUN, stage, 0) for position, stage in self.onward.items()}
        wanted |= {position: (Purpose.REPORT, stage, asked) for position, (stage, asked) in self.ask.items()}
        flights: list[Flight] = []
        for purpose, stage, asked in sorted(set(wanted.values()), key=lambda each: (each[2], each[1])):
            together = sorted(p for p, kind in wanted.items() if kind == (purpose, stage, asked))
            for i in range(0, len(together), self.rules.flight_size):
                key, positions = f"{number:04d}.{len(flights):02d}", tuple(together[i : i + self.rules.flight_size])
                flights.append(Flight(key, purpose, stage, positions, self.now, asked=asked))
        return tuple(flights)
