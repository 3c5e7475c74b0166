"""ValidateRevision: copy the bundle, read its AppSpec, compile it. No host is touched before this has passed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.appspec import AppSpecError, compile_server_appspec
from tidegate.gateways.errors import RevisionFault
from tidegate.model.deployment import IN_PLACE_EVENTS, RESTART, RESTART_EVENTS, ErrorCode
from tidegate.runtime import Runtime, State, step


def run(state: State, runtime: Runtime) -> State:
    """Note the copied bundle and the compiled AppSpec on the deployment, or what is wrong with them."""
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return {**state, "verdict": "FENCED"}
    try:
        changes = restarted(deployment, runtime) or validated(deployment, runtime)
    except RevisionFault as fault:
        return {**state, "verdict": "FINISH", "fault": {"code": fault.code, "message": fault.message}}
    runtime.deployments.amend(state["deploymentId"], changes, generation=state["generation"])
    return {**state, "verdict": "ACT"}


def restarted(deployment: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """What a restart learns from the deployment that installed its revision; empty for any other deployment.

    The revision itself is not looked at: nothing of it is downloaded, so it may be gone from its bucket.
    """
    if deployment.get("deploymentMode") != RESTART:
        return {}
    installed = runtime.deployments.get(deployment["restartOf"])
    kept = ("appspec", "appspecWarnings", "hookSeconds")
    return {name: installed[name] for name in kept if name in installed} | {"events": list(RESTART_EVENTS)}


def validated(deployment: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """What the deployment learns from its revision.

    Raises
    ------
    RevisionFault
    """
    location = deployment["location"]
    bundle = runtime.bundles.copy(location, deployment["revisionKey"])
    name = f"s3://{location['s3Location']['bucket']}/{location['s3Location']['key']}"
    text = runtime.bundles.appspec(bundle, name)
    try:
        appspec = compile_server_appspec(text)
    except AppSpecError as error:
        raise RevisionFault(
            ErrorCode.INVALID_REVISION, f"The AppSpec file of {name} cannot be used: {error}"
        ) from error
    compiled = appspec.to_json()
    hook_seconds = {event: sum(script["timeout"] for script in scripts) for event, scripts in compiled["hooks"].items()}
    return {
        "bundle": bundle.to_item(),
        "appspec": json.dumps(compiled),
        "appspecWarnings": list(appspec.warnings),
        "hookSeconds": hook_seconds,
        "events": list(IN_PLACE_EVENTS),
    }


handler = step(Logger(), run, cache(Runtime))
