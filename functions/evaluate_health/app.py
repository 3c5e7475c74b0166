"""EvaluateHealth: look at what is in flight, bring the ledger up to date, conclude."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.course.interruptions import Interruption, interruption, note_told
from tidegate.course.sent_before import with_sent_before
from tidegate.course.silence import messages, without_the_terminated
from tidegate.course.target_rows import target_row
from tidegate.gateways.errors import BalancerFault
from tidegate.model.balancers import Balancer, from_items
from tidegate.model.cells import Outcome
from tidegate.model.decisions import Decision, Sight, Sighting, VerdictKind
from tidegate.model.ledger import Closing, Flight, Ledger, Roster
from tidegate.model.legs import StageKind, WaitKind, events_of
from tidegate.rollout import Observed, TargetChange, Verdict, judge, observe, to_look_at
from tidegate.rollout.dispatch import worded
from tidegate.rollout.projection import ended_events, merged_events, not_ended, pending_events
from tidegate.rollout.traffic import fault_sightings, traffic_sightings
from tidegate.runtime import SENDS, Runtime, State, kept, knows, step
from tidegate.scaling.lifecycle_actions import keep_waiting
from tidegate.store.errors import LedgerGoneError
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
        raise LedgerGoneError(deployment_id)
    # Before all else: what cannot be read is tried again, and the pass with it.
    # An instance that Auto Scaling holds is kept there also while a stopped deployment lets it finish.
    lost = keep_waiting(deployment, runtime, now)
    heard = Interruption() if loaded.ledger.closing else interruption(deployment, runtime, now)
    asked_to_end = None if loaded.ledger.closing else heard.closing or lost
    rules = runtime.settings.rules(deployment)
    ledger = with_sent_before(deployment, loaded.ledger, rules, now, runtime)
    flights = to_look_at(ledger, signal.changed, state["pass"], rules, now)
    roster = runtime.ledgers.roster(deployment_id, ledger.roster) if ledger.flights else Roster()
    on_hosts = [flight for flight in flights if ledger.stage(flight).kind.on_host]
    seen = sightings(on_hosts, roster, deployment_id, runtime)
    seen = without_the_terminated(seen, on_hosts, roster, rules, now, runtime)
    traffic, fault = balancer_sightings(flights, ledger, roster, deployment, runtime)
    observed = observe(ledger, seen | traffic, rules, now)
    if fault is not None and observed.ledger.closing is None:
        observed = replace(observed, ledger=replace(observed.ledger, closing=fault))
    for command_id, positions in observed.cancels.items():
        runtime.run_command.cancel(command_id, roster.node_ids(positions))
    verdict = judge(
        observed.ledger,
        rules,
        now,
        interruption=asked_to_end,
        continued=[WaitKind(each) for each in deployment.get("continued", ())],
    )
    rows = target_rows(observed.changes, ledger, roster, deployment, runtime)
    write_rows(rows, observed.changes, ledger, deployment, runtime, now)
    decisions = [heard.decision] if heard.decision else []
    decisions += told(observed, rows, verdict, newly_closing=loaded.ledger.closing is None)
    runtime.ledgers.commit(deployment_id, generation, loaded, verdict.ledger, decisions, now)
    note_told(deployment, heard.decision, runtime)
    runtime.signals.clear_changed(deployment_id, signal)
    return {
        **kept(state),
        "pass": state["pass"] + 1,
        "signal": signal.count,
        "verdict": word_of(verdict, state, runtime),
        "heartbeat": max(1, math.ceil(verdict.look_again_at - now)),
    }


def word_of(verdict: Verdict, state: State, runtime: Runtime) -> str:
    """What the machine goes by: an execution whose history fills up hands over, unless the deployment ends here.

    Where there is no room for more targets, those that wait to be sent to are sent to, and no batch is picked.
    """
    if verdict.kind.ends:
        return "FINISH"
    if runtime.may_hand_over(state):
        return "HAND_OVER"
    only_sends = verdict.kind is VerdictKind.ACT and not verdict.picks
    return "SEND" if only_sends and knows(state, SENDS) else verdict.kind.value


def sightings(flights: list[Flight], roster: Roster, deployment_id: str, runtime: Runtime) -> dict[int, Sighting]:
    """What is seen of the flights' targets, by position.

    A target that its command does not list (yet) counts as waiting, so that its delivery deadline holds.
    """
    seen: dict[int, Sighting] = {}
    for flight in flights:
        by_node = runtime.run_command.look(flight.command_id, deployment_id)
        for position in flight.positions:
            node_id = roster.members[position].node_id
            seen[position] = by_node.get(node_id, Sighting(Sight.WAITING, detail="not listed"))
    return seen


def balancer_sightings(
    flights: Sequence[Flight], ledger: Ledger, roster: Roster, deployment: Mapping[str, Any], runtime: Runtime
) -> tuple[dict[int, Sighting], Closing | None]:
    """What balancers say of the targets they drain or check, by position; and the stop condition where one is gone.

    Each kind of turn is asked for once, however many flights there are: what a pass costs does not grow with the fleet.
    """
    seen: dict[int, Sighting] = {}
    closing: Closing | None = None
    asks: dict[StageKind, Callable[[Sequence[Balancer], Sequence[str]], Mapping[str, str]]] = {
        StageKind.BLOCK: runtime.balancers.still_in,
        StageKind.ALLOW: runtime.balancers.not_healthy,
        StageKind.TERMINATE: lambda _balancers, ids: runtime.terminations.left(ids),
    }
    for kind, ask in asks.items():
        turns = [flight for flight in flights if ledger.stage(flight).kind is kind]
        if not turns:
            continue
        ids, now = [each for flight in turns for each in roster.ids(flight.positions)], runtime.clock()
        left: Mapping[str, str] = {}
        fault: BalancerFault | None = None
        try:
            left = ask(from_items(deployment.get("balancers") or ()), ids)
        except BalancerFault as error:
            fault, closing = error, Closing("Failed", error.code, error.message, now)
        for flight in turns:
            stage = ledger.stage(flight)
            found = (
                traffic_sightings(stage, flight, roster, left, now)
                if fault is None
                else fault_sightings(stage, flight, fault.message, now)
            )
            seen.update(zip(flight.positions, found, strict=True))
    return seen, closing


def target_rows(
    changes: Sequence[TargetChange], ledger: Ledger, roster: Roster, deployment: Mapping[str, Any], runtime: Runtime
) -> list[TargetRow]:
    """Targets that ended a stage, as they are shown."""
    members = roster.at(change.position for change in changes)
    several = len(ledger.way) > 1 or len(ledger.current.stages) > 1
    known = runtime.targets.events(deployment["deploymentId"], [m.target_id for m in members]) if several else {}
    rows: list[TargetRow] = []
    texts = messages(changes, members, runtime)
    for change, member, text in zip(changes, members, texts, strict=True):
        all_events = events_of(ledger.way, change.position) or deployment["events"]
        message = worded(text, member)
        stage = ended_events(change.stage.events or deployment["events"], change.report, message)
        failed = change.outcome is Outcome.FAILED
        events = merged_events(known.get(member.target_id) or pending_events(all_events), stage, failed=failed)
        if change.stage.kind is StageKind.TERMINATE and failed:
            events = not_ended(events, message)
        status = status_after(ledger, change)
        result = "" if status in ("Succeeded", "Failed") else "Succeeded"
        rows.append(target_row(runtime.settings, member, status, events, result))
    return rows


def status_after(ledger: Ledger, change: TargetChange) -> str:
    """A target's status after a stage; one that waits for traffic is Ready."""
    if change.outcome is not Outcome.SUCCEEDED:
        return change.outcome.status
    later = [leg for leg in ledger.way[ledger.leg + 1 :] if change.position in leg.positions and not leg.only_ends]
    if not later:
        return "Succeeded"
    return "Ready" if later[0].wait is not None and later[0].wait.kind is WaitKind.READY else "InProgress"


def write_rows(
    rows: Sequence[TargetRow],
    changes: Sequence[TargetChange],
    ledger: Ledger,
    deployment: Mapping[str, Any],
    runtime: Runtime,
    now: float,
) -> None:
    """Write what is shown; and the report and health of those on which the revision is now installed, or failed."""
    done = [change.outcome is not Outcome.IN_FLIGHT and ledger.current.installs for change in changes]
    runtime.targets.ended(deployment, [row for row, end in zip(rows, done, strict=True) if end], now)
    shown = [row for row, end in zip(rows, done, strict=True) if not end]
    runtime.targets.show(deployment["deploymentId"], shown, now)


def told(observed: Observed, rows: list[TargetRow], verdict: Verdict, *, newly_closing: bool) -> list[Decision]:
    """The decisions of the pass that go into the history: what changed, and what is concluded from it."""
    ended = [row for row in rows if row.status in ("Succeeded", "Failed")]
    decisions = [target_decision(row) for row in ended[:_MOST_TARGET_DECISIONS]]
    if len(ended) > _MOST_TARGET_DECISIONS:
        decisions.append(
            Decision("Target", "MORE", f"{len(ended) - _MOST_TARGET_DECISIONS} more instances ended in this pass.")
        )
    concluded = verdict.kind.ends or (newly_closing and verdict.ledger.closing is not None)
    onward = verdict.ledger.leg != observed.ledger.leg
    if concluded or onward or (observed.changes and verdict.kind is VerdictKind.WAIT):
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
