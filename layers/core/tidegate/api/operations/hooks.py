"""What the functions that run lifecycle hooks tell."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.rules.common import check_deployment_id
from tidegate.api.services import Call
from tidegate.model.deployment import TERMINAL
from tidegate.store.errors import HookCompletedError
from tidegate.store.hooks import Hooks

Given = Mapping[str, Any]

_log = logging.getLogger(__name__)
_ANSWERS: Final = ("Succeeded", "Failed")
#: An id of ours is far shorter; a longer one cannot be a key of the table.
_LONGEST_ID: Final = 512


def put_lifecycle_event_hook_execution_status(call: Call, given: Given) -> dict[str, Any]:
    """PutLifecycleEventHookExecutionStatus: the first answer to a hook counts, and wakes its deployment."""
    deployment_id, execution_id, status = _checked(given)
    deployment = call.services.deployments.get(deployment_id)
    if deployment["computePlatform"] == "Server":
        message = f"Deployment '{deployment_id}' is to servers, whose lifecycle events are not run by Lambda functions."
        raise ApiError("UnsupportedActionForDeploymentTypeException", message)
    hooks, known = Hooks(call.services.table), None
    if deployment["status"] in TERMINAL:
        known = hooks.all_of(deployment_id).get(execution_id)
    if known is not None and "answer" not in known:
        raise HookCompletedError(known["event"], deployment["status"])
    hooks.answer(deployment_id, execution_id, status=status, now=call.services.clock(), by=call.caller)
    try:
        call.services.signals.signal(deployment_id)
    except Exception:
        # The answer is recorded: the deployment's own heartbeat finds it, only later.
        _log.exception("deployment %s could not be woken", deployment_id)
    return {"lifecycleEventHookExecutionId": execution_id}


def _checked(given: Given) -> tuple[str, str, str]:
    deployment_id = check_deployment_id(given["deploymentId"])
    execution_id, status = given.get("lifecycleEventHookExecutionId", ""), given.get("status")
    if not 1 <= len(execution_id.encode()) <= _LONGEST_ID:
        message = (
            f"'lifecycleEventHookExecutionId' must be the one that the hook was called with: {execution_id[:60]!r}."
        )
        raise ApiError("InvalidLifecycleEventHookExecutionIdException", message)
    if status not in _ANSWERS:
        message = f"'status' must be one of {', '.join(_ANSWERS)}; not {status!r}."
        raise ApiError("InvalidLifecycleEventHookExecutionStatusException", message)
    return deployment_id, execution_id, status
