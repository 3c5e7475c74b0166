"""The shape of a deployment's item, and the deployments that the coordinator makes itself: rollbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.model.deployment import FOLLOW_UP_CREATOR, ROLLBACK_CREATOR
from tidegate.model.names import DEFAULT_CONFIGS
from tidegate.store.table import All, Condition, Equals, Item, Key, OneOf, sort_time

LIVE_STATUSES: Final = ("Created", "Queued", "InProgress", "Baking", "Ready")
OVERVIEW: Final = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")


def deployment_key(deployment_id: str) -> Key:
    """Key of a deployment's item."""
    return f"DEP#{deployment_id}", "DEP"


def live_key(deployment_id: str) -> Key:
    """Key of the mark that a deployment is live: what the sweep reads, so that it finds those without an execution."""
    return "LIVE", deployment_id


def live_mark(deployment: Mapping[str, Any]) -> Item:
    """The mark of a live deployment."""
    pk, sk = live_key(deployment["deploymentId"])
    return {"PK": pk, "SK": sk, "createTime": deployment["createTime"]}


def with_keys(deployment: Mapping[str, Any]) -> Item:
    """The item of a new deployment: its attributes with the keys of the table and the indexes."""
    deployment_id = deployment["deploymentId"]
    pk, sk = deployment_key(deployment_id)
    place = f"{sort_time(deployment['createTime'])}#{deployment_id}"
    group = f"GROUP#{deployment['deploymentGroupId']}"
    keys = {"PK": pk, "SK": sk, "GSI1PK": group, "GSI1SK": place, "GSI2PK": "DEPS", "GSI2SK": place}
    return {**deployment, **keys}


#: What a deployment that the coordinator makes itself takes over from the one it is made for.
_KEPT: Final = (
    "applicationName",
    "deploymentGroupName",
    "deploymentGroupId",
    "deploymentConfigName",
    "minimum",
    "computePlatform",
    "deploymentStyle",
    "loadBalancerInfo",
    "blueGreenDeploymentConfiguration",
    "ec2DeploymentOptions",
    "ecsServices",
    "ignoreApplicationStopFailures",
    "serviceRoleArn",
    "caller",
    "triggers",
)


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
    old = failed["deploymentId"]
    return (
        {name: failed[name] for name in _KEPT if name in failed}
        | _shifting_back(failed)
        | {
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
                "rollbackMessage": f"Deployment {deployment_id} is triggered to roll back deployment {old}",
            },
            "previousRevision": failed["location"],
            "generation": 1,
        }
    )


def follow_up_deployment(
    root: Mapping[str, Any],
    last_good: Mapping[str, Any],
    newcomers: Sequence[str],
    *,
    deployment_id: str,
    now: float,
) -> Item:
    """The deployment that brings outdated newcomers to the revision of ``root`` (API: RelatedDeployments).

    Parameters
    ----------
    root
        The deployment that succeeded while they came; the attributes are its own but for what makes it a follow-up.
    newcomers
        Ids of the instances: it deploys to no other.
    last_good, deployment_id, now
        As in :func:`rollback_deployment`.
    """
    old = root["deploymentId"]
    return {name: root[name] for name in _KEPT if name in root} | {
        "deploymentId": deployment_id,
        "location": last_good["location"],
        "revisionKey": last_good["revisionKey"],
        "fileExistsBehavior": last_good.get("fileExistsBehavior", "DISALLOW"),
        "status": "Created",
        "creator": FOLLOW_UP_CREATOR,
        "description": f"Deployment to the outdated instances that were launched during deployment {old}",
        "createTime": now,
        "updateOutdatedInstancesOnly": True,
        "newcomers": list(newcomers),
        "autoRollback": {"enabled": False, "events": []},
        "overview": dict.fromkeys(OVERVIEW, 0),
        "relatedDeployments": {"autoUpdateOutdatedInstancesRootDeploymentId": old},
        "generation": 1,
    }


def traffic_back_deployment(
    failed: Mapping[str, Any], last_good: Mapping[str, Any], *, deployment_id: str, now: float
) -> Item:
    """The deployment that gives the original instances of a blue/green deployment their traffic back.

    It installs nothing, so the group needs no last good deployment; without one it bears the revision of ``failed``.
    The parameters are those of :func:`rollback_deployment`.
    """
    good = last_good or {name: failed[name] for name in ("location", "revisionKey")}
    found = rollback_deployment(failed, good, deployment_id=deployment_id, now=now)
    return found | {"trafficBackOf": failed["deploymentId"]}


def _shifting_back(failed: Mapping[str, Any]) -> dict[str, Any]:
    """Traffic between versions goes back all at once, whatever the failed one's configuration (seen of CodeDeploy)."""
    platform = failed.get("computePlatform", "Server")
    if platform == "Server":
        return {}
    return {"deploymentConfigName": DEFAULT_CONFIGS[platform], "trafficRouting": {"type": "AllAtOnce"}}


def last_info(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """``LastDeploymentInfo`` as the group keeps it."""
    found = {name: deployment[name] for name in ("deploymentId", "status", "createTime")}
    return found | ({"endTime": deployment["completeTime"]} if "completeTime" in deployment else {})


def still_live(generation: int | None) -> Condition:
    """Condition: the deployment has not ended and is still of this generation (``None``: of any)."""
    live = OneOf("status", LIVE_STATUSES)
    return live if generation is None else All(live, Equals("generation", generation))
