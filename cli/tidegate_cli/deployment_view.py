"""A deployment as one looks at it: what the API answers, made into rows. Pure.

Rows are values, so the live table, the plain lines, ``--json`` and the tests all show the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate_cli.words import epoch, revision_text

__all__ = ["ENDED", "DeploymentView", "HostRow", "changes", "deployment_view", "host_row", "minimum_hosts"]

ENDED = frozenset({"Succeeded", "Failed", "Stopped"})
"""Deployment statuses after which nothing more happens."""

HOST_ENDED = frozenset({"Succeeded", "Failed", "Skipped"})


@dataclass(frozen=True, slots=True)
class HostRow:
    """One host in a deployment.

    Attributes
    ----------
    event : the lifecycle event in progress, or the one that failed, or the last one done; empty before the first
    seconds : from the start of the first event to the end of the last, or to now; None before the first
    """

    target_id: str
    name: str
    status: str
    event: str = ""
    seconds: float | None = None
    error_code: str = ""
    message: str = ""
    log_tail: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more happens on this host."""
        return self.status in HOST_ENDED

    @property
    def reason(self) -> str:
        """Why it failed: the message, and the last line that the failing script printed."""
        last = next((line.strip() for line in reversed(self.log_tail.splitlines()) if line.strip()), "")
        # The runner's log puts the stream's name in front of a script's line.
        last = last.removeprefix("[stderr]").removeprefix("[stdout]").strip()
        return f"{self.message} ({last})" if self.message and last else self.message or last

    def as_json(self) -> dict[str, Any]:
        """Return the row for ``--json``."""
        row: dict[str, Any] = {
            "targetId": self.target_id,
            "name": self.name,
            "status": self.status,
            "lifecycleEvent": self.event or None,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
        }
        if self.error_code or self.message:
            row["diagnostics"] = {
                "errorCode": self.error_code,
                "message": self.message,
                "logTail": self.log_tail,
            }
        return row


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """One look at a deployment.

    Attributes
    ----------
    minimum : hosts that must stay healthy; None when the configuration is not known
    seconds : since it was created, until it ended or now
    rollback_id : the deployment that rolls this one back
    rollback_of : the deployment that this one rolls back
    """

    deployment_id: str
    status: str
    creator: str
    revision: str
    rows: tuple[HostRow, ...]
    overview: Mapping[str, int] = field(default_factory=dict)
    minimum: int | None = None
    seconds: float = 0.0
    error_code: str = ""
    error_message: str = ""
    rollback_id: str = ""
    rollback_of: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more happens in this deployment."""
        return self.status in ENDED

    @property
    def total(self) -> int:
        """How many hosts it has, as far as is known yet."""
        return sum(self.overview.values()) or len(self.rows)

    @property
    def done(self) -> int:
        """How many hosts are through with it, whatever became of them."""
        return sum(self.overview.get(status, 0) for status in HOST_ENDED)

    @property
    def healthy(self) -> int:
        """How many hosts are neither in flight nor failed: the number that the minimum bounds.

        With `n` hosts it is n − failed − in flight, never below the minimum by our own doing: of nine hosts
        with four in flight and one failed it is 9 − 1 − 4 = 4.
        """
        return self.total - self.overview.get("Failed", 0) - self.overview.get("InProgress", 0)

    def as_json(self) -> dict[str, Any]:
        """Return the view for ``--json``."""
        error = {"code": self.error_code, "message": self.error_message} if self.error_code else None
        return {
            "deploymentId": self.deployment_id,
            "status": self.status,
            "creator": self.creator,
            "revision": self.revision,
            "overview": dict(self.overview),
            "healthyHosts": self.healthy,
            "minimumHealthyHosts": self.minimum,
            "seconds": round(self.seconds, 3),
            "error": error,
            "rollbackDeploymentId": self.rollback_id or None,
            "rollbackOf": self.rollback_of or None,
            "hosts": [row.as_json() for row in self.rows],
        }


def minimum_hosts(config_name: str, minimum: Mapping[str, Any] | None, total: int) -> int | None:
    """Return how many of `total` hosts a deployment configuration wants healthy.

    >>> minimum_hosts("CodeDeployDefault.HalfAtATime", {"type": "FLEET_PERCENT", "value": 50}, 9)
    5
    >>> minimum_hosts("CodeDeployDefault.OneAtATime", {"type": "FLEET_PERCENT", "value": 99}, 6)
    5
    >>> minimum_hosts("eight", {"type": "HOST_COUNT", "value": 8}, 10)
    8

    One at a time means all but one, whatever percentage the API gives for it.
    """
    if config_name == "CodeDeployDefault.OneAtATime":
        return max(total - 1, 0)
    if not minimum:
        return None
    value = int(minimum.get("value") or 0)
    if minimum.get("type") == "FLEET_PERCENT":
        return math.ceil(total * value / 100)
    return total - value if minimum.get("type") == "MOST_CONCURRENCY" else value


def target_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an element of ``deploymentTargets`` holds, whatever its type."""
    members = ("instanceTarget", "lambdaTarget", "ecsTarget", "cloudFormationTarget")
    return next((row[member] for member in members if row.get(member)), {})


def host_row(target: Mapping[str, Any], names: Mapping[str, str], now: float) -> HostRow:
    """Return the row of one element of BatchGetDeploymentTargets' ``deploymentTargets``."""
    instance = target_of(target)
    events: list[Mapping[str, Any]] = list(instance.get("lifecycleEvents") or ())
    shown = _event_to_show(events)
    diagnostics: Mapping[str, Any] = {}
    if shown is not None and shown.get("status") == "Failed":
        diagnostics = shown.get("diagnostics") or {}
    target_id = str(instance.get("targetId", ""))
    return HostRow(
        target_id=target_id,
        name=names.get(target_id, target_id),
        status=str(instance.get("status", "Unknown")),
        event=str(shown["lifecycleEventName"]) if shown is not None else "",
        seconds=_seconds(events, now),
        error_code=str(diagnostics.get("errorCode") or ""),
        message=str(diagnostics.get("message") or ""),
        log_tail=str(diagnostics.get("logTail") or ""),
    )


def _event_to_show(events: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the event in progress, else the first failed one, else the last that succeeded."""
    last: Mapping[str, Any] | None = None
    for event in events:
        if event.get("status") in ("InProgress", "Failed"):
            return event
        if event.get("status") == "Succeeded":
            last = event
    return last


def _seconds(events: Iterable[Mapping[str, Any]], now: float) -> float | None:
    begun = [event for event in events if event.get("startTime") is not None]
    if not begun:
        return None
    starts = [epoch(event["startTime"]) or now for event in begun]
    ends = [epoch(event.get("endTime")) or now for event in begun]
    return max(max(ends) - min(starts), 0.0)


def deployment_view(
    info: Mapping[str, Any], rows: Iterable[HostRow], minimum: Mapping[str, Any] | None, now: float
) -> DeploymentView:
    """Return the view of GetDeployment's ``deploymentInfo`` with the rows of its hosts.

    `minimum` is ``minimumHealthyHosts`` of its deployment configuration; `now` is epoch seconds.
    """
    rows = tuple(sorted(rows, key=lambda row: (row.name, row.target_id)))
    overview = {status: int(count) for status, count in (info.get("deploymentOverview") or {}).items()}
    total = sum(overview.values()) or len(rows)
    created = epoch(info.get("createTime")) or now
    ended = epoch(info.get("completeTime")) or now
    error: Mapping[str, Any] = info.get("errorInformation") or {}
    rollback: Mapping[str, Any] = info.get("rollbackInfo") or {}
    return DeploymentView(
        deployment_id=str(info["deploymentId"]),
        status=str(info.get("status", "Created")),
        creator=str(info.get("creator", "")),
        revision=revision_text(info.get("revision")),
        rows=rows,
        overview=overview,
        minimum=minimum_hosts(str(info.get("deploymentConfigName", "")), minimum, total) if total else None,
        seconds=max(ended - created, 0.0),
        error_code=str(error.get("code") or ""),
        error_message=str(error.get("message") or ""),
        rollback_id=str(rollback.get("rollbackDeploymentId") or ""),
        rollback_of=str(rollback.get("rollbackTriggeringDeploymentId") or ""),
    )


def changes(before: DeploymentView | None, after: DeploymentView) -> list[str]:
    """Return what happened between two looks, a line each: for output that is not a terminal."""
    lines = []
    if before is None or before.status != after.status:
        lines.append(f"{after.deployment_id} {after.status} ({after.revision}){_because(after)}")
    known = {row.target_id: row for row in before.rows} if before else {}
    for row in after.rows:
        old = known.get(row.target_id)
        if row.status == "Pending" or (old and (old.status, old.event) == (row.status, row.event)):
            continue
        reason = f": {row.reason}" if row.status == "Failed" and row.reason else ""
        lines.append(f"{after.deployment_id} {row.name} {row.status} {row.event}".rstrip() + reason)
    return lines


def _because(view: DeploymentView) -> str:
    return f": {view.error_code}: {view.error_message}" if view.error_code else ""
