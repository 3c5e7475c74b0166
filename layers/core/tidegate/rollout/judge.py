"""Whether a deployment acts, waits or ends, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.model.decisions import Decision, VerdictKind
from tidegate.model.deployment import ErrorCode
from tidegate.model.ledger import Census, Closing, Ledger
from tidegate.rollout.pick import may_start
from tidegate.rollout.rules import Rules
from tidegate.rollout.words import count, seconds


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
    def decision(self) -> Decision:
        """The verdict as kept in the history."""
        facts: dict[str, int | str] = dict(self.ledger.census().overview)
        return Decision("Verdict", self.code, self.reason, {"kind": self.kind.value, **facts})


def judge(ledger: Ledger, rules: Rules, now: float, *, stop_reason: str = "") -> Verdict:
    """Conclude from the ledger alone (AWS: "Instance health"; README.md beside this file has the equations).

    Parameters
    ----------
    stop_reason : set when somebody asked to stop the deployment; the sentence says who and when
    """
    census = ledger.census()
    if ledger.closing is None:
        closing = _stop_condition(ledger, census, rules, now, stop_reason)
        if closing is not None:
            ledger = replace(ledger, closing=closing, changed_at=now)
    if ledger.closing is not None:
        return _closing_verdict(ledger, ledger.closing, census, rules, now)
    if census.pending == 0 and census.in_flight == 0:
        return _final_verdict(ledger, census, now)
    startable = may_start(census, ledger.minimum)
    if startable or any(flight.unsent for flight in ledger.flights):
        reason = f"{count(startable, 'instance')} can be set going." if startable else "A command is still to be sent."
        return Verdict(
            VerdictKind.ACT, "ROOM" if startable else "UNSENT", reason, next_look(ledger, rules, now), ledger
        )
    reason = (
        f"{count(census.in_flight, 'instance')} in flight, "
        f"{census.available} of {census.total} healthy and not in flight, "
        f"{ledger.minimum} must stay so: waiting for an answer before {census.pending} more."
    )
    return Verdict(VerdictKind.WAIT, "WAITING", reason, next_look(ledger, rules, now), ledger)


def next_look(ledger: Ledger, rules: Rules, now: float) -> float:
    """When the next pass is due without a signal: the heartbeat, or the nearest deadline if that is earlier."""
    looks = [now + rules.heartbeat(now - ledger.changed_at)]
    for flight in ledger.flights:
        since = flight.sent_at or flight.begun_at
        looks += [since + rules.undelivered_after, since + rules.stage_limit]
        if flight.unsent:  # no signal tells when its hosts can be reached
            looks.append(now + max(rules.undelivered_after / 10, rules.heartbeat_floor))
    if ledger.closing is not None:
        looks.append(ledger.closing.since + rules.drain_limit)
    # A second of grace: a deadline is looked at when it is over, not just before.
    return min(look + 1 for look in looks if look + 1 > now)


def _stop_condition(ledger: Ledger, census: Census, rules: Rules, now: float, stop_reason: str) -> Closing | None:
    unfinished = census.pending + census.in_flight
    if not unfinished:
        return None
    if stop_reason:
        return Closing("Stopped", ErrorCode.MANUAL_STOP, stop_reason, now)
    if now - rules.started_at > rules.total_limit:
        reason = (
            f"The deployment did not end within {seconds(rules.total_limit)}: "
            f"{count(unfinished, 'instance')} had not finished."
        )
        return Closing("Failed", ErrorCode.TIMEOUT, reason, now)
    potential = census.total - census.failed
    if census.pending and potential <= ledger.minimum:
        reason = (
            f"{count(census.failed, 'instance')} of {census.total} failed: {potential} "
            f"can still be healthy, {ledger.minimum} must stay so, "
            f"so none of the {census.pending} pending may be taken out."
        )
        return Closing("Failed", ErrorCode.HEALTH_CONSTRAINTS, reason, now)
    return None


def _closing_verdict(ledger: Ledger, closing: Closing, census: Census, rules: Rules, now: float) -> Verdict:
    waited = now - closing.since
    kind = VerdictKind.STOP if closing.status == "Stopped" else VerdictKind.FAIL
    if census.in_flight == 0:
        return Verdict(kind, closing.code, closing.reason, now, ledger, closing.status)
    if waited >= rules.drain_limit:
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


def _final_verdict(ledger: Ledger, census: Census, now: float) -> Verdict:
    if census.total == 0:
        reason = "Nothing was outdated, so nothing was to be done."
        return Verdict(VerdictKind.SUCCEED, "SUCCEEDED", reason, now, ledger, "Succeeded")
    needed = max(1, ledger.minimum)
    reason = (
        f"{count(census.succeeded, 'instance')} of {census.total} succeeded, "
        f"{census.failed} failed; {needed} must succeed."
    )
    if census.succeeded >= needed:
        return Verdict(VerdictKind.SUCCEED, "SUCCEEDED", reason, now, ledger, "Succeeded")
    closed = replace(ledger, closing=Closing("Failed", ErrorCode.HEALTH_CONSTRAINTS, reason, now))
    return Verdict(VerdictKind.FAIL, ErrorCode.HEALTH_CONSTRAINTS, reason, now, closed, "Failed")
