"""What is left to do once a deployment's record has ended; FinishDeployment does it, or the sweep where that died.

All of it may be done again. What Auto Scaling refuses is logged and left to the sweep of waiting instances.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidegate.gateways.service_roles import ServiceRoleError
from tidegate.model.scaling import ScalingFault
from tidegate.scaling.follow_ups import what_follows
from tidegate.scaling.hook_settling import settle_hooks
from tidegate.scaling.lifecycle_actions import complete
from tidegate.store.errors import DeploymentGroupNotFoundError

if TYPE_CHECKING:
    from tidegate.runtime import Runtime

_log = logging.getLogger(__name__)


def after_the_end(ended: Mapping[str, Any], runtime: Runtime) -> str | None:
    """Let the instance go that Auto Scaling holds, and move hooks; the id of the deployment that is to be started.

    That is the rollback, or a follow-up for newcomers.
    """
    try:
        complete(ended, runtime)
    except (ScalingFault, ServiceRoleError):  # Auto Scaling's own time-out ends it, if nobody else does
        _log.exception("Auto Scaling does not take the answer of deployment %s", ended["deploymentId"])
    _settle_hooks(ended, runtime)
    return what_follows(ended, (ended.get("rollback") or {}).get("rollbackDeploymentId"), runtime)


def _settle_hooks(ended: Mapping[str, Any], runtime: Runtime) -> None:
    """Move the hooks of a group whose Auto Scaling groups are others now."""
    if ended["status"] != "Succeeded" or "selection" not in ended:
        return
    try:
        group = runtime.groups.of_deployment(ended)
        if group.get("hooksDue"):
            settle_hooks(group, runtime.lifecycle_hooks, runtime.scaled_groups)
    except (DeploymentGroupNotFoundError, ScalingFault, ServiceRoleError):
        _log.exception("the hooks of the group of deployment %s could not be moved", ended["deploymentId"])
