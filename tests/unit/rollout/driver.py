"""A fleet in virtual time, and a loop that takes the pure core through a whole deployment on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tidegate.model.cells import Census, Outcome
from tidegate.model.decisions import Diagnostics, EventRecord, HostReport, Sight, Sighting
from tidegate.model.ledger import Closing, Flight, Ledger, Purpose, Roster
from tidegate.model.legs import Stage, WaitKind
from tidegate.rollout import Candidate, Plan, Rules, Verdict, judge, observe, pick, plan, to_look_at
from tidegate.rollout.dispatch import Dispatch, adopted, dispatched, refused, remaining, withdrawn
from tidegate.rollout.way import Zonal

Minimum: TypeAlias = tuple[str, int]

FAST = Rules(
    undelivered_after=30,
    stage_limit=100,
    drain_limit=400,
    total_limit=3000,
    heartbeat_floor=5,
    heartbeat_ceiling=20,
)
"""Limits short enough for a fault to run into each of them."""


@dataclass(frozen=True)
class Host:
    """How a host will behave.

    Attributes
    ----------
    succeeds : what the host's own record says of the run
    picked_up : seconds after sending at which the agent takes the command; None: never
    takes : seconds the run takes; None: for ever
    answer_lost : the command ends without a result, only the host's record knows
    record_lost : ... and the record says that nothing was run
    reachable_from : time from which the host's agent is registered; None: never
    opted_in : carries the opt-in tag
    fails_in : name of the one stage in which it fails, whatever ``succeeds`` says; "" for none
    """

    succeeds: bool = True
    picked_up: float | None = 1
    takes: float | None = 10
    answer_lost: bool = False
    record_lost: bool = False
    reachable_from: float | None = 0
    opted_in: bool = True
    fails_in: str = ""


GOOD, BAD = Host(), Host(succeeds=False)


@dataclass
class Command:
    """A command as the fleet received it, or what the balancers were asked to do."""

    purpose: Purpose
    stage: Stage
    sent_at: float
    target_ids: tuple[str, ...]
    cancelled: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Start:
    """One target that was set going."""

    time: float
    target_id: str
    closing: bool
    leg: str


class Deployment:
    """One deployment over hosts given by target id; everything that happened stays readable."""

    def __init__(
        self,
        hosts: Mapping[str, Host],
        minimum: Minimum,
        *,
        candidates: Sequence[Candidate] | None = None,
        rules: Rules = FAST,
        last_good: str = "rev-old",
        outdated_for: str = "",
        stop_at: float | None = None,
        watch: Callable[[Deployment], None] = lambda _: None,
        stages: Sequence[Stage] = (Stage("host"),),
        zonal: Zonal | None = None,
        made: Plan | None = None,
        continued_at: float | None = None,
    ) -> None:
        self.hosts, self.rules, self.stop_at, self.watch = hosts, rules, stop_at, watch
        self.now = rules.started_at
        self.candidates = healthy(hosts) if candidates is None else list(candidates)
        self.continued_at = continued_at
        made = made or plan(
            self.candidates,
            minimum,
            last_good=last_good,
            now=self.now,
            outdated_for=outdated_for,
            stages=stages,
            zonal=zonal,
        )
        self.roster: Roster = made.roster
        self.ledger: Ledger = made.ledger
        self.plan_code = made.decision.code
        self.before: Census = made.ledger.census()
        self.commands: dict[str, Command] = {}
        self.starts: list[Start] = []
        self.most_in_flight = 0
        self.messages: dict[str, str] = {}
        self.codes: list[str] = []
        self.passes = 0
        self.verdict: Verdict | None = None

    @property
    def position(self) -> dict[str, int]:
        return {member.target_id: i for i, member in enumerate(self.roster.members)}

    @property
    def order(self) -> list[str]:
        """The fleet in order of selection."""
        return [member.target_id for member in self.roster.members]

    @property
    def census(self) -> Census:
        return self.ledger.census()

    def outcome(self, target_id: str) -> Outcome:
        return self.ledger.outcome(self.position[target_id])

    def run(self, most_passes: int = 5000) -> Deployment:
        """Make passes until the deployment ends."""
        while self.verdict is None or not self.verdict.kind.ends:
            assert self.passes < most_passes, f"no end after {most_passes} passes: {self.verdict}"
            self.one_pass()
        return self

    def one_pass(self) -> None:
        self.passes += 1
        verdict = self._look()
        self.verdict, self.ledger = verdict, verdict.ledger
        self.codes.append(verdict.code)
        if verdict.kind.value == "ACT":
            self._pick()
            self._send()
        self.most_in_flight = max(self.most_in_flight, self.census.in_flight)
        self.watch(self)
        assert verdict.kind.ends or verdict.look_again_at > self.now, "a wait has to end later than it begins"
        if not verdict.kind.ends:
            self.now = self._next_time(verdict.look_again_at)

    def _look(self) -> Verdict:
        flights = to_look_at(self.ledger, (), self.passes, self.rules, self.now)
        seen = {p: self._sighting(f, self.roster.members[p].target_id) for f in flights for p in f.positions}
        observed = observe(self.ledger, seen, self.rules, self.now)
        for command_id, positions in observed.cancels.items():
            self.commands[command_id].cancelled |= set(self.roster.ids(positions))
        for change in observed.changes:
            told = change.report.diagnostics.message if change.report and change.report.diagnostics else ""
            self.messages[self.roster.members[change.position].target_id] = change.message or told
        stopped = self.stop_at is not None and self.now >= self.stop_at
        interruption = Closing("Stopped", "MANUAL_STOP", "Stopped by a test.", self.now) if stopped else None
        continued = [WaitKind.READY] if self.continued_at is not None and self.now >= self.continued_at else []
        return judge(observed.ledger, self.rules, self.now, interruption=interruption, continued=continued)

    def _pick(self) -> None:
        batch = pick(self.ledger, self.rules, self.now)
        closing = self.ledger.closing is not None
        leg = self.ledger.current.name
        self.starts += [Start(self.now, each, closing, leg) for each in self.roster.ids(batch.positions)]
        self.ledger = batch.ledger

    def _send(self) -> None:
        results = [self._dispatch(flight) for flight in self.ledger.flights if flight.unsent]
        if results:
            self.ledger, _ = dispatched(self.ledger, results, self.now)

    def _dispatch(self, flight: Flight) -> Dispatch:
        if self.ledger.closing is not None and flight.begins:
            return withdrawn(flight, [])
        allowed = [p for p in flight.positions if self.roster.members[p].opted_in]
        to = [each for each in self.roster.ids(allowed) if self._reachable(each)]
        done: list[Flight] = []
        if to:
            command_id = f"c{len(self.commands)}"
            self.commands[command_id] = Command(flight.purpose, self.ledger.stage(flight), self.now, tuple(to))
            done = adopted(flight, [(command_id, to)], self.position, self.now)
        done += refused(flight, [p for p in flight.positions if p not in allowed], "Not opted in.")
        assert remaining(flight, done) is None or done or not to
        return Dispatch(flight, done)

    def _reachable(self, target_id: str) -> bool:
        since = self.hosts[target_id].reachable_from
        return since is not None and self.now >= since

    def _next_time(self, look_again_at: float) -> float:
        """The next moment at which a command ends, for that sends a signal; or when the verdict wants to look."""
        ends = [
            end
            for command in self.commands.values()
            for target_id in command.target_ids
            if (end := self._end(command, target_id)) is not None and end > self.now
        ]
        return min([*ends, look_again_at])

    def _end(self, command: Command, target_id: str) -> float | None:
        host = self.hosts[target_id]
        if target_id in command.cancelled:
            return self.now
        if command.purpose is Purpose.REPORT:
            return command.sent_at + 2
        if host.picked_up is None or host.takes is None:
            return None
        return command.sent_at + host.picked_up + host.takes

    def _sighting(self, flight: Flight, target_id: str) -> Sighting:
        host, command = self.hosts[target_id], self.commands[flight.command_id]
        end = self._end(command, target_id)
        if end is not None and self.now >= end:
            lost = target_id in command.cancelled or (host.answer_lost and command.purpose is Purpose.RUN)
            if lost:
                return Sighting(Sight.UNANSWERED, detail="SSM says TimedOut")
            return Sighting(Sight.ANSWERED, self._record(host, command))
        taken_at = None if host.picked_up is None else command.sent_at + host.picked_up
        if command.purpose is Purpose.REPORT or (taken_at is not None and self.now >= taken_at):
            return Sighting(Sight.RUNNING)
        return Sighting(Sight.WAITING)

    def _record(self, host: Host, command: Command) -> HostReport:
        if command.purpose is Purpose.REPORT and host.record_lost:
            return HostReport("NotStarted")
        fails = command.stage.name == host.fails_in if host.fails_in else not host.succeeds
        return report(succeeds=not fails)


def healthy(hosts: Mapping[str, Host]) -> list[Candidate]:
    """Candidates that all run the last good revision."""
    return [Candidate(each, True, "rev-old", opted_in=host.opted_in) for each, host in hosts.items()]


def fresh(hosts: Mapping[str, Host]) -> list[Candidate]:
    """Candidates that the group has never deployed to."""
    return [Candidate(each, opted_in=host.opted_in) for each, host in hosts.items()]


def fleet(pattern: str) -> dict[str, Host]:
    """Hosts by letters in order of their ids: ``.`` succeeds, ``x`` fails, later ones take a second longer.

    >>> [host.succeeds for host in fleet(".x").values()]
    [True, False]
    """
    return {f"i-{i:04d}": Host(succeeds=letter == ".", takes=10 + i) for i, letter in enumerate(pattern)}


def report(*, succeeds: bool) -> HostReport:
    """What a host answers."""
    if succeeds:
        return HostReport("Succeeded", (EventRecord("Install", "Succeeded", 1.0, 2.0),))
    why = Diagnostics("Install", "ScriptFailed", "scripts/x.sh", "exit status 1", "boom")
    return HostReport("Failed", (EventRecord("Install", "Failed", 1.0, 2.0),), why)
