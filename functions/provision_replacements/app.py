"""ProvisionReplacements: copy the Auto Scaling group of a blue/green deployment, and look whether the copy is there."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.course.interruptions import interruption
from tidegate.gateways.errors import FleetFault
from tidegate.model.deployment import ErrorCode
from tidegate.runtime import Runtime, State, step
from tidegate.scaling.provisioning import provision
from tidegate.store.errors import DeploymentGroupNotFoundError


def run(state: State, runtime: Runtime) -> State:
    """One turn: ACT when the replacement instances are there, WAIT for a while when they are not."""
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return {**state, "verdict": "FENCED"}
    if (ended := interruption(deployment, runtime, runtime.clock()).closing) is not None:
        return _finish(state, ended.code, ended.reason, status=ended.status)
    try:
        progress = provision(deployment, runtime.groups.of_deployment(deployment), runtime)
    except DeploymentGroupNotFoundError as error:
        return _finish(state, ErrorCode.DEPLOYMENT_GROUP_MISSING, str(error))
    except FleetFault as fault:
        return _finish(state, fault.code, fault.message)
    if progress.ready:
        return {**state, "verdict": "ACT"}
    return {**state, "verdict": "WAIT", "heartbeat": max(1, math.ceil(progress.wait))}


def _finish(state: State, code: str, message: str, **more: Any) -> State:
    return {**state, "verdict": "FINISH", "fault": {"code": code, "message": message, **more}}


handler = step(Logger(), run, cache(Runtime))
