"""Targets of a deployment: what is recorded, and what their hosts tell while they work."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.paging import Paging
from tidegate.api.progress import merged
from tidegate.api.rules.common import check_batch, check_deployment_id
from tidegate.api.services import Call
from tidegate.model.deployment import IN_PLACE_EVENTS
from tidegate.model.names import on_premises_arn, on_premises_name, shift_target_id
from tidegate.store.rosters import stored_members
from tidegate.store.table import Item

Given = Mapping[str, Any]

_log = logging.getLogger(__name__)
_STATUSES: Final = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Unknown", "Ready")
_LABELS: Final = ("Blue", "Green")
_READERS: Final = 8
#: A cluster's and a service's name with a colon between them.
_LONGEST_PAIR: Final = 511
#: The member of ``DeploymentTarget`` that holds a target, by its type.
_MEMBERS: Final = {"InstanceTarget": "instanceTarget", "LambdaTarget": "lambdaTarget", "ECSTarget": "ecsTarget"}


def get_deployment_target(call: Call, given: Given) -> dict[str, Any]:
    """GetDeploymentTarget. The target is named by its id or its ARN."""
    return {"deploymentTarget": _read(call, given["deploymentId"], [given["targetId"]])[0]}


def batch_get_deployment_targets(call: Call, given: Given) -> dict[str, Any]:
    """BatchGetDeploymentTargets: at most 25, of Lambda and ECS one; what is no part of the deployment is an error."""
    check_batch("targetIds", given["targetIds"], 25, "DeploymentTargetListSizeExceededException")
    if len(given["targetIds"]) > 1:
        _check_one_target(call.services.deployments.get(check_deployment_id(given["deploymentId"])))
    return {"deploymentTargets": _read(call, given["deploymentId"], given["targetIds"])}


def list_deployment_targets(call: Call, given: Given) -> dict[str, Any]:
    """ListDeploymentTargets, in the order in which the deployment takes them."""
    deployment_id = check_deployment_id(given["deploymentId"])
    paging = Paging(call.operation, given)
    filters = given.get("targetFilters", {})
    _check_filters(filters)
    deployment = call.services.deployments.get(deployment_id)
    check_labels(deployment, filters.get("ServerInstanceLabel", ()))
    fleet = fleet_with(call, deployment, filters.get("TargetStatus", ()), filters.get("ServerInstanceLabel", ()))
    page, token = paging.of_rows([{"id": each} for each in fleet], key=lambda row: str(row["id"]))
    return {"targetIds": [row["id"] for row in page], **token}


def _check_one_target(deployment: Item) -> None:
    platform = deployment.get("computePlatform", "Server")
    if platform != "Server":
        message = f"A deployment of platform {platform} has one target; ask for that one."
        raise ApiError("DeploymentTargetListSizeExceededException", message)


def _check_filters(filters: Mapping[str, Sequence[str]]) -> None:
    for label in filters.get("ServerInstanceLabel", ()):
        if label not in _LABELS:
            message = f"A server's label is one of {', '.join(_LABELS)}; not {label[:60]!r}."
            raise ApiError("InvalidInstanceTypeException", message)
    for status in filters.get("TargetStatus", ()):
        if status not in _STATUSES:
            message = f"A target's status is one of {', '.join(_STATUSES)}; not {status[:60]!r}."
            raise ApiError("InvalidInstanceStatusException", message)


def check_labels(deployment: Item, labels: Sequence[str]) -> None:
    """Refuse a filter by the labels Blue and Green where the deployment has none."""
    servers = deployment.get("computePlatform", "Server") == "Server"
    if labels and not (servers and deployment["deploymentStyle"]["deploymentType"] == "BLUE_GREEN"):
        message = "Targets have the labels Blue and Green only in blue/green deployments to servers."
        raise ApiError("InvalidDeploymentInstanceTypeException", message)


def fleet_of(call: Call, deployment_id: str) -> list[str]:
    """Ids of the deployment's targets, as :func:`fleet_with` of all."""
    return fleet_with(call, call.services.deployments.get(deployment_id))


def fleet_with(call: Call, deployment: Item, statuses: Sequence[str] = (), labels: Sequence[str] = ()) -> list[str]:
    """Ids of the deployment's targets that have one of the statuses and one of the labels; where none is named, any.

    Raises
    ------
    ApiError
        ``DeploymentNotStartedException`` while they are not yet known.
    """
    members = _started(call, deployment)
    fleet = [each for each, member in members.items() if not labels or _label(member) in labels]
    if not statuses:
        return fleet
    known = call.services.table.query(f"DEP#{deployment['deploymentId']}", "TARGET#").items
    found = {str(item["SK"]).removeprefix("TARGET#"): item["status"] for item in known}
    return [each for each in fleet if found.get(each, "Pending") in statuses]


def _label(member: Sequence[Any]) -> str:
    """The label of a target as the roster has it (``docs/data-model.md``)."""
    return str(member[4]) if len(member) > 4 else ""


def _started(call: Call, deployment: Item) -> dict[str, Sequence[Any]]:
    """The deployment's targets by their ids, as its roster has them; it has to have started."""
    members = members_of(call, deployment)
    if not members and deployment["status"] in ("Created", "Queued"):
        message = f"The deployment '{deployment['deploymentId']}' has not started yet: its targets are not known."
        raise ApiError("DeploymentNotStartedException", message)
    return {str(member[0]): member for member in members}


def members_of(call: Call, deployment: Item) -> list[Sequence[Any]]:
    """The deployment's targets as its roster has them, none while they are not yet known."""
    return stored_members(call.services.table, f"DEP#{deployment['deploymentId']}")


def _read(call: Call, deployment_id: str, names: Sequence[str]) -> list[dict[str, Any]]:
    check_deployment_id(deployment_id)
    ids = list(dict.fromkeys(target_id_of(name) for name in names))
    recorded = read_items(call, deployment_id, ids)
    members: dict[str, Sequence[Any]] = {}
    if len(recorded) < len(ids):
        members = _started(call, call.services.deployments.get(deployment_id))
        for each in ids:
            if each not in members:
                message = f"The target '{each}' is not part of deployment '{deployment_id}'."
                raise ApiError("DeploymentTargetDoesNotExistException", message)
    return [_shown(deployment_id, item) for item in live_items(call, deployment_id, ids, recorded, members)]


def read_items(call: Call, deployment_id: str, ids: Sequence[str]) -> dict[str, Item]:
    """What is recorded of targets, by their ids."""
    found = call.services.table.get_many((f"DEP#{deployment_id}", f"TARGET#{each}") for each in ids)
    return {str(item["targetId"]): item for item in found.values()}


def live_items(
    call: Call,
    deployment_id: str,
    ids: Sequence[str],
    recorded: Mapping[str, Item],
    members: Mapping[str, Sequence[Any]],
) -> list[Item]:
    """Targets of the fleet in the order of ``ids``, with what their hosts tell while they work.

    ``members`` holds those of which nothing is recorded yet, as the roster has them.
    """
    items = [recorded.get(each) or _unrecorded(call, members[each]) for each in ids]
    told = _progress(call, deployment_id, items)
    return [merged(item, told.get(item["targetId"])) for item in items]


def target_id_of(name: str, error: str = "InvalidDeploymentTargetIdException") -> str:
    """The id of a target named by its id or its ARN; ``error`` is the name of the refusal."""
    target_id = shift_target_id(name) or name
    if target_id.startswith("arn:"):
        target_id = on_premises_name(name) if ":codedeploy:" in name else name.rpartition("/")[2]
    longest = _LONGEST_PAIR if ":" in target_id else 100
    if not 1 <= len(target_id) <= longest or not target_id.isprintable() or " " in target_id:
        message = f"A target is named by the id or the ARN of an instance; not {name[:80]!r}."
        raise ApiError(error, message)
    return target_id


def _unrecorded(call: Call, member: Sequence[Any]) -> Item:
    """A target of the fleet of which nothing was recorded yet."""
    target_id = str(member[0])
    events = [{"lifecycleEventName": name, "status": "Pending"} for name in IN_PLACE_EVENTS]
    region, account = call.services.region, call.services.account
    arn = f"arn:aws:ec2:{region}:{account}:instance/{target_id}"
    if len(member) > 2 and member[2] is not None:
        arn = on_premises_arn(region, account, target_id, str(member[3]))
    found = {"targetId": target_id, "targetArn": arn, "status": "Pending", "lifecycleEvents": events}
    return found | ({"instanceLabel": _label(member)} if _label(member) else {})


def _progress(call: Call, deployment_id: str, items: Sequence[Item]) -> dict[str, Mapping[str, Any]]:
    """What the hosts at work say, by target id; read side by side, since each one is an object of its own."""
    # An on-premises instance calls itself by its node's id.
    working = {item["targetId"]: item.get("nodeId") or item["targetId"] for item in items if _works(item)}
    if not working:
        return {}

    def read(target_id: str) -> Mapping[str, Any] | None:
        try:
            return call.services.progress.read(deployment_id, working[target_id])
        except Exception:
            # Live detail is a help, no more: without it the target is shown as recorded.
            _log.exception("the progress of %s in %s could not be read", target_id, deployment_id)
            return None

    with ThreadPoolExecutor(min(_READERS, len(working))) as pool:
        told = pool.map(read, working)
        return {each: progress for each, progress in zip(working, told, strict=True) if progress}


def _works(item: Item) -> bool:
    return bool(item["status"] == "InProgress")


def _shown(deployment_id: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """``DeploymentTarget``: the item's attributes bear the API's names."""
    kind = str(item.get("kind", "InstanceTarget"))
    return {"deploymentTargetType": kind, _MEMBERS[kind]: {**item, "deploymentId": deployment_id}}
