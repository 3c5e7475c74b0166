"""Deployments: made and looked at. What is done to a running one is in ``steering``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from tidegate.api.errors import ApiError, not_yet
from tidegate.api.operations.groups import group_of
from tidegate.api.paging import PAGE_SIZE, Paging, take
from tidegate.api.rules.common import (
    check_alarms,
    check_auto_rollback,
    check_batch,
    check_deployment_id,
    check_description,
)
from tidegate.api.rules.groups import IN_PLACE
from tidegate.api.rules.restart import check_restart, is_restart, restarted
from tidegate.api.rules.revisions import check_location
from tidegate.api.services import Call, ExecutionsBusyError
from tidegate.model.names import revision_key
from tidegate.store.configs import DEFAULT_CONFIG
from tidegate.store.deployments import OVERVIEW
from tidegate.store.errors import DeploymentExistsError
from tidegate.store.table import Item

Given = Mapping[str, Any]

_log = logging.getLogger(__name__)
_FIRST_GENERATION: Final = 1
_DRAWS: Final = 3


def create_deployment(call: Call, given: Given) -> dict[str, Any]:
    """CreateDeployment: record it, then start its execution."""
    _check(given)
    group = group_of(call, given["applicationName"], given.get("deploymentGroupName"))
    attributes = _attributes(call, given, group)
    deployment = _recorded(call, attributes)
    _start(call, deployment)
    return {"deploymentId": deployment["deploymentId"]}


def _check(given: Given) -> None:
    check_description(given.get("description"))
    check_auto_rollback(given.get("autoRollbackConfiguration"))
    check_alarms("overrideAlarmConfiguration", given.get("overrideAlarmConfiguration"))
    if is_restart(given):
        check_restart(given)
    if given.get("targetInstances"):
        message = "'targetInstances' is for blue/green deployments; this group deploys in place."
        raise ApiError("InvalidTargetInstancesException", message)
    if (given.get("overrideAlarmConfiguration") or {}).get("enabled"):
        raise not_yet("InvalidAlarmConfigException", "Alarms that stop a deployment are")
    if (given.get("ec2DeploymentOptions") or {}).get("autoScalingGroupProcessesToSuspend"):
        message = "The deployment group has no Auto Scaling group whose processes could be suspended."
        raise ApiError("InvalidAutoScalingGroupProcessToSuspendException", message)


def _attributes(call: Call, given: Given, group: Item) -> dict[str, Any]:
    """The attributes of the new deployment's item; its id is drawn later."""
    info = group["info"]
    restart = restarted(group) if is_restart(given) else {}
    location = restart.get("location") or _location(call, given, group)
    config = call.services.configs.get(
        given.get("deploymentConfigName") or info.get("deploymentConfigName") or DEFAULT_CONFIG
    )
    if config["computePlatform"] != "Server":
        message = f"The deployment configuration '{config['deploymentConfigName']}' is for {config['computePlatform']}."
        raise ApiError("InvalidComputePlatformException", message)
    rollback = given.get("autoRollbackConfiguration") or info.get("autoRollbackConfiguration") or {}
    found = {
        "applicationName": given["applicationName"],
        "deploymentGroupName": info["deploymentGroupName"],
        "deploymentGroupId": group["deploymentGroupId"],
        "deploymentConfigName": config["deploymentConfigName"],
        "minimum": config["minimumHealthyHosts"],
        "computePlatform": "Server",
        "deploymentStyle": {**IN_PLACE, **info.get("deploymentStyle", {})},
        "location": location,
        "revisionKey": revision_key(location),
        "status": "Created",
        "creator": "user",
        "createTime": call.services.clock(),
        "fileExistsBehavior": given.get("fileExistsBehavior", "DISALLOW"),
        "ignoreApplicationStopFailures": given.get("ignoreApplicationStopFailures", False),
        "updateOutdatedInstancesOnly": given.get("updateOutdatedInstancesOnly", False),
        "autoRollback": {"enabled": rollback.get("enabled", False), "events": rollback.get("events", [])},
        "overview": dict.fromkeys(OVERVIEW, 0),
        "generation": _FIRST_GENERATION,
        "caller": call.caller,
        **restart,
    }
    if given.get("description"):
        found["description"] = given["description"]
    if "targetRevision" in group:
        found["previousRevision"] = group["targetRevision"]
    return found


def _location(call: Call, given: Given, group: Item) -> dict[str, Any]:
    location = given.get("revision") or group.get("targetRevision")
    if not location:
        message = "'revision' is required: the deployment group has no revision yet that could be deployed again."
        raise ApiError("RevisionRequiredException", message)
    found = check_location(location, buckets=call.services.settings.revision_buckets)
    if found["revisionType"] != "S3":
        raise not_yet("InvalidRevisionException", f"Deployments of {found['revisionType']} revisions are")
    return found


def _recorded(call: Call, attributes: Mapping[str, Any]) -> Item:
    """Record the deployment under an id that is free; the last draw's error is the caller's."""
    for _ in range(_DRAWS - 1):
        with suppress(DeploymentExistsError):
            return _record(call, attributes)
    return _record(call, attributes)


def _record(call: Call, attributes: Mapping[str, Any]) -> Item:
    deployment_id = call.services.new_id()
    description = f"Registered by deployment {deployment_id}"
    deployment = {**attributes, "deploymentId": deployment_id}
    return call.services.deployments.create(deployment, revision_description=description)


def _start(call: Call, deployment: Item) -> None:
    """Start the execution; where that fails, end the deployment at once so that its group is free again."""
    deployment_id = deployment["deploymentId"]
    try:
        call.services.executions.start(deployment_id, _FIRST_GENERATION)
    except Exception as error:
        _log.exception("the execution of %s could not be started", deployment_id)
        call.services.deployments.finish(
            deployment_id,
            status="Failed",
            now=call.services.clock(),
            error={
                "code": "INTERNAL_ERROR",
                "message": "The deployment's execution could not be started; deploy again.",
            },
        )
        message = (
            f"The execution of deployment {deployment_id} could not be started; the deployment was ended as Failed."
        )
        if isinstance(error, ExecutionsBusyError):
            raise ApiError("ThrottlingException", message) from error
        raise ApiError("InternalFailure", message, 500) from error


def get_deployment(call: Call, given: Given) -> dict[str, Any]:
    """GetDeployment."""
    return {"deploymentInfo": shown(call.services.deployments.get(check_deployment_id(given["deploymentId"])))}


def batch_get_deployments(call: Call, given: Given) -> dict[str, Any]:
    """BatchGetDeployments: at most 100; unknown ids are left out."""
    check_batch("deploymentIds", given["deploymentIds"], 100)
    ids = [check_deployment_id(each) for each in given["deploymentIds"]]
    return {"deploymentsInfo": [shown(item) for item in call.services.deployments.get_many(ids)]}


def list_deployments(call: Call, given: Given) -> dict[str, Any]:
    """ListDeployments, newest first; of one group or of all."""
    group_id = _listed_group(call, given)
    span = given.get("createTimeRange", {})
    earliest, latest = span.get("start"), span.get("end")
    if earliest is not None and latest is not None and earliest > latest:
        message = f"'createTimeRange' starts at {earliest}, after its end at {latest}."
        raise ApiError("InvalidTimeRangeException", message)
    if given.get("externalId"):
        return {"deployments": []}  # deployments of external origin are never made here
    wanted = given.get("includeOnlyStatuses")
    paging = Paging(call.operation, given)
    items, cursor = take(
        lambda start: call.services.deployments.page(
            group_id, between=(earliest, latest), limit=PAGE_SIZE + 1, start=start
        ),
        paging.cursor,
        index="GSI1" if group_id else "GSI2",
        keep=lambda item: not wanted or item["status"] in wanted,
    )
    return {"deployments": [item["deploymentId"] for item in items], **paging.token(cursor)}


def _listed_group(call: Call, given: Given) -> str | None:
    application, group = given.get("applicationName"), given.get("deploymentGroupName")
    if not application and not group:
        return None
    if not application:
        message = "'deploymentGroupName' needs 'applicationName' beside it."
        raise ApiError("ApplicationNameRequiredException", message)
    return str(group_of(call, application, group)["deploymentGroupId"])


def shown(item: Item) -> dict[str, Any]:
    """``DeploymentInfo``, with every member that clients read without a default."""
    renamed = {
        "location": "revision",
        "error": "errorInformation",
        "rollback": "rollbackInfo",
        "autoRollback": "autoRollbackConfiguration",
    }
    info = {renamed.get(name, name): value for name, value in item.items()}
    return {
        **info,
        "deploymentOverview": dict.fromkeys(OVERVIEW, 0) | item.get("overview", {}),
        "deploymentStyle": item.get("deploymentStyle", IN_PLACE),
        "instanceTerminationWaitTimeStarted": False,
        "deploymentStatusMessages": [],
    }
