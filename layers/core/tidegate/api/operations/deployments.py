"""Deployments: made and looked at. What is done to a running one is in ``steering``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.operations.groups import group_of
from tidegate.api.paging import LOOKED_AT, PAGE_SIZE, Paging, take
from tidegate.api.rules.common import check_batch, check_deployment_id
from tidegate.api.rules.contents import has_content, without_content
from tidegate.api.rules.deployments import check_config_fits, check_fits_group, check_new
from tidegate.api.rules.restart import is_restart, restarted
from tidegate.api.rules.revisions import check_location
from tidegate.api.rules.selectors import filled_targets
from tidegate.api.rules.settings import platform_of
from tidegate.api.rules.styles import IN_PLACE, filled_style
from tidegate.api.services import Call, ExecutionsBusyError
from tidegate.model.deployment import NOT_STARTED, TERMINATION_WAIT_STARTED
from tidegate.model.names import DEFAULT_CONFIGS, revision_key
from tidegate.model.scaling import processes_of
from tidegate.rollout.alarms import watched_alarms
from tidegate.store.deployment_items import LIVE_STATUSES, OVERVIEW
from tidegate.store.errors import DeploymentExistsError
from tidegate.store.table import Item

Given = Mapping[str, Any]

_log = logging.getLogger(__name__)
_FIRST_GENERATION: Final = 1
_DRAWS: Final = 3
#: Settings that a deployment takes over as they are, and shows.
_FROM_GROUP: Final = ("serviceRoleArn", "loadBalancerInfo", "blueGreenDeploymentConfiguration", "ecsServices")
_FROM_CONFIG: Final = (
    ("minimum", "minimumHealthyHosts"),
    ("zonal", "zonalConfig"),
    ("trafficRouting", "trafficRoutingConfig"),
)
_FROM_CALL: Final = ("description", "overrideAlarmConfiguration")
_LONGEST_EXTERNAL_ID: Final = 256


def create_deployment(call: Call, given: Given) -> dict[str, Any]:
    """CreateDeployment: record it, then start its execution."""
    check_new(given)
    group = group_of(call, given["applicationName"], given.get("deploymentGroupName"))
    check_fits_group(given, group["info"])
    restart = restarted(group) if is_restart(given) else {}
    location = restart.get("location") or _location(call, given, group)
    attributes = {**_attributes(call, given, group, without_content(location)), **restart}
    deployment = _recorded(call, attributes, location)
    _start(call, deployment)
    return {"deploymentId": deployment["deploymentId"]}


def _attributes(call: Call, given: Given, group: Item, location: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of the new deployment's item; its id is drawn later."""
    info = group["info"]
    platform = platform_of(info)
    config = call.services.configs.get(
        given.get("deploymentConfigName") or info.get("deploymentConfigName") or DEFAULT_CONFIGS[platform]
    )
    style = filled_style(info.get("deploymentStyle"), platform)
    check_config_fits(config, platform, style)
    rollback = given.get("autoRollbackConfiguration") or info.get("autoRollbackConfiguration") or {}
    found = {
        "applicationName": given["applicationName"],
        "deploymentGroupName": info["deploymentGroupName"],
        "deploymentGroupId": group["deploymentGroupId"],
        "deploymentConfigName": config["deploymentConfigName"],
        "computePlatform": platform,
        "deploymentStyle": style,
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
    }
    # Fixed now: what is changed in configuration or group later is for later deployments.
    for name, source in _FROM_CONFIG:
        if source in config:
            found[name] = config[source]
    kept = {name: info[name] for name in _FROM_GROUP if info.get(name)}
    kept |= {name: given[name] for name in _FROM_CALL if given.get(name)}
    if given.get("targetInstances"):
        kept["targetInstances"] = filled_targets(given["targetInstances"])
    if alarms := watched_alarms(given.get("overrideAlarmConfiguration"), info.get("alarmConfiguration")):
        kept["alarms"] = alarms
    if processes := processes_of([given.get("ec2DeploymentOptions"), info.get("ec2DeploymentOptions")]):
        kept["ec2DeploymentOptions"] = {"autoScalingGroupProcessesToSuspend": processes}
    if "targetRevision" in group:
        kept["previousRevision"] = group["targetRevision"]
    if info.get("triggerConfigurations"):
        # Those of now: who is told of a deployment does not hang on what becomes of its group.
        kept["triggers"] = info["triggerConfigurations"]
    return found | kept


def _location(call: Call, given: Given, group: Item) -> dict[str, Any]:
    """The revision's location; that of an AppSpec given as text holds the text where it is not registered yet."""
    location = given.get("revision") or group.get("targetRevision")
    if not location:
        message = "'revision' is required: the deployment group has no revision yet that could be deployed again."
        raise ApiError("RevisionRequiredException", message)
    found = check_location(location, platform_of(group["info"]), buckets=call.services.settings.revision_buckets)
    if not has_content(found):
        call.services.revisions.get(given["applicationName"], found)
    return found


def _recorded(call: Call, attributes: Mapping[str, Any], location: Mapping[str, Any]) -> Item:
    """Record the deployment under an id that is free; the last draw's error is the caller's."""
    for _ in range(_DRAWS - 1):
        with suppress(DeploymentExistsError):
            return _record(call, attributes, location)
    return _record(call, attributes, location)


def _record(call: Call, attributes: Mapping[str, Any], location: Mapping[str, Any]) -> Item:
    deployment_id = call.services.new_id()
    description = f"Registered by deployment {deployment_id}"
    deployment = {**attributes, "deploymentId": deployment_id}
    return call.services.deployments.create(deployment, revision_description=description, registered_as=location)


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
            error=NOT_STARTED,
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
    _check_listing(given)
    paging = Paging(call.operation, given)
    start, wanted = paging.cursor, frozenset(given.get("includeOnlyStatuses", ()))
    group = _listed_group(call, given)
    if given.get("externalId"):
        return {"deployments": []}  # deployments of external origin are never made here
    span = given.get("createTimeRange", {})
    earliest, latest = span.get("start"), span.get("end")
    if group is not None and "hooks" not in group and wanted and wanted <= frozenset(LIVE_STATUSES):
        # A group has one live deployment at most, and knows which: there is no need to look for it. Those that Auto
        # Scaling starts run beside it.
        found = call.services.deployments.get_many([group["live"]] if "live" in group else [])
        live = [item for item in found if item["status"] in wanted and _within(item["createTime"], earliest, latest)]
        return {"deployments": [item["deploymentId"] for item in live]}
    group_id = group["deploymentGroupId"] if group else None
    items, cursor = take(
        lambda start: call.services.deployments.page(
            group_id, between=(earliest, latest), limit=LOOKED_AT if wanted else PAGE_SIZE + 1, start=start
        ),
        start,
        index="GSI1" if group_id else "GSI2",
        keep=lambda item: not wanted or item["status"] in wanted,
    )
    return {"deployments": [item["deploymentId"] for item in items], **paging.token(cursor)}


def _check_listing(given: Given) -> None:
    application, group = given.get("applicationName"), given.get("deploymentGroupName")
    if group and not application:
        message = "'deploymentGroupName' needs 'applicationName' beside it."
        raise ApiError("ApplicationNameRequiredException", message)
    if application and not group:
        message = "'applicationName' needs 'deploymentGroupName' beside it."
        raise ApiError("DeploymentGroupNameRequiredException", message)
    external = given.get("externalId", "")
    if len(external) > _LONGEST_EXTERNAL_ID or not external.isprintable():
        message = f"'externalId' must be a printable text of at most {_LONGEST_EXTERNAL_ID} characters."
        raise ApiError("InvalidExternalIdException", message)
    span = given.get("createTimeRange", {})
    earliest, latest = span.get("start"), span.get("end")
    if earliest is not None and latest is not None and earliest > latest:
        message = f"'createTimeRange' starts at {earliest}, after its end at {latest}."
        raise ApiError("InvalidTimeRangeException", message)


def _listed_group(call: Call, given: Given) -> Item | None:
    if not given.get("applicationName"):
        return None
    return group_of(call, given["applicationName"], given.get("deploymentGroupName"))


def _within(time: float, earliest: float | None, latest: float | None) -> bool:
    return (earliest is None or earliest <= time) and (latest is None or time <= latest)


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
        TERMINATION_WAIT_STARTED: item.get(TERMINATION_WAIT_STARTED, False),
        "deploymentStatusMessages": [],
    }
