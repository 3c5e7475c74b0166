"""What the demonstration saw, as JSON, and whether that is what should have happened. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate_cli.decisions import Decision
from tidegate_cli.deployment_view import DeploymentView
from tidegate_cli.report import Installation

__all__ = ["CALLS", "Evidence", "HostSeen", "complaints"]

CALLS = ("stateTransitions", "lambda", "ssm", "dynamodbReads", "dynamodbWrites")
"""What the local cloud counts."""


@dataclass(frozen=True, slots=True)
class HostSeen:
    """What a host answered over HTTP at the end; `served` is empty when it did not answer."""

    host_id: str
    name: str
    served: str


@dataclass(slots=True)
class Evidence:
    """Everything that was observed, gathered as the demonstration goes.

    Attributes
    ----------
    deployments : in the order first revision, second revision, rollback
    served_first : version by host name after the first deployment
    hosts : what each host served at the end
    """

    deployments: list[DeploymentView] = field(default_factory=list)
    served_first: dict[str, str] = field(default_factory=dict)
    hosts: list[HostSeen] = field(default_factory=list)
    installations: list[Installation] = field(default_factory=list)
    decisions: dict[str, list[Decision]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def revision_of(self, host_id: str) -> str:
        """Return the revision last installed with success on a host; empty when none was."""
        done = [one for one in self.installations if one.target_id == host_id and one.result == "Succeeded"]
        return max(done, key=lambda one: one.ended or 0.0).revision if done else ""

    def as_json(self) -> dict[str, Any]:
        """Return the evidence as it stands in ``build/demo.json``."""
        return {
            "deployments": [_deployment(view) for view in self.deployments],
            "hosts": [
                {
                    "id": host.host_id,
                    "revision": self.revision_of(host.host_id),
                    "servedVersion": host.served or None,
                }
                for host in self.hosts
            ],
            "seconds": round(self.seconds, 3),
            "calls": {name: self.calls.get(name, 0) for name in CALLS},
        }


def _deployment(view: DeploymentView) -> dict[str, Any]:
    return {
        "id": view.deployment_id,
        "status": view.status,
        "creator": view.creator,
        "revision": view.revision,
        "rollbackOf": view.rollback_of or None,
        "errorCode": view.error_code or None,
        "overview": dict(view.overview),
    }


def complaints(seen: Evidence, size: int) -> list[str]:
    """Return what differs from what the demonstration promises for a fleet of `size` hosts; empty when nothing.

    The promise: the first revision reaches every host; the second stops at its health constraint and leaves
    hosts untouched; a new deployment, made by the rollback, puts the first revision back; every host serves it.
    """
    if len(seen.deployments) != 3:
        return [f"three deployments were expected, {len(seen.deployments)} were seen"]
    first, second, rollback = seen.deployments
    found: list[str] = []

    def expect(what: str, actual: object, expected: object) -> None:
        if actual != expected:
            found.append(f"{what} is {actual!r}, expected {expected!r}")

    expect("status of the first deployment", first.status, "Succeeded")
    expect("hosts it succeeded on", first.overview.get("Succeeded", 0), size)
    expect("hosts that served version 1 after it", _count(seen.served_first, "1"), size)
    expect("status of the second deployment", second.status, "Failed")
    expect("error code of the second deployment", second.error_code, "HEALTH_CONSTRAINTS")
    expect("deployment that the second one names as its rollback", second.rollback_id, rollback.deployment_id)
    missing = [status for status in ("Failed", "Skipped") if second.overview.get(status, 0) < 1]
    found += [f"no host of the second deployment is {status}" for status in missing]
    expect("deployments with ids of their own", len({view.deployment_id for view in seen.deployments}), 3)
    expect("status of the rollback", rollback.status, "Succeeded")
    expect("creator of the rollback", rollback.creator, "codeDeployRollback")
    expect("deployment that the rollback rolls back", rollback.rollback_of, second.deployment_id)
    expect("revision of the rollback", rollback.revision, first.revision)
    return found + _host_complaints(seen, size, first) + _record_complaints(seen, size, first, second)


def _count(served: Mapping[str, str], version: str) -> int:
    return sum(1 for one in served.values() if one == version)


def _host_complaints(seen: Evidence, size: int, first: DeploymentView) -> list[str]:
    found = [] if len(seen.hosts) == size else [f"{len(seen.hosts)} hosts were asked, expected {size}"]
    for host in seen.hosts:
        if host.served != "1":
            found.append(f"{host.name} serves version {host.served or 'nothing'}, expected 1")
        if (revision := seen.revision_of(host.host_id)) != first.revision:
            found.append(f"the report has {revision or 'nothing'} on {host.name}, expected {first.revision}")
    return found


def _record_complaints(seen: Evidence, size: int, first: DeploymentView, second: DeploymentView) -> list[str]:
    found = []
    reported = [one.result for one in seen.installations if one.deployment_id == first.deployment_id]
    if reported != ["Succeeded"] * size:
        found.append(f"the report of {first.deployment_id} has {reported}, expected {size} times Succeeded")
    failed = [one.result for one in seen.installations if one.deployment_id == second.deployment_id]
    if "Failed" not in failed:
        found.append(f"the report of {second.deployment_id} names no host that failed")
    for view in seen.deployments:
        reasons = [one.reason for one in seen.decisions.get(view.deployment_id, ())]
        if not reasons or not all(reasons):
            found.append(f"{view.deployment_id} does not give a reason for each of its decisions")
    found += [f"no calls of kind {name} were counted" for name in CALLS if not seen.calls.get(name)]
    return found
