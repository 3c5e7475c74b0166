"""Which changes are told (AWS: "Monitoring deployments with Amazon SNS event notifications", "Monitoring
deployments with Amazon CloudWatch Events").

A deployment begins when it is created: CodeDeploy's first message has the status CREATED, and so have these. A rollback
is told when the rolling-back deployment gets under way, as CodeDeploy's messages show it (status IN_PROGRESS).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidegate.model.deployment import ROLLBACK_CREATOR
from tidegate.model.notices import Notice

Item = Mapping[str, Any]

#: The trigger's event and the bus's state by the status that a deployment has come to.
_DEPLOYMENT: Final[Mapping[str, tuple[str, str]]] = {
    "Queued": ("", "QUEUED"),
    "Ready": ("DeploymentReady", "READY"),
    "Succeeded": ("DeploymentSuccess", "SUCCESS"),
    "Failed": ("DeploymentFailure", "FAILURE"),
    "Stopped": ("DeploymentStop", "STOP"),
}
_INSTANCE: Final[Mapping[str, tuple[str, str]]] = {
    "InProgress": ("InstanceStart", "START"),
    "Ready": ("InstanceReady", "READY"),
    "Succeeded": ("InstanceSuccess", "SUCCESS"),
    "Failed": ("InstanceFailure", "FAILURE"),
}


def deployment_notices(old: Item | None, new: Item) -> list[Notice]:
    """The notices of one write of a deployment's item, in order.

    Parameters
    ----------
    old, new
        The item (``docs/data-model.md``) before and after; ``old`` is None for a deployment that was just created.
    """
    found = [Notice("DeploymentStart", "START", new, None, new["createTime"])] if old is None else []
    status, before = new["status"], old["status"] if old else "Created"
    if status == before:
        return found
    if status in _DEPLOYMENT:
        event, state = _DEPLOYMENT[status]
        found.append(Notice(event, state, new, None, _time_of(new)))
    elif status == "InProgress" and before in ("Created", "Queued") and new.get("creator") == ROLLBACK_CREATOR:
        found.append(Notice("DeploymentRollback", "", new, None, _time_of(new)))
    return found


def target_change(old: Item | None, new: Item) -> tuple[str, str] | None:
    """The event and state of one write of a target's item; None where nothing is told.

    Only instances have any: CodeDeploy tells of no targets of Lambda and ECS deployments. An instance starts once, also
    where it is ready in between and goes on.
    """
    if new.get("kind") != "InstanceTarget":
        return None
    before = old["status"] if old else "Pending"
    if before == new["status"]:
        return None
    return _INSTANCE.get(new["status"]) if new["status"] != "InProgress" or before == "Pending" else None


def target_notice(old: Item | None, new: Item, deployment: Item) -> Notice | None:
    """The notice of one write of a target's item, if any."""
    change = target_change(old, new)
    return change and Notice(*change, deployment, new, new["lastUpdatedAt"])


def _time_of(deployment: Item) -> float:
    found: float = deployment.get("completeTime") or deployment.get("startTime") or deployment["createTime"]
    return found
