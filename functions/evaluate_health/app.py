"""EvaluateHealth: look at what is in flight, bring the ledger up to date, conclude."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.model.decisions import Decision, Sight, Sighting, VerdictKind
from tidegate.model.ledger import Flight, Outcome, Roster
from tidegate.rollout import Observed, Verdict, judge, observe, to_look_at
from tidegate.rollout.projection import ended_events
from tidegate.runtime import Runtime, State, step
from tidegate.store.targets import TargetRow

_MOST_TARGET_DECISIONS = 20  # a pass tells of so many failed targets one by one


def run(state: State, runtime: Runtime) -> State:
    """One pass's look and verdict."""
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return {**state, "verdict": "FENCED"}
    deployment_id, generation, now = state["deploymentId"], state["generation"], runtime.clock()
    signal = runtime.signals.read(deployment_id)
    loaded = runtime.ledgers.load(deployment_id)
    if loaded is None:
        raise RuntimeError(f"Deployment {deployment_id} has no ledger; SelectTargets writes it before the first pass.")
    rules = runtime.settings.rules(deployment)
    flights = to_look_at(loaded.ledger, signal.changed, state["pass"], rules, now)
    roster = runtime.ledgers.roster(deployment_id) if loaded.ledger.flights else Roster()
    observed = observe(loaded.ledger, sightings(flights, roster, deployment_id, runtime), rules, now)
    for command_id, positions in observed.cancels.items():
        runtime.run_command.cancel(command_id, roster.ids(positions))
    verdict = judge(observed.ledger, rules, now, stop_reason=stop_reason(deployment))
    rows = [target_row(change, roster, deployment, runtime) for change in observed.changes]
    runtime.targets.ended(deployment, rows, now)
    decisions = told(observed, rows, verdict, newly_closing=loaded.ledger.closing is None)
    runtime.ledgers.commit(deployment_id, generation, loaded, verdict.ledger, decisions, now)
    runtime.signals.clear_changed(deployment_id, signal)
    return {
        "deploymentId": deployment_id,
        "generation": generation,
        "pass": state["pass"] + 1,
        "signal": signal.count,
        "verdict": "FINISH" if verdict.kind.ends else verdict.kind.value,
        "heartbeat": max(1, math.ceil(verdict.look_again_at - now)),
    }


def sightings(flights: list[Flight], roster: Roster, deployment_id: str, runtime: Runtime) -> dict[int, Sighting]:
    """What is seen of the flights' targets, by position.

    A target that its command does not list (yet) counts as waiting, so that its delivery deadline holds.
    """
    seen: dict[int, Sighting] = {}
    for flight in flights:
        by_target = runtime.run_command.look(flight.command_id, deployment_id)
        for position in flight.positions:
            target_id = roster.members[position].target_id
            seen[position] = by_target.get(target_id, Sighting(Sight.WAITING, detail="not listed"))
    return seen


def stop_reason(deployment: Mapping[str, Any]) -> str:
    """The sentence of a stop request, or nothing."""
    stop = deployment.get("stop")
    return f"The deployment was stopped by {stop.get('by') or 'a user'}." if stop else ""


def target_row(change: Any, roster: Roster, deployment: Mapping[str, Any], runtime: Runtime) -> TargetRow:
    """A target that ended, as it is shown."""
    target_id = roster.members[change.position].target_id
    status = "Succeeded" if change.outcome is Outcome.SUCCEEDED else "Failed"
    events = ended_events(deployment["events"], change.report, change.message)
    return TargetRow(target_id, runtime.settings.instance_arn(target_id), status, events)


def told(observed: Observed, rows: list[TargetRow], verdict: Verdict, *, newly_closing: bool) -> list[Decision]:
    """The decisions of the pass that go into the history: what changed, and what is concluded from it."""
    decisions = [target_decision(row) for row in rows[:_MOST_TARGET_DECISIONS]]
    if len(rows) > _MOST_TARGET_DECISIONS:
        decisions.append(
            Decision("Target", "MORE", f"{len(rows) - _MOST_TARGET_DECISIONS} more instances ended in this pass.")
        )
    concluded = verdict.kind.ends or (newly_closing and verdict.ledger.closing is not None)
    if concluded or (observed.changes and verdict.kind is VerdictKind.WAIT):
        decisions.append(verdict.decision)
    return decisions


def target_decision(row: TargetRow) -> Decision:
    """How one target ended, in a sentence."""
    if row.status == "Succeeded":
        return Decision("Target", "SUCCEEDED", f"{row.target_id} succeeded.", {"targetId": row.target_id})
    failed = next((event for event in row.events if event["status"] == "Failed"), {})
    message = failed.get("diagnostics", {}).get("message", "no reason was reported")
    where = failed.get("lifecycleEventName", "an event")
    return Decision("Target", "FAILED", f"{row.target_id} failed in {where}: {message}", {"targetId": row.target_id})


handler = step(Logger(), run, cache(Runtime))
