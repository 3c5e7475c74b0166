"""Amazon ECS services and task definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from tidegate.gateways.errors import error_code, translated
from tidegate.model.shifts import ServiceSeen

_NO_CLUSTER = frozenset({"ClusterNotFoundException"})
#: What ECS says of a task definition that is not there.
_NO_TASK_DEFINITION = frozenset({"ClientException", "InvalidParameterException"})


class EcsServices:
    """The services of the account's clusters in this Region."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def look(self, service: Mapping[str, str], task_definition: str) -> ServiceSeen:
        """What is there of a service and of a task definition.

        Parameters
        ----------
        service
            ``clusterName`` and ``serviceName``, each a name or an ARN (API: ECSService).

        Raises
        ------
        GatewayError
            ECS does not answer, or our role may not ask.
        """
        with translated(f"reading the service {service['serviceName']}"):
            found = self._service(service["clusterName"], service["serviceName"])
        if found is None:
            return ServiceSeen()
        with translated(f"reading the task definition {task_definition}"):
            containers = self._containers(task_definition)
        return ServiceSeen(
            arn=found["serviceArn"],
            status=found["status"],
            # Services that are made without a controller have ECS's own, and older answers leave it out.
            controller=(found.get("deploymentController") or {}).get("type", "ECS"),
            task_sets=found.get("taskSets") or (),
            containers=containers,
        )

    def _service(self, cluster: str, name: str) -> Any:
        try:
            found = self._client.describe_services(cluster=cluster, services=[name])["services"]
        except ClientError as error:
            if error_code(error) in _NO_CLUSTER:
                return None
            raise
        return found[0] if found else None

    def _containers(self, task_definition: str) -> Mapping[str, Sequence[int]] | None:
        try:
            found = self._client.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
        except ClientError as error:
            if error_code(error) in _NO_TASK_DEFINITION:
                return None
            raise
        if found.get("status") != "ACTIVE":
            return None
        return {
            container["name"]: [
                port["containerPort"] for port in container.get("portMappings", ()) if "containerPort" in port
            ]
            for container in found["containerDefinitions"]
        }
