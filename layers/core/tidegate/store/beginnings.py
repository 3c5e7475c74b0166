"""The writes that make a deployment, as values, and what it means where they are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.store.alarm_watches import watches_of
from tidegate.store.deployment_items import last_info, live_mark, with_keys
from tidegate.store.errors import (
    ConditionFailedError,
    DeploymentExistsError,
    DeploymentGroupBusyError,
    DeploymentGroupNotFoundError,
    InstanceBusyError,
    StoreError,
)
from tidegate.store.groups import group_key
from tidegate.store.revisions import revision_use
from tidegate.store.scaled_groups import lock_taken
from tidegate.store.table import Absent, All, AttributeAbsent, Check, Equals, Put, Update, Write


def made(deployment: Mapping[str, Any]) -> list[Write]:
    """The writes of every new deployment: its item, which must be absent, and the mark that it is live."""
    return [Put(with_keys(deployment), Absent()), Put(live_mark(deployment))]


def beginning(deployment: Mapping[str, Any], location: Mapping[str, Any], revision_description: str) -> list[Write]:
    """The writes that make a deployment with its group's lock; ``location`` is the revision's as it is registered."""
    application, group = deployment["applicationName"], deployment["deploymentGroupName"]
    free = All(Equals("deploymentGroupId", deployment["deploymentGroupId"]), AttributeAbsent("live"))
    lock = {"live": deployment["deploymentId"], "lastAttempted": last_info(deployment)}
    now = deployment["createTime"]
    return [
        *made(deployment),
        Update(group_key(application, group), set=lock, condition=free),
        revision_use(application, location, description=revision_description, now=now),
        *watches_of(deployment),
    ]


def why_not_begun(error: ConditionFailedError, deployment: Mapping[str, Any]) -> StoreError:
    """What it means that the writes of :func:`beginning` were refused."""
    application, group = deployment["applicationName"], deployment["deploymentGroupName"]
    if error.index == 0:
        return DeploymentExistsError(deployment["deploymentId"])
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
