"""Deployments that bring instances up to date which came while another revision was being deployed.

An instance that Auto Scaling launches gets the group's last good revision. Where another one succeeds meanwhile, the
newcomer is outdated, and a deployment to outdated instances follows, unless the group says IGNORE (API:
outdatedInstancesStrategy). It is looked for at both ends: of the fleet's deployment and of the newcomer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tidegate.model.deployment import FOLLOW_UP_CREATOR, is_blue_green
from tidegate.model.scaling import LAUNCH_CREATOR
from tidegate.store.deployment_items import follow_up_deployment
from tidegate.store.errors import DeploymentGroupBusyError, DeploymentGroupNotFoundError

if TYPE_CHECKING:
    from tidegate.runtime import Runtime

ROOT: Final = "autoUpdateOutdatedInstancesRootDeploymentId"
_FOLLOW_UPS: Final = "autoUpdateOutdatedInstancesDeploymentIds"


def follow_up(ended: Mapping[str, Any], runtime: Runtime) -> str | None:
    """Record the deployment that follows an ended one, where newcomers are outdated; its id, for it is to be started.

    Repeated, it gives the id of the one that it made before, as long as that one is live.
    """
    # A newcomer that came too late for a follow-up relies on its end, also where it failed.
    failed = ended["status"] == "Failed" and ended["creator"] == FOLLOW_UP_CREATOR
    if not (ended["status"] == "Succeeded" or failed) or ended.get("deploymentMode"):
        return None
    try:
        group = runtime.groups.of_deployment(ended)
    except DeploymentGroupNotFoundError:
        return None
    good = group.get("lastGood")
    if not good or "hooks" not in group or group["info"].get("outdatedInstancesStrategy", "UPDATE") != "UPDATE":
        return None
    if is_blue_green(group["info"]):
        return None  # a copy takes no newcomers while it is deployed to, and its original is left
    root = runtime.deployments.get(good["deploymentId"])
    if ROOT in (related := root.get("relatedDeployments", {})):  # it was a follow-up itself
        root = runtime.deployments.get(related[ROOT])
    if "live" in group:
        return _made_before(group["live"], root["deploymentId"], runtime)
    if not _has_outdated(ended, root, group, runtime):
        return None
    item = follow_up_deployment(root, good, deployment_id=runtime.new_deployment_id(), now=runtime.clock())
    try:
        runtime.deployments.create(item, revision_description="", root=root["deploymentId"])
    except DeploymentGroupBusyError as error:
        return _made_before(error.live, root["deploymentId"], runtime)  # otherwise that one's end looks again
    return str(item["deploymentId"])


def _made_before(live: str, root: str, runtime: Runtime) -> str | None:
    found = runtime.deployments.get(live)
    ours = found["creator"] == FOLLOW_UP_CREATOR and found.get("relatedDeployments", {}).get(ROOT) == root
    return live if ours and found["status"] == "Created" else None


def _has_outdated(
    ended: Mapping[str, Any], root: Mapping[str, Any], group: Mapping[str, Any], runtime: Runtime
) -> bool:
    """Whether an instance was launched with another revision than the one that is good now."""
    good = group["lastGood"]["revisionKey"]
    newcomers: Sequence[Mapping[str, Any]] = [ended]
    if ended.get("creator") != LAUNCH_CREATOR:
        # Those that began earlier may have been waiting when the fleet was read.
        earliest = root["createTime"] - runtime.settings.deployment
        newcomers = runtime.deployments.page(group["deploymentGroupId"], between=(earliest, None)).items
    since = _last_follow_up(root, runtime)
    health = runtime.targets.health(group["deploymentGroupId"])
    return any(
        each["creator"] == LAUNCH_CREATOR
        and each["status"] == "Succeeded"
        and each["revisionKey"] != good
        and each["completeTime"] > since
        and (known := health.get(each["scaling"]["instanceId"])) is not None
        and known.revision_key != good
        for each in newcomers
    )


def _last_follow_up(root: Mapping[str, Any], runtime: Runtime) -> float:
    """When the last one was made; those that came before were its business."""
    ids = root.get("relatedDeployments", {}).get(_FOLLOW_UPS, ())
    return float(runtime.deployments.get(ids[-1])["createTime"]) if ids else 0.0
