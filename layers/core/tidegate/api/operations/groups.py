"""Deployment groups."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tidegate.api.errors import ApiError
from tidegate.api.operations.scaling import (
    check_scaling_groups,
    hooks_removed,
    hooks_settled,
    minds_hooks,
    shown_groups,
)
from tidegate.api.paging import PAGE_SIZE, Paging, take
from tidegate.api.rules.common import check_batch, check_tags
from tidegate.api.rules.groups import check_config_fits, check_given, check_settings
from tidegate.api.rules.settings import changed_settings, new_settings, platform_of
from tidegate.api.services import Call
from tidegate.store.errors import DeploymentGroupBusyError, DeploymentGroupNotFoundError
from tidegate.store.groups import group_key
from tidegate.store.table import Item

Given = Mapping[str, Any]


def create_deployment_group(call: Call, given: Given) -> dict[str, Any]:
    """CreateDeploymentGroup. A group that selects nothing is accepted; its deployments fail for want of instances."""
    check_given(given)
    check_tags(given.get("tags", ()))
    platform = call.services.applications.get(given["applicationName"])["computePlatform"]
    info = new_settings(given, platform)
    _check_config(call, info["deploymentConfigName"], platform)
    check_settings(info)
    check_scaling_groups(call, info)
    group_id = call.services.new_uuid()
    call.services.groups.create(group_id, info, tags=given.get("tags", ()))
    _hook(call, info)
    return {"deploymentGroupId": group_id}


def _hook(call: Call, info: Mapping[str, Any]) -> None:
    """Put the hooks of a new group on; where that fails there is no new group."""
    if not info["autoScalingGroups"]:
        return
    names = info["applicationName"], info["deploymentGroupName"]
    item = call.services.groups.get(*names)
    try:
        hooks_settled(call, item)
    except ApiError:
        hooks_removed(call, item)
        call.services.groups.delete(*names)
        raise


def get_deployment_group(call: Call, given: Given) -> dict[str, Any]:
    """GetDeploymentGroup."""
    call.services.applications.get(given["applicationName"])
    item = call.services.groups.get(given["applicationName"], given["deploymentGroupName"])
    return {"deploymentGroupInfo": _shown(item)}


def batch_get_deployment_groups(call: Call, given: Given) -> dict[str, Any]:
    """BatchGetDeploymentGroups: unknown names are told in ``errorMessage``."""
    check_batch("deploymentGroupNames", given["deploymentGroupNames"], 100)
    application, names = given["applicationName"], list(dict.fromkeys(given["deploymentGroupNames"]))
    call.services.applications.get(application)
    found = call.services.table.get_many(group_key(application, name) for name in names)
    unknown = [name for name in names if group_key(application, name) not in found]
    shown = [_shown(found[group_key(application, name)]) for name in names if name not in unknown]
    message = {"errorMessage": f"Unknown deployment groups: {', '.join(unknown)}."} if unknown else {}
    return {"deploymentGroupsInfo": shown, **message}


def list_deployment_groups(call: Call, given: Given) -> dict[str, Any]:
    """ListDeploymentGroups, by name."""
    application, paging = given["applicationName"], Paging(call.operation, given)
    call.services.applications.get(application)
    items, cursor = take(
        lambda start: call.services.groups.page(application, limit=PAGE_SIZE + 1, start=start), paging.cursor
    )
    names = [item["info"]["deploymentGroupName"] for item in items]
    return {"applicationName": application, "deploymentGroups": names, **paging.token(cursor)}


def update_deployment_group(call: Call, given: Given) -> dict[str, Any]:
    """UpdateDeploymentGroup: what is absent stays, an empty list clears."""
    check_given(given)
    application, group = given["applicationName"], given["currentDeploymentGroupName"]
    platform = call.services.applications.get(application)["computePlatform"]
    if "deploymentConfigName" in given:
        _check_config(call, given["deploymentConfigName"], platform)
    name = given.get("newDeploymentGroupName") or group

    about_hooks = False

    def changed(item: Item) -> dict[str, Any]:
        nonlocal about_hooks
        about_hooks = minds_hooks(given, item)
        info = changed_settings(item["info"], {**given, "deploymentGroupName": name})
        check_settings(info)
        if about_hooks:
            check_scaling_groups(call, info, item)
        return info

    try:
        call.services.groups.update(application, group, changed)
    except DeploymentGroupBusyError as error:
        message = f"{error}; it can be renamed when that has ended."
        raise ApiError("InvalidInputException", message) from None
    left = hooks_settled(call, call.services.groups.get(application, name)) if about_hooks else []
    return {"hooksNotCleanedUp": left}


def delete_deployment_group(call: Call, given: Given) -> dict[str, Any]:
    """DeleteDeploymentGroup: an unknown one is fine."""
    call.services.applications.settle(given["applicationName"])
    names = given["applicationName"], given["deploymentGroupName"]
    left: list[dict[str, Any]] = []
    with suppress(DeploymentGroupNotFoundError):
        # First, so that no hook is left without a group where this ends half-way.
        left = hooks_removed(call, call.services.groups.get(*names))
    call.services.groups.delete(*names)
    return {"hooksNotCleanedUp": left}


def group_of(call: Call, application: str, group: str | None) -> Item:
    """The group that a call names, with the errors that clients expect, the application's first."""
    call.services.applications.get(application)
    if not group:
        message = "'deploymentGroupName' is required; give it a value."
        raise ApiError("DeploymentGroupNameRequiredException", message)
    try:
        return call.services.groups.get(application, group)
    except DeploymentGroupNotFoundError as error:
        raise ApiError("DeploymentGroupDoesNotExistException", str(error)) from None


def _check_config(call: Call, name: str, platform: str) -> None:
    check_config_fits(name, call.services.configs.get(name)["computePlatform"], platform)


def _shown(item: Item) -> dict[str, Any]:
    """``DeploymentGroupInfo``."""
    info = item["info"]
    shown: dict[str, Any] = {
        **info,
        "deploymentGroupId": item["deploymentGroupId"],
        "computePlatform": platform_of(info),
        "autoScalingGroups": shown_groups(item),
    }
    links = {
        "targetRevision": "targetRevision",
        "lastSuccessfulDeployment": "lastSuccessful",
        "lastAttemptedDeployment": "lastAttempted",
    }
    return shown | {member: item[attr] for member, attr in links.items() if attr in item}
