"""FinishDeployment: end a deployment with its status, code and reason, and make its rollback where one is wanted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.model.decisions import Decision
from tidegate.model.deployment import ErrorCode
from tidegate.model.ledger import Closing, Ledger, Outcome
from tidegate.model.legs import events_of
from tidegate.rollout import RollbackPlan, judge, plan_rollback
from tidegate.rollout.projection import interrupted_events, pending_events
from tidegate.runtime import Runtime, State, kept, step
from tidegate.store.deployments import rollback_deployment
from tidegate.store.errors import DeploymentGroupNotFoundError
from tidegate.store.ledgers import Loaded, number_decisions
from tidegate.store.targets import TargetRow
from tidegate.target_rows import target_row

logger = Logger()

_LOST = "The instance did not answer before the deployment ended; what became of its events is not known."


def run(state: State, runtime: Runtime) -> State:
    """End the deployment; or, after an error with targets in flight, let them finish first (verdict WAIT)."""
    deployment_id, generation = state["deploymentId"], state["generation"]
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return _already_ended(state, runtime)
    now = runtime.clock()
    loaded = runtime.ledgers.load(deployment_id) or Loaded(Ledger(b"", 0), 0)
    closing = loaded.ledger.closing or fault_of(state, now)
    closed = replace(loaded.ledger, closing=closing)
    verdict = judge(closed, runtime.settings.rules(deployment), now)
    if not verdict.kind.ends:
        return _let_finish(state, runtime, loaded, closed, verdict.look_again_at, now)
    status = verdict.status
    ledger, skipped, lost = _settled(deployment_id, closed, deployment, runtime)
    runtime.targets.show(deployment_id, skipped, now)
    runtime.targets.ended(deployment, lost, now)
    census = ledger.census()
    attempted = census.succeeded + census.failed
    rollback = _rollback_plan(deployment, (status, verdict.code), attempted, runtime)
    _tell(state, loaded, ledger, _last_words(state, status, closing, ledger, rollback), runtime, now)
    finished = runtime.deployments.finish(
        deployment_id,
        status=status,
        now=now,
        # Without a ledger, what an earlier step has noted stays.
        overview=census.overview if loaded.version else None,
        error=None if status == "Succeeded" else {"code": verdict.code, "message": verdict.reason},
        rollback=_rollback_item(deployment, rollback, runtime, now),
        rollback_message=rollback.reason if rollback and not rollback.wanted else None,
        generation=generation,
    )
    return _next(state, finished.rollback_id)


def fault_of(state: State, now: float) -> Closing | None:
    """What a step reported (``fault``) or died of (``error``, as Step Functions caught it)."""
    if "fault" in state:
        return Closing("Failed", state["fault"]["code"], state["fault"]["message"], now)
    if "error" not in state:
        return None
    name = state["error"].get("Error", "")
    try:
        cause = json.loads(state["error"].get("Cause") or "{}")
        name, told = cause.get("errorType", name), cause.get("errorMessage", "")
    except (ValueError, AttributeError):
        told = ""
    logger.error("a step failed for good", error=name, cause=told)
    if name == "AlarmsUnreadError":
        return Closing("Stopped", ErrorCode.ALARM_ACTIVE, told, now)
    code = ErrorCode.THROTTLED if name == "ThrottledError" else ErrorCode.INTERNAL_ERROR
    return Closing(
        "Failed", code, f"A step of the deployment failed after retries ({name}): {told or 'no message'}", now
    )


def _let_finish(
    state: State, runtime: Runtime, before: Loaded, closed: Ledger, look_again_at: float, now: float
) -> State:
    """Note the stop condition and go back to the loop, which starts nothing new and waits within the drain limit."""
    if before.ledger.closing is None and closed.closing is not None:
        decision = Decision("Verdict", closed.closing.code, closed.closing.reason)
        runtime.ledgers.commit(state["deploymentId"], state["generation"], before, closed, [decision], now)
    signal = runtime.signals.read(state["deploymentId"]).count
    return {**kept(state), "signal": signal, "verdict": "WAIT", "heartbeat": max(1, math.ceil(look_again_at - now))}


def _settled(
    deployment_id: str, ledger: Ledger, deployment: Mapping[str, Any], runtime: Runtime
) -> tuple[Ledger, list[TargetRow], list[TargetRow]]:
    """The ledger with nothing open, and the rows of its skipped targets and of those that never answered.

    Targets withdrawn before they were sent are skipped in the ledger already; their rows are written here.
    """
    pending, lost = ledger.positions(Outcome.PENDING), ledger.positions(Outcome.IN_FLIGHT)
    settled = ledger.moved(pending, Outcome.SKIPPED).moved(lost, Outcome.FAILED)
    roster = runtime.ledgers.roster(deployment_id)
    positions = [*settled.positions(Outcome.SKIPPED), *lost]
    several = len(ledger.way) > 1 or len(ledger.current.stages) > 1
    known = runtime.targets.events(deployment_id, roster.ids(positions)) if several else {}

    def row(position: int, status: str, message: str) -> TargetRow:
        member = roster.members[position]
        events = known.get(member.target_id) or pending_events(
            events_of(ledger.way, position) or deployment.get("events") or ()
        )
        events = interrupted_events(events, message)
        return target_row(runtime.settings, member, status, events)

    skipped_rows = [row(position, "Skipped", "") for position in settled.positions(Outcome.SKIPPED)]
    lost_rows = [row(position, "Failed", _LOST) for position in lost]
    return settled, skipped_rows, lost_rows


def _rollback_plan(
    deployment: Mapping[str, Any], end: tuple[str, str], attempted: int, runtime: Runtime
) -> RollbackPlan | None:
    """``end``: status and error code."""
    try:
        group = runtime.groups.of_deployment(deployment)
    except DeploymentGroupNotFoundError:
        plan = plan_rollback(deployment, *end, None, attempted)
        reason = "The deployment group is gone, so nothing is rolled back."
        return plan and RollbackPlan(False, "DEPLOYMENT_GROUP_MISSING", reason)
    return plan_rollback(deployment, *end, group.get("lastGood"), attempted)


def _tell(
    state: State,
    before: Loaded,
    ledger: Ledger,
    decisions: list[Decision],
    runtime: Runtime,
    now: float,
) -> None:
    """Write the last decisions while the deployment is still live, so that they are never missing from an ended one."""
    deployment_id = state["deploymentId"]
    if before.ledger.settled:
        return
    if before.version:
        settled = replace(ledger, settled=True)
        runtime.ledgers.commit(deployment_id, state["generation"], before, settled, decisions, now)
    else:  # it ended before it had a ledger; the same items are written when this is repeated
        runtime.table.write_many(number_decisions(deployment_id, ledger, decisions, now)[1])


def _last_words(
    state: State, status: str, closing: Closing | None, ledger: Ledger, rollback: RollbackPlan | None
) -> list[Decision]:
    """How it ended and what follows. A fault of a step is told here; other verdicts EvaluateHealth has told."""
    decisions: list[Decision] = []
    if closing is not None and ("fault" in state or "error" in state):
        decisions.append(Decision("Verdict", closing.code, closing.reason))
    census = ledger.census()
    ended = f"{status}: {census.succeeded} succeeded, {census.failed} failed, {census.skipped} skipped."
    decisions.append(Decision("Finish", status.upper(), ended, dict(census.overview)))
    if rollback is not None:
        decisions.append(Decision("Rollback", rollback.code, rollback.reason))
    return decisions


def _rollback_item(
    deployment: Mapping[str, Any], rollback: RollbackPlan | None, runtime: Runtime, now: float
) -> dict[str, Any] | None:
    if rollback is None or not rollback.wanted or rollback.last_good is None:
        return None
    return rollback_deployment(deployment, rollback.last_good, deployment_id=runtime.new_deployment_id(), now=now)


def _already_ended(state: State, runtime: Runtime) -> State:
    """A repeat of the step, or a later generation's deployment: only a rollback that may not have started is left."""
    deployment = runtime.deployments.get(state["deploymentId"])
    if deployment.get("generation") != state["generation"]:
        return {**state, "verdict": "FENCED"}
    return _next(state, (deployment.get("rollback") or {}).get("rollbackDeploymentId"))


def _next(state: State, rollback_id: str | None) -> State:
    if rollback_id:
        return {**kept(state), "verdict": "ROLL_BACK", "rollbackDeploymentId": rollback_id}
    return {**kept(state), "verdict": "END"}


handler = step(logger, run, cache(Runtime))
