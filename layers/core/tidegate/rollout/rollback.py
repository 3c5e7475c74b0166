"""Whether an ended deployment is rolled back, and to what (AWS: "Redeploy and roll back a deployment")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.model.deployment import ROLLBACK_CREATOR, ErrorCode

_ENDS = ("Failed", "Stopped")


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """``wanted``: a new deployment of ``last_good`` is to be made. ``code`` and ``reason`` say why or why not."""

    wanted: bool
    code: str
    reason: str
    last_good: Mapping[str, Any] | None = None


def plan_rollback(
    deployment: Mapping[str, Any],
    status: str,
    code: str,
    last_good: Mapping[str, Any] | None,
    attempted: int,
) -> RollbackPlan | None:
    """Decide on the rollback of a deployment that ends with ``status`` and the error ``code``.

    Parameters
    ----------
    deployment : the deployment item (``docs/data-model.md``): ``autoRollback``, ``stop``, ``creator``, ``revisionKey``
    last_good : the group's ``lastGood``: the last deployment that succeeded
    attempted : how many targets were set going

    Returns
    -------
    None when no rollback was asked for; otherwise a plan, whose reason says what stands in the way if it is not wanted.
    """
    if status not in _ENDS or not _asked_for(deployment, status, code):
        return None
    if deployment.get("creator") == ROLLBACK_CREATOR:
        return RollbackPlan(
            False, "ROLLBACK_OF_ROLLBACK", "This deployment is itself a rollback; it is not rolled back."
        )
    if not last_good:
        reason = "There is nothing to roll back to: no deployment of this group has succeeded yet."
        return RollbackPlan(False, "NO_LAST_GOOD", reason)
    if attempted == 0:
        reason = "No instance was touched, so all of them still run what they ran before; nothing is rolled back."
        return RollbackPlan(False, "NOTHING_TOUCHED", reason)
    if last_good.get("revisionKey") == deployment.get("revisionKey"):
        reason = "The last revision that succeeded is the one that failed now; it is not deployed once more."
        return RollbackPlan(False, "SAME_REVISION", reason)
    reason = f"Rolling back to the revision of {last_good['deploymentId']}, the group's last successful deployment."
    return RollbackPlan(True, "ROLLBACK", reason, last_good)


def _event(status: str, code: str) -> str:
    """The word of a group's ``autoRollbackConfiguration`` for an end (API: AutoRollbackEvent)."""
    if status == "Failed":
        return "DEPLOYMENT_FAILURE"
    return "DEPLOYMENT_STOP_ON_ALARM" if code == ErrorCode.ALARM_ACTIVE else "DEPLOYMENT_STOP_ON_REQUEST"


def _asked_for(deployment: Mapping[str, Any], status: str, code: str) -> bool:
    stop = deployment.get("stop") or {}
    if status == "Stopped" and stop.get("autoRollback") is not None:
        return bool(stop["autoRollback"])
    wish = deployment.get("autoRollback") or {}
    return bool(wish.get("enabled")) and _event(status, code) in (wish.get("events") or ())
