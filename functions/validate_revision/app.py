"""ValidateRevision: copy the bundle, read its AppSpec, compile it. Nothing is touched before this has passed.

For Lambda and ECS, what the AppSpec names is looked at too; their traffic is not yet shifted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aws_lambda_powertools import Logger

from tidegate.appspec import (
    AppSpecError,
    EcsAppSpec,
    LambdaAppSpec,
    compile_ecs_appspec,
    compile_lambda_appspec,
    compile_server_appspec,
    ecs_misfit,
    lambda_misfit,
)
from tidegate.gateways.errors import RevisionFault
from tidegate.model.deployment import (
    ECS_EVENTS,
    IN_PLACE_EVENTS,
    LAMBDA_EVENTS,
    LEAVING_EVENTS,
    RESTART,
    RESTART_EVENTS,
    ErrorCode,
)
from tidegate.model.names import PAYLOADS, ecs_service_id, revision_name
from tidegate.model.scaling import is_leaving
from tidegate.rollout.projection import interrupted_events, pending_events
from tidegate.runtime import Runtime, State, step
from tidegate.scaling.lifecycle_actions import keep_waiting
from tidegate.store.deployment_items import OVERVIEW
from tidegate.store.errors import DeploymentGroupNotFoundError, RevisionNotFoundError
from tidegate.store.revisions import Revisions
from tidegate.store.shift_targets import put_shift_target

if TYPE_CHECKING:
    from tidegate.gateways.bundles import Bundle

_AppSpec = TypeVar("_AppSpec", LambdaAppSpec, EcsAppSpec)


def run(state: State, runtime: Runtime) -> State:
    """Note the copied bundle and the compiled AppSpec on the deployment, or what is wrong with them."""
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return {**state, "verdict": "FENCED"}
    if "startTime" in deployment:
        return {**state, "verdict": "ACT"}  # a later generation: the revision was checked by an earlier one
    # Copying a large bundle takes minutes, and may be tried again; who waits for it meanwhile is not to be given up.
    if (gone := keep_waiting(deployment, runtime, runtime.clock())) is not None:
        return {**state, "verdict": "FINISH", "fault": {"code": gone.code, "message": gone.reason}}
    validate = _VALIDATED[deployment.get("computePlatform", "Server")]
    try:
        changes = restarted(deployment, runtime) or given_back(deployment, runtime) or validate(deployment, runtime)
        runtime.deployments.amend(state["deploymentId"], changes, generation=state["generation"])
        _refuse_to_shift(deployment)
    except RevisionFault as fault:
        return {**state, "verdict": "FINISH", "fault": {"code": fault.code, "message": fault.message}}
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


def given_back(deployment: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """What the rollback of a blue/green deployment learns from it; empty for any other deployment.

    Nothing is downloaded: hosts run the scripts of what they have, the originals those of the last good deployment.
    """
    if "trafficBackOf" not in deployment:
        return {}
    failed = runtime.deployments.get(deployment["trafficBackOf"])
    kept = ("bundle", "appspec", "appspecWarnings", "hookSeconds", "events")
    found: dict[str, Any] = {name: failed[name] for name in kept if name in failed}
    try:
        good = runtime.groups.of_deployment(deployment).get("lastGood") or {}
    except DeploymentGroupNotFoundError:
        return found  # the next step tells so
    hooks = runtime.deployments.get(good["deploymentId"]).get("hookSeconds") if good else None
    known = found.get("hookSeconds") or {}
    seconds = {each: max(known.get(each, 0), (hooks or {}).get(each, 0)) for each in {*known, *(hooks or {})}}
    return found | {"hookSeconds": seconds}


def validated(deployment: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """What the deployment learns from its revision.

    Raises
    ------
    RevisionFault
    """
    location = deployment["location"]
    bundle = _bundle(deployment, runtime)
    name = revision_name(location)
    text = runtime.bundles.appspec(bundle, name)
    try:
        appspec = compile_server_appspec(text, os=None)
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
        "events": list(LEAVING_EVENTS if is_leaving(deployment) else IN_PLACE_EVENTS),
    }


def validated_lambda(deployment: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """What a deployment to Lambda learns from its revision and from the alias; its target is shown.

    Raises
    ------
    RevisionFault
    """
    text, changes = _text(deployment, runtime)
    appspec = _compiled(compile_lambda_appspec, text)
    versions = (appspec.current_version, appspec.target_version)
    seen = runtime.aliases.look(appspec.function, appspec.alias, versions)
    _insist(lambda_misfit(appspec, seen))
    info = {
        "functionName": appspec.function,
        "functionAlias": appspec.alias,
        "currentVersion": appspec.current_version,
        "targetVersion": appspec.target_version,
        "targetVersionWeight": 0,
    }
    put_shift_target(
        runtime.table,
        deployment["deploymentId"],
        kind="LambdaTarget",
        target_id=appspec.target_id,
        arn=f"{seen.function_arn}:{appspec.alias}",
        status="Skipped",
        events=interrupted_events(pending_events(LAMBDA_EVENTS), ""),
        detail={"lambdaFunctionInfo": info},
        now=runtime.clock(),
    )
    return {**changes, **_learned(appspec, LAMBDA_EVENTS)}


def validated_ecs(deployment: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """What a deployment to ECS learns from its revision and from the service; its target is shown.

    Raises
    ------
    RevisionFault
    """
    text, changes = _text(deployment, runtime)
    appspec = _compiled(compile_ecs_appspec, text)
    (service,) = deployment["ecsServices"]
    service_id = ecs_service_id(service)
    seen = runtime.ecs_services.look(service, appspec.task_definition)
    _insist(ecs_misfit(appspec, service_id, seen))
    put_shift_target(
        runtime.table,
        deployment["deploymentId"],
        kind="ECSTarget",
        target_id=service_id,
        arn=seen.arn,
        status="Skipped",
        events=interrupted_events(pending_events(ECS_EVENTS), ""),
        detail={"taskSetsInfo": [_task_set(each) for each in seen.task_sets]},
        now=runtime.clock(),
    )
    return {**changes, **_learned(appspec, ECS_EVENTS)}


def _bundle(deployment: Mapping[str, Any], runtime: Runtime) -> Bundle:
    """The copy of the revision in the stack's bucket."""
    location, key = deployment["location"], deployment["revisionKey"]
    if location["revisionType"] == "GitHub":
        return runtime.github_bundles.copy(location, key, deployment["applicationName"])
    return runtime.bundles.copy(location, key)


def _text(deployment: Mapping[str, Any], runtime: Runtime) -> tuple[str, dict[str, Any]]:
    """The AppSpec's text, and what is to be noted of where it came from."""
    location = deployment["location"]
    if location["revisionType"] == "S3":
        bundle = _bundle(deployment, runtime)
        return runtime.bundles.appspec(bundle, revision_name(location)), {"bundle": bundle.to_item()}
    try:
        kept = Revisions(runtime.table).get(deployment["applicationName"], location)["location"]
    except RevisionNotFoundError as error:
        raise RevisionFault(ErrorCode.REVISION_MISSING, f"{error} Register it again.") from error
    content = kept[PAYLOADS[kept["revisionType"]]].get("content")
    if not content:
        message = "The text of the revision's AppSpec is no longer kept. Deploy with its content again."
        raise RevisionFault(ErrorCode.REVISION_MISSING, message)
    return content, {}


def _compiled(compiler: Callable[[str], _AppSpec], text: str) -> _AppSpec:
    try:
        return compiler(text)
    except AppSpecError as error:
        raise RevisionFault(ErrorCode.INVALID_REVISION, f"The AppSpec cannot be used: {error}") from error


def _insist(misfit: tuple[str, str] | None) -> None:
    if misfit is not None:
        raise RevisionFault(*misfit)


def _learned(appspec: LambdaAppSpec | EcsAppSpec, events: Sequence[str]) -> dict[str, Any]:
    return {
        "appspec": json.dumps(appspec.to_json()),
        "appspecWarnings": list(appspec.warnings),
        "events": list(events),
        "overview": dict.fromkeys(OVERVIEW, 0) | {"Skipped": 1},
    }


def _task_set(found: Mapping[str, Any]) -> dict[str, Any]:
    """A task set as the API shows it (API: ECSTaskSet; ``identifer`` is spelled so there)."""
    counts = {"desiredCount": "computedDesiredCount", "pendingCount": "pendingCount", "runningCount": "runningCount"}
    primary = found["status"] == "PRIMARY"
    return {
        "identifer": found["id"],
        "status": found["status"],
        "trafficWeight": 100 if primary else 0,
        "taskSetLabel": "Blue" if primary else "Green",
        **{name: found[member] for name, member in counts.items() if member in found},
    }


def _refuse_to_shift(deployment: Mapping[str, Any]) -> None:
    what = {"Lambda": "between Lambda versions", "ECS": "between Amazon ECS task sets"}.get(
        deployment.get("computePlatform", "Server")
    )
    if what:
        message = (
            f"Shifting traffic {what} is not available in this version of Tidegate. The revision was checked, and "
            "nothing was changed."
        )
        raise RevisionFault(ErrorCode.INTERNAL_ERROR, message)


_VALIDATED: Final[Mapping[str, Callable[[Mapping[str, Any], Runtime], dict[str, Any]]]] = {
    "Server": validated,
    "Lambda": validated_lambda,
    "ECS": validated_ecs,
}

handler = step(Logger(), run, cache(Runtime))
