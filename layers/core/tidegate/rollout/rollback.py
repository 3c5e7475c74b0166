"""Whether an ended deployment is rolled back, and to what (AWS: "Redeploy and roll back a deployment")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.model.deployment import ROLLBACK_CREATOR, ErrorCode
from tidegate.rollout.blue_green import Traffic

_ENDS = ("Failed", "Stopped")


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """``wanted``: a new deployment of ``last_good`` is to be made. ``code`` and ``reason`` say why or why not.

    ``traffic_back``: it installs nothing, but gives the original instances their traffic back (blue/green).
    """

    wanted: bool
    code: str
    reason: str
    last_good: Mapping[str, Any] | None = None
    traffic_back: bool = False


def plan_rollback(
    deployment: Mapping[str, Any],
    status: str,
    code: str,
    last_good: Mapping[str, Any] | None,
    attempted: int,
    traffic: Traffic | None = None,
) -> RollbackPlan | None:
    """Decide on the rollback of a deployment that ends with ``status`` and the error ``code``.

    Parameters
    ----------
    deployment : the deployment item (``docs/data-model.md``): ``autoRollback``, ``stop``, ``creator``, ``revisionKey``
    last_good : the group's ``lastGood``: the last deployment that succeeded
    attempted : how many targets were set going
    traffic : of a blue/green deployment to servers, who has it; None for others

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
    if traffic is not None:
        return _traffic_back(traffic, last_good)
    if "scaling" in deployment:
        reason = "Auto Scaling started this deployment for one instance, which it ends now; nothing is rolled back."
        return RollbackPlan(False, "ONE_INSTANCE", reason)
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


def _traffic_back(traffic: Traffic, last_good: Mapping[str, Any] | None) -> RollbackPlan:
    """Whether traffic is given back to the original instances, which run what they ran before."""
    if traffic is Traffic.ORIGINALS:
        reason = "No traffic was moved: the original instances serve all of it, and nothing is rolled back."
        return RollbackPlan(False, "TRAFFIC_NOT_MOVED", reason)
    if traffic is Traffic.REPLACEMENT_ALONE:
        reason = (
            "There is nothing to go back to: the end of the original instances has begun. The replacement instances "
            "keep the traffic; deploy the earlier revision again if it is needed."
        )
        return RollbackPlan(False, "ORIGINALS_GONE", reason)
    reason = "Traffic goes back to the original instances, which were not changed; the replacement instances are kept."
    return RollbackPlan(True, "TRAFFIC_BACK", reason, last_good, traffic_back=True)


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
