"""Deployments that bring instances up to date which came while another revision was being deployed.

An instance that Auto Scaling launches gets the group's last good revision. Where another one succeeds meanwhile, the
newcomer is outdated, and a deployment to outdated instances follows, unless the group says IGNORE (API:
outdatedInstancesStrategy). It is looked for at the end of each deployment that could have kept it from being made: of
the fleet's, however they end, and of the newcomer's (decision 022).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tidegate.gateways.service_roles import ServiceRoleError
from tidegate.model.deployment import FOLLOW_UP_CREATOR, is_blue_green
from tidegate.model.scaling import LAUNCH_CREATOR, ScalingFault
from tidegate.rollout.newcomers import outdated_newcomers
from tidegate.store.deployment_items import follow_up_deployment
from tidegate.store.errors import DeploymentGroupBusyError, DeploymentGroupNotFoundError

if TYPE_CHECKING:
    from tidegate.runtime import Runtime
    from tidegate.store.table import Item

_log = logging.getLogger(__name__)

ROOT: Final = "autoUpdateOutdatedInstancesRootDeploymentId"
_FOLLOW_UPS: Final = "autoUpdateOutdatedInstancesDeploymentIds"
#: Seconds after a success in which a function that read the group before it may still record a launch of the old
#: revision: more than any function may take.
_RECORDED_WITHIN: Final = 900.0


def what_follows(ended: Mapping[str, Any], rollback_id: str | None, runtime: Runtime) -> str | None:
    """The deployment that is to be started after one that has ended: its rollback, or a follow-up.

    Until this has been looked after the ended one keeps its mark, so that the sweep finds it if nobody else does.
    Repeating it makes nothing twice.
    """
    found = rollback_id or _follow_up(ended, runtime)
    runtime.live_marks.remove(ended["deploymentId"])
    return found


def _follow_up(ended: Mapping[str, Any], runtime: Runtime) -> str | None:
    """Record the deployment that follows an ended one, where newcomers are outdated; its id, for it is to be started.

    Repeated, it gives the id of the one that it made before, as long as that one is not started.
    """
    if "scaling" in ended and (ended["creator"] != LAUNCH_CREATOR or ended["status"] != "Succeeded"):
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
    last = runtime.deployments.get(good["deploymentId"])
    related = last.get("relatedDeployments", {})
    root = runtime.deployments.get(related[ROOT]) if ROOT in related else last  # it may have been a follow-up itself
    if "live" in group:
        return _made_before(group["live"], root["deploymentId"], runtime)
    newcomers = _newcomers(ended, root, last, group, runtime)
    if not newcomers:
        return None
    item = follow_up_deployment(root, good, newcomers, deployment_id=runtime.new_deployment_id(), now=runtime.clock())
    try:
        runtime.deployments.create(item, revision_description="", root=root)
    except DeploymentGroupBusyError as error:
        return _made_before(error.live, root["deploymentId"], runtime)  # otherwise that one's end looks again
    return str(item["deploymentId"])


def _made_before(live: str, root: str, runtime: Runtime) -> str | None:
    found = runtime.deployments.get(live)
    ours = found["creator"] == FOLLOW_UP_CREATOR and found.get("relatedDeployments", {}).get(ROOT) == root
    return live if ours and found["status"] == "Created" else None


def _newcomers(ended: Mapping[str, Any], root: Item, last: Item, group: Item, runtime: Runtime) -> list[str]:
    """The instances that were launched with another revision than the one that is good now."""
    good = group["lastGood"]["revisionKey"]
    launches = [ended] if "scaling" in ended else _launches(root, last, group, runtime)
    if all(each["revisionKey"] == good for each in launches):
        return []
    health = runtime.targets.health(group["deploymentGroupId"])
    earlier = runtime.deployments.get_many(root.get("relatedDeployments", {}).get(_FOLLOW_UPS, ()))
    outdated = outdated_newcomers(
        launches,
        {instance_id: known.revision_key for instance_id, known in health.items()},
        good,
        had={instance_id for each in earlier for instance_id in each.get("newcomers", ())},
    )
    return _let_go(outdated, group, runtime)


def _let_go(instance_ids: list[str], group: Item, runtime: Runtime) -> list[str]:
    """Those that wait at no hook any more, or all where Auto Scaling does not tell.

    A deployment of the fleet would pass by the others. Who lets them go looks again.
    """
    if not instance_ids:
        return []
    try:
        groups = runtime.lifecycle_hooks.groups(group["info"].get("autoScalingGroups") or ())
    except (ScalingFault, ServiceRoleError):
        _log.exception("the newcomers of deployment group %s cannot be looked at", group["deploymentGroupId"])
        return instance_ids
    states = {instance_id: state for each in groups.values() for instance_id, state in each.states.items()}
    return [each for each in instance_ids if states.get(each) != "Pending:Wait"]


def _launches(root: Item, last: Item, group: Item, runtime: Runtime) -> list[Item]:
    """Launches of another revision than the good one, around the time of its deployment, as they are now.

    The index that finds them may lag, and tell of one that has ended that it is under way.
    """
    # Those that began earlier may have been waiting when the fleet was read.
    earliest = root["createTime"] - runtime.settings.deployment
    latest = last["completeTime"] + _RECORDED_WITHIN if "completeTime" in last else None
    page = runtime.deployments.page(group["deploymentGroupId"], between=(earliest, latest)).items
    good = group["lastGood"]["revisionKey"]
    return runtime.deployments.get_many(
        each["deploymentId"] for each in page if each["creator"] == LAUNCH_CREATOR and each["revisionKey"] != good
    )
