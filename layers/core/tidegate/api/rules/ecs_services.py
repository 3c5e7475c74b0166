"""Amazon ECS services of deployment groups (API: ECSService)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.model.names import ecs_service_id

_BAD: Final = "InvalidECSServiceException"
_NAME: Final = r"[A-Za-z0-9_-]{1,255}"
_SERVICE: Final = re.compile(rf"{_NAME}|arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{{12}}:service/(?:{_NAME}/)?{_NAME}")
_CLUSTER: Final = re.compile(rf"{_NAME}|arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{{12}}:cluster/{_NAME}")


def check_services(services: Sequence[Mapping[str, str]]) -> None:
    """Check what one call gives: one service at most, by names or ARNs.

    That the service is there, and that CodeDeploy is its deployment controller, is asked when a deployment begins.
    """
    if len(services) > 1:
        raise ApiError(_BAD, f"A deployment group has one Amazon ECS service; 'ecsServices' names {len(services)}.")
    for service in services:
        name, cluster = service.get("serviceName", ""), service.get("clusterName", "default")
        if not _SERVICE.fullmatch(name):
            raise ApiError(_BAD, f"'ecsServices[0].serviceName' is no name or ARN of a service: {name[:120]!r}.")
        if not _CLUSTER.fullmatch(cluster):
            raise ApiError(_BAD, f"'ecsServices[0].clusterName' is no name or ARN of a cluster: {cluster[:120]!r}.")


def filled_services(services: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Services with their cluster: the one in the service's ARN, or ECS's own ``default``, where none is named."""
    return [{"clusterName": ecs_service_id(each).partition(":")[0], **each} for each in services]


def check_services_fit(info: Mapping[str, Any], platform: str) -> None:
    """An ECS group has its service, no other group has one."""
    if platform == "ECS" and not info.get("ecsServices"):
        raise ApiError(_BAD, "A deployment group of platform ECS needs 'ecsServices' with one service.")
    if platform != "ECS" and info.get("ecsServices"):
        raise ApiError(_BAD, f"'ecsServices' is for applications of platform ECS; this one is of platform {platform}.")
