"""Which deployment group an Amazon ECS service belongs to: one at most (AWS: "CodeDeploy quotas").

The mapping is written in the transaction that changes the group, so that no two groups ever have the same service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidegate.model.names import ecs_service_id
from tidegate.store.table import Absent, Delete, Equals, Key, Put, Write

SK: Final = "GROUP"


def mapping_key(service_id: str) -> Key:
    """Key of a service's mapping."""
    return f"ECS#{service_id}", SK


def services_of(info: Mapping[str, Any]) -> list[str]:
    """Ids (``cluster:service``) of the services of a group's settings."""
    return [ecs_service_id(each) for each in info.get("ecsServices") or ()]


def mapping_changes(before: Mapping[str, Any], after: Mapping[str, Any], group_id: str) -> list[Write]:
    """The writes that map a group's services; none where they stay.

    Parameters
    ----------
    before, after
        The group's settings; empty for a group that is made or deleted.
    """
    old, new = services_of(before), services_of(after)
    taken: list[Write] = [
        Put({"PK": f"ECS#{each}", "SK": SK, "deploymentGroupId": group_id}, Absent()) for each in new if each not in old
    ]
    # Condition: never take away what another group has by now.
    freed: list[Write] = [
        Delete(mapping_key(each), Equals("deploymentGroupId", group_id)) for each in old if each not in new
    ]
    return taken + freed
