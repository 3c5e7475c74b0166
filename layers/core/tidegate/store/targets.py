"""What is written when targets move: their projection, the report, and the health of their instances."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.model.deployment import RESTART
from tidegate.model.scaling import is_leaving
from tidegate.store.table import Delete, Key, Put, Table, sort_time


@dataclass(frozen=True, slots=True)
class Health:
    """Health of an instance in a deployment group, and when it was noted.

    ``revision_key`` is the last revision installed with success.
    """

    healthy: bool
    revision_key: str = ""
    time: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target as GetDeploymentTarget shows it; ``events`` as in the API.

    ``label`` is ``Blue`` or ``Green``, empty in place. ``result`` is what became of the revision on it, where its
    status does not say so yet; ``node_id`` what the host calls itself in what it uploads, where that is not its id.
    """

    target_id: str
    arn: str
    status: str
    events: Sequence[Mapping[str, Any]]
    result: str = ""
    node_id: str = ""
    label: str = ""

    @property
    def installed(self) -> str:
        """``Succeeded`` or ``Failed``, as the report has it."""
        return self.result or self.status


class Targets:
    """Writes projections. All of it may be written twice: same keys, same values."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def show(self, deployment_id: str, rows: Sequence[TargetRow], now: float) -> None:
        """Write the targets' rows."""
        if rows:
            self._table.write_many([_row(deployment_id, row, now) for row in rows])

    def events(self, deployment_id: str, target_ids: Sequence[str]) -> dict[str, Sequence[Mapping[str, Any]]]:
        """The lifecycle events that are recorded of some targets, by target id."""
        if not target_ids:
            return {}
        keys = {(f"DEP#{deployment_id}", f"TARGET#{each}"): each for each in target_ids}
        found = self._table.get_many(keys)
        return {keys[key]: item["lifecycleEvents"] for key, item in found.items()}

    def ended(self, deployment: Mapping[str, Any], rows: Sequence[TargetRow], now: float) -> None:
        """Write the rows of targets that ended, what was installed on them, and their health.

        The installation's sort key holds the deployment's creation, so that a repeat writes the same item.
        """
        puts: list[Put] = []
        for row in rows:
            puts.append(_row(deployment["deploymentId"], row, now))
            if not is_leaving(deployment) and deployment.get("deploymentMode") != RESTART:
                puts.append(_installation(deployment, row, now))  # of those that install something
            puts.append(self._health(deployment, row, now))
        if puts:
            self._table.write_many(puts)

    def take_back(self, deployment: Mapping[str, Any], target_ids: Sequence[str]) -> None:
        """Take what was told of installations on targets out of the report: the deployment goes by without them."""
        self._table.write_many([Delete(_installation_key(deployment, each)) for each in target_ids])

    def health(self, group_id: str) -> dict[str, Health]:
        """Health of the group's instances, by target id; those never deployed to are absent."""
        items = self._table.query(f"GROUP#{group_id}", "HOST#").items
        return {
            item["SK"][5:]: Health(item["healthy"], item.get("revisionKey", ""), item.get("time", 0.0))
            for item in items
        }

    def forget_revisions(self, group_id: str, target_ids: Sequence[str], revision_keys: Collection[str]) -> None:
        """Make the revision of instances unknown where it is one of these, and the last deployment to them failed."""
        keys = [(f"GROUP#{group_id}", f"HOST#{each}") for each in target_ids]
        found = self._table.get_many(keys).values()
        unsure = [item for item in found if item.get("revisionKey") in revision_keys and not item["healthy"]]
        self._table.write_many(
            [Put({name: value for name, value in item.items() if name != "revisionKey"}) for item in unsure]
        )

    def _health(self, deployment: Mapping[str, Any], row: TargetRow, now: float) -> Put:
        """Success makes the new revision the instance's; failure, and a restart, leaves what was noted last."""
        key = (f"GROUP#{deployment['deploymentGroupId']}", f"HOST#{row.target_id}")
        item: dict[str, Any] = {"PK": key[0], "SK": key[1], "deploymentId": deployment["deploymentId"], "time": now}
        succeeded = row.installed == "Succeeded"
        if succeeded and not is_leaving(deployment) and deployment.get("deploymentMode") != RESTART:
            return Put({**item, "healthy": True, "revisionKey": deployment["revisionKey"]})
        known = self._table.get(key) or {}
        revision = known.get("revisionKey")
        return Put({**item, "healthy": succeeded, **({"revisionKey": revision} if revision else {})})


def _row(deployment_id: str, row: TargetRow, now: float) -> Put:
    return Put(
        {
            "PK": f"DEP#{deployment_id}",
            "SK": f"TARGET#{row.target_id}",
            "targetId": row.target_id,
            "targetArn": row.arn,
            "kind": "InstanceTarget",
            "status": row.status,
            "lastUpdatedAt": now,
            "lifecycleEvents": [dict(event) for event in row.events],
            **({"nodeId": row.node_id} if row.node_id else {}),
            **({"instanceLabel": row.label} if row.label else {}),
        }
    )


def _installation_key(deployment: Mapping[str, Any], target_id: str) -> Key:
    return f"HOST#{target_id}", f"{sort_time(deployment['createTime'])}#{deployment['deploymentId']}"


def _installation(deployment: Mapping[str, Any], row: TargetRow, now: float) -> Put:
    starts = [event["startTime"] for event in row.events if "startTime" in event]
    ends = [event["endTime"] for event in row.events if "endTime" in event]
    when = sort_time(deployment["createTime"])
    application, revision_key = deployment["applicationName"], deployment["revisionKey"]
    pk, sk = _installation_key(deployment, row.target_id)
    return Put(
        {
            "PK": pk,
            "SK": sk,
            "GSI1PK": f"INSTALLED#{application}#{revision_key}",
            "GSI1SK": f"{when}#{deployment['deploymentId']}#{row.target_id}",
            "GSI2PK": f"INSTALLED#{deployment['deploymentId']}",
            "GSI2SK": row.target_id,
            "targetId": row.target_id,
            "applicationName": application,
            "deploymentGroupName": deployment["deploymentGroupName"],
            "deploymentId": deployment["deploymentId"],
            "location": deployment["location"],
            "revisionKey": revision_key,
            "result": row.installed,
            "startTime": min(starts, default=now),
            "endTime": max(ends, default=now),
        }
    )
