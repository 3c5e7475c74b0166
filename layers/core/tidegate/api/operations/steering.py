"""What is done to a deployment that runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.rules.common import check_deployment_id
from tidegate.api.services import Call
from tidegate.model.deployment import ROLLBACK_CREATOR, TERMINAL, is_blue_green
from tidegate.model.legs import WaitKind
from tidegate.store.errors import DeploymentCompletedError, NotWaitingError
from tidegate.store.table import Item

Given = Mapping[str, Any]

_log = logging.getLogger(__name__)
_PENDING: Final = {
    "status": "Pending",
    "statusMessage": "The deployment stops: nothing new is started, and what runs is let finish.",
}
_STOPPED: Final = {"status": "Succeeded", "statusMessage": "The deployment was stopped."}


def stop_deployment(call: Call, given: Given) -> dict[str, Any]:
    """StopDeployment: ``Pending`` until the deployment has stopped, then ``Succeeded`` to whoever asks again."""
    deployment_id = check_deployment_id(given["deploymentId"])
    deployments = call.services.deployments
    try:
        deployments.request_stop(
            deployment_id,
            now=call.services.clock(),
            auto_rollback=given.get("autoRollbackEnabled"),
            by=call.caller,
        )
    except DeploymentCompletedError:
        item = deployments.get(deployment_id)
        if item["status"] == "Stopped" and "stop" in item:
            return dict(_STOPPED)
        raise
    _wake(call, deployment_id)
    return dict(_PENDING)


def continue_deployment(call: Call, given: Given) -> dict[str, Any]:
    """ContinueDeployment: end a wait of a blue/green deployment, for traffic or for the end of the originals."""
    item = _live(call, given)
    wait = WaitKind(given.get("deploymentWaitType", WaitKind.READY))
    if item.get("computePlatform") == "ECS":
        message = f"The deployment is {item['status']}; it can be continued while it is Ready."
        raise ApiError("DeploymentIsNotInReadyStateException", message)
    return _continued(call, item, wait)


def skip_wait_time_for_instance_termination(call: Call, given: Given) -> dict[str, Any]:
    """SkipWaitTimeForInstanceTermination: the same as continuing a TERMINATION_WAIT, but where none has begun."""
    item = _live(call, given)
    try:
        return _continued(call, item, WaitKind.TERMINATION)
    except NotWaitingError as error:
        raise ApiError("DeploymentNotStartedException", str(error)) from None


def _continued(call: Call, item: Item, wait: WaitKind) -> dict[str, Any]:
    if not is_blue_green(item) or item["creator"] == ROLLBACK_CREATOR:
        raise _nothing_waits(item)
    call.services.deployments.request_continue(item["deploymentId"], wait.value)
    _wake(call, item["deploymentId"])
    return {}


def _wake(call: Call, deployment_id: str) -> None:
    try:
        call.services.signals.signal(deployment_id)
    except Exception:
        # What was asked is recorded: the deployment's own heartbeat finds it, only later.
        _log.exception("deployment %s could not be woken", deployment_id)


def _live(call: Call, given: Given) -> Item:
    item = call.services.deployments.get(check_deployment_id(given["deploymentId"]))
    if item["status"] in TERMINAL:
        raise DeploymentCompletedError(item["deploymentId"], item["status"])
    return item


def _nothing_waits(item: Item) -> ApiError:
    platform = item.get("computePlatform", "Server")
    which = "in place" if platform == "Server" else f"of platform {platform}"
    if item["creator"] == ROLLBACK_CREATOR:
        which = "a rollback"
    message = f"The deployment is {which}: it neither waits to be continued nor for instances to be terminated."
    return ApiError("UnsupportedActionForDeploymentTypeException", message)
