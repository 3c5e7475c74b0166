"""The older, deprecated reading of targets: as instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.api.errors import ApiError
from tidegate.api.operations.targets import (
    check_labels,
    fleet_with,
    live_items,
    members_of,
    read_items,
    target_id_of,
)
from tidegate.api.paging import Paging
from tidegate.api.rules.common import check_batch, check_deployment_id
from tidegate.api.services import Call
from tidegate.store.table import Item

Given = Mapping[str, Any]

_INVALID = "InvalidInstanceNameException"


def get_deployment_instance(call: Call, given: Given) -> dict[str, Any]:
    """GetDeploymentInstance. The instance is named by its id or its ARN; the answer bears the ARN."""
    deployment_id = check_deployment_id(given["deploymentId"])
    instance_id = target_id_of(given["instanceId"], _INVALID)
    items, _ = _found(call, deployment_id, [instance_id])
    if not items:
        message = f"The instance '{instance_id}' is not part of deployment '{deployment_id}'."
        raise ApiError("InstanceDoesNotExistException", message)
    return {"instanceSummary": _summary(deployment_id, items[0])}


def batch_get_deployment_instances(call: Call, given: Given) -> dict[str, Any]:
    """BatchGetDeploymentInstances: at most 25; those that are not part of the deployment are told in a message."""
    check_batch("instanceIds", given["instanceIds"], 25)
    deployment_id = check_deployment_id(given["deploymentId"])
    ids = list(dict.fromkeys(target_id_of(name, _INVALID) for name in given["instanceIds"]))
    items, unknown = _found(call, deployment_id, ids)
    message = {"errorMessage": f"Not part of the deployment: {', '.join(unknown)}."} if unknown else {}
    return {"instancesSummary": [_summary(deployment_id, item) for item in items], **message}


def list_deployment_instances(call: Call, given: Given) -> dict[str, Any]:
    """ListDeploymentInstances: bare ids, in the order in which the deployment takes them."""
    deployment_id, paging = check_deployment_id(given["deploymentId"]), Paging(call.operation, given)
    deployment = _of_servers(call, deployment_id)
    labels = given.get("instanceTypeFilter", ())
    check_labels(deployment, labels)
    fleet = fleet_with(call, deployment, given.get("instanceStatusFilter", ()), labels)
    page, token = paging.of_rows([{"id": each} for each in fleet], key=lambda row: str(row["id"]))
    return {"instancesList": [row["id"] for row in page], **token}


def _found(call: Call, deployment_id: str, ids: Sequence[str]) -> tuple[list[Item], list[str]]:
    """The instances of the deployment among ``ids``, and which are none."""
    deployment = _of_servers(call, deployment_id)
    recorded = read_items(call, deployment_id, ids)
    members: dict[str, Sequence[Any]] = {}
    if len(recorded) < len(ids):
        members = {str(member[0]): member for member in members_of(call, deployment)}
    known = [each for each in ids if each in recorded or each in members]
    items = live_items(call, deployment_id, known, recorded, members)
    return items, [each for each in ids if each not in known]


def _of_servers(call: Call, deployment_id: str) -> Item:
    deployment = call.services.deployments.get(deployment_id)
    if deployment["computePlatform"] != "Server":
        message = (
            f"Deployment '{deployment_id}' is for {deployment['computePlatform']} and has no instances; "
            "read its targets with GetDeploymentTarget."
        )
        raise ApiError("InvalidComputePlatformException", message)
    return deployment


def _summary(deployment_id: str, item: Item) -> dict[str, Any]:
    """``InstanceSummary``: the item's attributes bear the API's names, but for the instance's own."""
    found = {**item, "deploymentId": deployment_id, "instanceId": item["targetArn"]}
    return found | ({"instanceType": item["instanceLabel"]} if "instanceLabel" in item else {})
