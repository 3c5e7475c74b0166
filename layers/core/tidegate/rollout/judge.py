"""Whether a deployment acts, waits or ends, and why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from tidegate.model.cells import Census, Origin, Outcome, cell, outcome_of
from tidegate.model.decisions import Decision, VerdictKind
from tidegate.model.deployment import ErrorCode
from tidegate.model.ledger import Closing, Ledger, Purpose
from tidegate.model.legs import Constraint, Leg, WaitKind
from tidegate.rollout.observe import limit_of
from tidegate.rollout.pick import may_start
from tidegate.rollout.rules import Rules
from tidegate.rollout.words import count, seconds

ROOM: Final = "ROOM"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What EvaluateHealth concludes.

    Attributes
    ----------
    kind, code, reason : what, a constant, and a sentence with numbers
    look_again_at : epoch seconds; when to make another pass if no signal comes
    ledger : the ledger with the stop condition noted, once it is true
    status : the deployment's final status when it ends, else ""
    """

    kind: VerdictKind
    code: str
    reason: str
    look_again_at: float
    ledger: Ledger
    status: str = ""

    @property
    def picks(self) -> bool:
        """Whether there is room for more targets; a deployment that acts without it only sends what is unsent."""
        return self.code == ROOM

    @property
    def decision(self) -> Decision:
        """The verdict as kept in the history."""
        facts: dict[str, int | str] = dict(self.ledger.census().overview)
        return Decision("Verdict", self.code, self.reason, {"kind": self.kind.value, **facts})


def judge(
    ledger: Ledger,
    rules: Rules,
    now: float,
    *,
    interruption: Closing | None = None,
    continued: Collection[WaitKind] = (),
) -> Verdict:
    """Conclude from the ledger alone (AWS: "Instance health"; README.md beside this file has the equations).

    Parameters
    ----------
    interruption : set when the deployment is to end for a reason from outside: somebody stopped it, an alarm is active
    continued : waits that somebody ended (ContinueDeployment)
    """
    if ledger.closing is None:
        closing = _stop_condition(ledger, rules, now, interruption)
        if closing is not None:
            ledger = replace(ledger, closing=closing, changed_at=now)
    if ledger.closing is None:
        ledger = advanced(ledger, continued, now)
    if ledger.closing is not None:
        return _closing_verdict(ledger, ledger.closing, rules, now)
    if _leg_done(ledger):
        return _final_verdict(ledger, now)
    if ledger.waiting:
        return _waiting_verdict(ledger, rules, now)
    startable = may_start(ledger)
    if startable or any(flight.unsent for flight in ledger.flights):
        reason = f"{count(startable, 'instance')} can be set going." if startable else "A command is still to be sent."
        return Verdict(VerdictKind.ACT, ROOM if startable else "UNSENT", reason, next_look(ledger, rules, now), ledger)
    census = ledger.census()
    reason = (
        f"{count(census.in_flight, 'instance')} in flight, "
        f"{census.available} of {census.total} healthy and not in flight, "
        f"{ledger.minimum} must stay so: waiting for an answer before {census.pending} more."
    )
    return Verdict(VerdictKind.WAIT, "WAITING", reason, next_look(ledger, rules, now), ledger)


def advanced(ledger: Ledger, continued: Collection[WaitKind], now: float) -> Ledger:
    """The ledger in the leg that is due: over legs that are done, and out of a wait that is over.

    It is closing afterwards where a leg missed what it needs, or nobody continued a deployment that waited for it.
    """
    while _leg_done(ledger) and not ledger.waiting and ledger.leg + 1 < len(ledger.way):
        missed = _missed(ledger, now)
        if missed is not None:
            return replace(ledger, closing=missed, changed_at=now)
        ledger = _next_leg(ledger, now)
        ledger = _wait_over(ledger, continued, now)
    return _wait_over(ledger, continued, now)


def _leg_done(ledger: Ledger) -> bool:
    census = ledger.census(ledger.current.first, ledger.current.last)
    return census.pending == 0 and census.in_flight == 0


def _next_leg(ledger: Ledger, now: float) -> Ledger:
    """Those that came well through an earlier leg are pending again; they serve nothing that would have to be kept."""
    leg = ledger.way[ledger.leg + 1]
    cells = bytearray(ledger.cells)
    for position in leg.positions:
        if outcome_of(cells[position]) is Outcome.SUCCEEDED:
            cells[position] = cell(Outcome.PENDING, Origin.UNHEALTHY)
    onward = replace(ledger, cells=bytes(cells), leg=ledger.leg + 1, leg_since=now, leg_open=False, changed_at=now)
    return replace(onward, legs=_paced(onward)) if leg.paces else onward


def _paced(ledger: Ledger) -> tuple[Leg, ...]:
    """The legs, in the current one of which at least one target goes, however many failed before."""
    keep = []
    for each in ledger.current.keep:
        census = ledger.census(each.first, each.last)
        keep.append(replace(each, count=min(each.count, max(0, census.total - census.failed - 1))))
    legs = list(ledger.way)
    legs[ledger.leg] = replace(ledger.current, keep=tuple(keep))
    return tuple(legs)


def _wait_over(ledger: Ledger, continued: Collection[WaitKind], now: float) -> Ledger:
    wait = ledger.current.wait
    if wait is None or ledger.leg_open:
        return ledger
    if wait.kind in continued or (now >= ledger.leg_since + wait.seconds and not wait.stops):
        return replace(ledger, leg_open=True, changed_at=now)
    if now >= ledger.leg_since + wait.seconds:
        reason = (
            f"Nobody continued the deployment within {seconds(wait.seconds)} of its replacement instances being ready; "
            "it was stopped, as the deployment group asks."
        )
        return replace(ledger, closing=Closing("Stopped", ErrorCode.TIMEOUT, reason, now), changed_at=now)
    return ledger


def next_look(ledger: Ledger, rules: Rules, now: float) -> float:
    """When the next pass is due without a signal: the heartbeat, or the nearest deadline if that is earlier."""
    looks = [now + rules.heartbeat(now - ledger.changed_at)]
    for flight in ledger.flights:
        since = flight.sent_at or flight.begun_at
        looks.append(since + limit_of(ledger, flight, rules))
        if ledger.stage(flight).kind.on_host:
            looks.append(since + (rules.reachable_within if flight.unsent else rules.undelivered_after))
        elif not flight.unsent:  # balancers tell nothing by themselves
            looks.append(now + rules.balancer_interval)
        if flight.unsent:
            looks.append(now + rules.reached_again(now - flight.begun_at))
    if ledger.closing is not None:
        looks.append(ledger.closing.since + rules.drain_limit)
    if ledger.waiting and ledger.current.wait is not None:
        looks.append(ledger.leg_since + ledger.current.wait.seconds)
    # A second of grace: a deadline is looked at when it is over, not just before.
    return min(look + 1 for look in looks if look + 1 > now)


def _stop_condition(ledger: Ledger, rules: Rules, now: float, interruption: Closing | None) -> Closing | None:
    census = ledger.census()
    unfinished = census.pending + census.in_flight
    if not unfinished:
        return None
    if interruption is not None:
        return interruption
    if now - rules.started_at > rules.total_limit:
        reason = (
            f"The deployment did not end within {seconds(rules.total_limit)}: "
            f"{count(unfinished, 'instance')} had not finished."
        )
        return Closing("Failed", ErrorCode.TIMEOUT, reason, now)
    leg = ledger.current
    failed = ledger.census(leg.first, leg.last).failed
    if leg.strict and failed:
        reason = f"{count(failed, 'instance')} failed in the step '{leg.name}', which allows no failure."
        return _unhealthy(ledger, reason, now)
    for each in leg.keep:
        closing = _cannot_go_on(ledger, each, now)
        if closing is not None:
            return closing
    return None


def _cannot_go_on(ledger: Ledger, constraint: Constraint, now: float) -> Closing | None:
    census = ledger.census(constraint.first, constraint.last)
    potential = census.total - census.failed
    if not census.pending or potential > constraint.count:
        return None
    where = f" in {constraint.name}" if constraint.name else ""
    reason = (
        f"{count(census.failed, 'instance')} of {census.total}{where} failed: {potential} "
        f"can still be healthy, {constraint.count} must stay so, "
        f"so none of the {census.pending} pending may be taken out."
    )
    return _unhealthy(ledger, reason, now)


def _unhealthy(ledger: Ledger, reason: str, now: float) -> Closing:
    """Failed by the rules of health; where no agent answered at all, that is the cause to be told (AGENT_ISSUE)."""
    if not ledger.silent:
        return Closing("Failed", ErrorCode.HEALTH_CONSTRAINTS, reason, now)
    told = (
        f"{reason} No instance's SSM agent answered in the whole deployment. Check that the instances run, that the "
        "SSM agent is started on them, and that they may reach Systems Manager (network, instance profile)."
    )
    return Closing("Failed", ErrorCode.AGENT_ISSUE, told, now)


def _missed(ledger: Ledger, now: float) -> Closing | None:
    """The stop condition where the leg that is done has too few successes."""
    needs = ledger.current.needs
    if needs is None:
        return None
    census = ledger.census(needs.first, needs.last)
    if census.succeeded >= needs.count:
        return None
    return _unhealthy(ledger, _score(census, needs), now)


def _score(census: Census, needs: Constraint) -> str:
    where = f" in {needs.name}" if needs.name else ""
    return (
        f"{count(census.succeeded, 'instance')} of {census.total}{where} succeeded, "
        f"{census.failed} failed; {needs.count} must succeed."
    )


_WAITING = {
    WaitKind.MONITOR: "The last zone is watched before '{leg}' is begun",
    WaitKind.READY: "The replacement instances are ready; traffic moves when the deployment is continued",
    WaitKind.TERMINATION: "The original instances are kept for a while before they are ended",
}


def _waiting_verdict(ledger: Ledger, rules: Rules, now: float) -> Verdict:
    leg, wait = ledger.current, ledger.current.wait
    assert wait is not None, "only legs with a wait are waited for"
    left = max(0.0, ledger.leg_since + wait.seconds - now)
    reason = f"{_WAITING[wait.kind].format(leg=leg.name)}; {seconds(left)} are left."
    return Verdict(VerdictKind.WAIT, wait.kind.value, reason, next_look(ledger, rules, now), ledger)


def _closing_verdict(ledger: Ledger, closing: Closing, rules: Rules, now: float) -> Verdict:
    census = ledger.census()
    waited = now - closing.since
    kind = VerdictKind.STOP if closing.status == "Stopped" else VerdictKind.FAIL
    if census.in_flight == 0:
        return Verdict(kind, closing.code, closing.reason, now, ledger, closing.status)
    if waited >= rules.drain_limit and not _may_begin(ledger, rules, now):
        reason = (
            f"{closing.reason} {count(census.in_flight, 'instance')} did not answer "
            f"within {seconds(rules.drain_limit)} after that."
        )
        return Verdict(kind, closing.code, reason, now, ledger, closing.status)
    reason = f"{closing.reason} {count(census.in_flight, 'instance')} in flight may finish first."
    unsent = any(flight.unsent for flight in ledger.flights)
    return Verdict(
        VerdictKind.ACT if unsent else VerdictKind.WAIT,
        "DRAINING",
        reason,
        next_look(ledger, rules, now),
        ledger,
    )


def _may_begin(ledger: Ledger, rules: Rules, now: float) -> bool:
    """Whether an order is still good that a host may not have picked up: after its end a deployment begins nothing."""
    return any(
        flight.command_id
        and flight.purpose is Purpose.RUN
        and ledger.stage(flight).kind.on_host
        and now - flight.sent_at <= rules.undelivered_after
        for flight in ledger.flights
    )


def _final_verdict(ledger: Ledger, now: float) -> Verdict:
    if not ledger.cells:
        reason = "Nothing was outdated, so nothing was to be done."
        return Verdict(VerdictKind.SUCCEED, "SUCCEEDED", reason, now, ledger, "Succeeded")
    missed = _missed(ledger, now)
    if missed is not None:
        closed = replace(ledger, closing=missed)
        return Verdict(VerdictKind.FAIL, missed.code, missed.reason, now, closed, "Failed")
    needs = ledger.current.needs or Constraint(0, len(ledger.cells), 0)
    reason = _score(ledger.census(needs.first, needs.last), needs)
    return Verdict(VerdictKind.SUCCEED, "SUCCEEDED", reason, now, ledger, "Succeeded")
