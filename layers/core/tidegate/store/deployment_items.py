"""The shape of a deployment's item, and the deployments that the coordinator makes itself: rollbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidegate.model.deployment import ROLLBACK_CREATOR
from tidegate.store.table import All, Condition, Equals, Item, Key, OneOf, sort_time

LIVE_STATUSES: Final = ("Created", "Queued", "InProgress", "Baking", "Ready")
OVERVIEW: Final = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")


def deployment_key(deployment_id: str) -> Key:
    """Key of a deployment's item."""
    return f"DEP#{deployment_id}", "DEP"


def with_keys(deployment: Mapping[str, Any]) -> Item:
    """The item of a new deployment: its attributes with the keys of the table and the indexes."""
    deployment_id = deployment["deploymentId"]
    pk, sk = deployment_key(deployment_id)
    place = f"{sort_time(deployment['createTime'])}#{deployment_id}"
    group = f"GROUP#{deployment['deploymentGroupId']}"
    keys = {"PK": pk, "SK": sk, "GSI1PK": group, "GSI1SK": place, "GSI2PK": "DEPS", "GSI2SK": place}
    return {**deployment, **keys}


def rollback_deployment(
    failed: Mapping[str, Any], last_good: Mapping[str, Any], *, deployment_id: str, now: float
) -> Item:
    """The deployment that rolls ``failed`` back (AWS: "Redeploy and roll back a deployment").

    Parameters
    ----------
    failed
        The deployment that ends.
    last_good
        The group's ``lastGood``: whose revision is deployed, and how it treats files that exist.
    deployment_id
        Id of the new deployment.

    Returns
    -------
    The attributes of the new deployment's item: the settings of the failed one, no automatic rollback of its own.
    """
    kept = (
        "applicationName",
        "deploymentGroupName",
        "deploymentGroupId",
        "deploymentConfigName",
        "minimum",
        "computePlatform",
        "deploymentStyle",
        "loadBalancerInfo",
        "blueGreenDeploymentConfiguration",
        "ecsServices",
        "serviceRoleArn",
        "ignoreApplicationStopFailures",
        "caller",
        "triggers",
    )
    old = failed["deploymentId"]
    return {name: failed[name] for name in kept if name in failed} | {
        "deploymentId": deployment_id,
        "location": last_good["location"],
        "revisionKey": last_good["revisionKey"],
        "fileExistsBehavior": last_good.get("fileExistsBehavior", "DISALLOW"),
        "status": "Created",
        "creator": ROLLBACK_CREATOR,
        "description": f"Deployment created by the automatic rollback of deployment {old}",
        "createTime": now,
        "updateOutdatedInstancesOnly": False,
        "autoRollback": {"enabled": False, "events": []},
        "overview": dict.fromkeys(OVERVIEW, 0),
        "rollback": {
            "rollbackTriggeringDeploymentId": old,
            "rollbackMessage": f"Deployment {deployment_id} is triggered to roll back deployment {old}.",
        },
        "previousRevision": failed["location"],
        "generation": 1,
    }


def last_info(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """``LastDeploymentInfo`` as the group keeps it."""
    found = {name: deployment[name] for name in ("deploymentId", "status", "createTime")}
    return found | ({"endTime": deployment["completeTime"]} if "completeTime" in deployment else {})


def still_live(generation: int | None) -> Condition:
    """Condition: the deployment has not ended and is still of this generation (``None``: of any)."""
    live = OneOf("status", LIVE_STATUSES)
    return live if generation is None else All(live, Equals("generation", generation))
