"""FinishDeployment: end a deployment with its status, code and reason, and make its rollback where one is wanted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.course.aftermath import after_the_end
from tidegate.course.ending import End, end_deployment, no_ledger
from tidegate.model.decisions import Decision
from tidegate.model.deployment import ErrorCode
from tidegate.model.ledger import Closing, Ledger
from tidegate.rollout import judge
from tidegate.runtime import Runtime, State, kept, step
from tidegate.store.ledgers import Loaded

logger = Logger()


#: Errors of a step whose own words say all: how a deployment ends that they remain with.
_KNOWN = {
    "AlarmsUnreadError": ("Stopped", ErrorCode.ALARM_ACTIVE),
    "TableBusyError": ("Failed", ErrorCode.THROTTLED),
    "ThrottledError": ("Failed", ErrorCode.THROTTLED),
    "LedgerGoneError": ("Failed", ErrorCode.CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND),
    "LimitReachedError": ("Failed", ErrorCode.RESOURCE_LIMIT_EXCEEDED),
    "ResourceMissingError": ("Failed", ErrorCode.CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND),
    "RoleMissingError": ("Failed", ErrorCode.IAM_ROLE_MISSING),
    "RolePermissionsError": ("Failed", ErrorCode.IAM_ROLE_PERMISSIONS),
}


def run(state: State, runtime: Runtime) -> State:
    """End the deployment; or, after an error with targets in flight, let them finish first (verdict WAIT)."""
    deployment_id = state["deploymentId"]
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return _already_ended(state, runtime)
    now = runtime.clock()
    loaded = runtime.ledgers.load(deployment_id) or no_ledger(deployment)
    closing = loaded.ledger.closing or fault_of(state, now)
    closed = replace(loaded.ledger, closing=closing)
    verdict = judge(closed, runtime.settings.rules(deployment), now)
    if not verdict.kind.ends:
        return _let_finish(state, runtime, loaded, closed, verdict.look_again_at, now)
    # A fault of a step is told here; other verdicts EvaluateHealth has told.
    told = [Decision("Verdict", closing.code, closing.reason)] if closing and {"fault", "error"} & set(state) else []
    end = End(verdict.status, verdict.code, verdict.reason)
    return _after(state, end_deployment(deployment, loaded, closed, end, told, runtime, now), runtime)


def fault_of(state: State, now: float) -> Closing | None:
    """What a step reported (``fault``) or died of (``error``, as Step Functions caught it)."""
    if "fault" in state:
        fault = state["fault"]
        return Closing(fault.get("status", "Failed"), fault["code"], fault["message"], now)
    if "error" not in state:
        return None
    name = state["error"].get("Error", "")
    try:
        cause = json.loads(state["error"].get("Cause") or "{}")
        name, told = cause.get("errorType", name), cause.get("errorMessage", "")
    except (ValueError, AttributeError):
        told = ""
    logger.error("a step failed for good", error=name, cause=told)
    if name in _KNOWN:
        status, code = _KNOWN[name]
        return Closing(status, code, told or f"A step failed: {name}.", now)
    message = f"A step of the deployment failed after retries ({name}): {told or 'no message'}"
    return Closing("Failed", ErrorCode.INTERNAL_ERROR, message, now)


def _let_finish(
    state: State, runtime: Runtime, before: Loaded, closed: Ledger, look_again_at: float, now: float
) -> State:
    """Note the stop condition and go back to the loop, which starts nothing new and waits within the drain limit."""
    if before.ledger.closing is None and closed.closing is not None:
        decision = Decision("Verdict", closed.closing.code, closed.closing.reason)
        runtime.ledgers.commit(state["deploymentId"], state["generation"], before, closed, [decision], now)
    signal = runtime.signals.read(state["deploymentId"]).count
    return {**kept(state), "signal": signal, "verdict": "WAIT", "heartbeat": max(1, math.ceil(look_again_at - now))}


def _already_ended(state: State, runtime: Runtime) -> State:
    """A repeat of the step, or a later generation's deployment: only what follows its end may be left to do."""
    deployment = runtime.deployments.get(state["deploymentId"])
    if deployment.get("generation") != state["generation"]:
        return {**state, "verdict": "FENCED"}
    return _after(state, deployment, runtime)


def _after(state: State, ended: Mapping[str, Any], runtime: Runtime) -> State:
    started = after_the_end(ended, runtime)
    if started is None:
        return {**kept(state), "verdict": "END"}
    return {**kept(state), "verdict": "ROLL_BACK", "rollbackDeploymentId": started}


handler = step(logger, run, cache(Runtime))
