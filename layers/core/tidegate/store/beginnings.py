"""The writes that make a deployment, as values, and what it means where they are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidegate.store.alarm_watches import watches_of
from tidegate.store.deployment_items import deployment_key, last_info, live_mark, with_keys
from tidegate.store.errors import (
    ConditionFailedError,
    DeploymentExistsError,
    DeploymentGroupBusyError,
    DeploymentGroupNotFoundError,
    InstanceBusyError,
    StoreError,
    TableBusyError,
)
from tidegate.store.groups import group_key
from tidegate.store.revisions import revision_use
from tidegate.store.scaled_groups import lock_taken
from tidegate.store.table import Absent, All, AttributeAbsent, Check, Equals, Present, Put, Update, Write

_GROUP: Final = 2  # the place of the group's lock among the writes of a beginning; behind it only a root is asked


def made(deployment: Mapping[str, Any]) -> list[Write]:
    """The writes of every new deployment: its item, which must be absent, and the mark that it is live."""
    return [Put(with_keys(deployment), Absent()), Put(live_mark(deployment))]


def beginning(
    deployment: Mapping[str, Any],
    location: Mapping[str, Any],
    revision_description: str,
    root: Mapping[str, Any] | None = None,
) -> list[Write]:
    """The writes that make a deployment with its group's lock.

    Parameters
    ----------
    location : the revision's as it is registered
    root : the deployment that it follows up, as it was read: another follow-up of it since refuses the writes
    """
    application, group = deployment["applicationName"], deployment["deploymentGroupName"]
    free = All(Equals("deploymentGroupId", deployment["deploymentGroupId"]), AttributeAbsent("live"))
    lock = {"live": deployment["deploymentId"], "lastAttempted": last_info(deployment)}
    now = deployment["createTime"]
    return [
        *made(deployment),
        Update(group_key(application, group), set=lock, condition=free),
        revision_use(application, location, description=revision_description, now=now),
        *watches_of(deployment),
        *_related(root, deployment["deploymentId"]),
    ]


def _related(root: Mapping[str, Any] | None, follow_up: str) -> list[Write]:
    """The write that tells a root of its follow-up: the next one after those that were read."""
    if root is None:
        return []
    name, known = "autoUpdateOutdatedInstancesDeploymentIds", root.get("relatedDeployments")
    links = {**(known or {}), name: [*(known or {}).get(name, ()), follow_up]}
    same = Equals("relatedDeployments", known) if known else AttributeAbsent("relatedDeployments")
    key = deployment_key(root["deploymentId"])
    return [Update(key, set={"relatedDeployments": links}, condition=All(Present(), same))]


def why_not_begun(error: ConditionFailedError, deployment: Mapping[str, Any]) -> StoreError:
    """What it means that the writes of :func:`beginning` were refused."""
    application, group = deployment["applicationName"], deployment["deploymentGroupName"]
    if error.index == 0:
        return DeploymentExistsError(deployment["deploymentId"])
    if error.index > _GROUP:
        return TableBusyError("The deployment that is followed up has had another follow-up.")
    if error.item and error.item.get("deploymentGroupId") == deployment["deploymentGroupId"]:
        return DeploymentGroupBusyError(group, error.item["live"])
    return DeploymentGroupNotFoundError(application, group)


def beginning_for_instance(deployment: Mapping[str, Any], *, key: str, after: str) -> list[Write]:
    """The writes that make a deployment with its instance's lock; ``key`` and ``after`` are :func:`lock_taken`'s."""
    application, group = deployment["applicationName"], deployment["deploymentGroupName"]
    described = f"Registered by deployment {deployment['deploymentId']}"
    now = deployment["createTime"]
    return [
        *made(deployment),
        lock_taken(deployment, key, after),
        Check(group_key(application, group), Equals("deploymentGroupId", deployment["deploymentGroupId"])),
        revision_use(application, deployment["location"], description=described, now=now),
    ]


def why_not_begun_for_instance(error: ConditionFailedError, deployment: Mapping[str, Any]) -> StoreError:
    """What it means that the writes of :func:`beginning_for_instance` were refused."""
    if error.index == 0:
        return DeploymentExistsError(deployment["deploymentId"])
    if error.index == 2:
        return InstanceBusyError(deployment["scaling"]["instanceId"])
    return DeploymentGroupNotFoundError(deployment["applicationName"], deployment["deploymentGroupName"])
