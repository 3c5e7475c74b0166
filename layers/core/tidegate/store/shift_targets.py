"""The one target of a Lambda or ECS deployment, as GetDeploymentTarget shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.store.table import Put, Table


def put_shift_target(
    table: Table,
    deployment_id: str,
    *,
    kind: str,
    target_id: str,
    arn: str,
    status: str,
    events: Sequence[Mapping[str, Any]],
    detail: Mapping[str, Any],
    now: float,
) -> None:
    """Write the target's projection, and the fleet of one; written twice, they are the same items.

    Parameters
    ----------
    kind
        ``LambdaTarget`` or ``ECSTarget``.
    detail
        What only this kind has: ``lambdaFunctionInfo`` or ``taskSetsInfo``, as in the API.
    """
    item = {
        "PK": f"DEP#{deployment_id}",
        "SK": f"TARGET#{target_id}",
        "targetId": target_id,
        "targetArn": arn,
        "kind": kind,
        "status": status,
        "lastUpdatedAt": now,
        "lifecycleEvents": [dict(event) for event in events],
        **detail,
    }
    roster = {"PK": item["PK"], "SK": "ROSTER#0000", "members": [[target_id, True]]}
    table.write(Put(roster), Put(item))
