"""Our own service: all that the lifecycle events of a target print, also while they run."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.logs import Position, in_order, merged, read_page
from tidegate.api.operations.targets import fleet_of, target_id_of
from tidegate.api.paging import Paging
from tidegate.api.rules.common import check_deployment_id
from tidegate.api.services import Call
from tidegate.model.logs import Segment

Given = Mapping[str, Any]

#: How many later deployments of a host may have brought what was left of an earlier one.
_LATER: Final = 10
_OPEN: Final = ("Pending", "InProgress", "Ready")


def get_logs(call: Call, given: Given) -> dict[str, Any]:
    """GetLogs: the lines of one target in their order, from ``nextToken`` or ``followToken`` on."""
    deployment_id = check_deployment_id(given["deploymentId"])
    target_id = target_id_of(given["targetId"])
    item = call.services.table.get((f"DEP#{deployment_id}", f"TARGET#{target_id}"))
    if item is None and target_id not in fleet_of(call, deployment_id):
        message = f"The target '{target_id}' is not part of deployment '{deployment_id}'."
        raise ApiError("DeploymentTargetDoesNotExistException", message)
    paging = Paging(call.operation, given)
    start = _start(paging)
    logs = call.services.logs
    over = item is not None and item["status"] not in _OPEN
    # An on-premises instance calls itself by its node's id.
    host = str((item or {}).get("nodeId") or target_id)
    segments = merged(logs.segments(deployment_id, host))
    page = read_page(in_order(segments, logs.read), start, given.get("lifecycleEvent"), logs.read)
    if over and not page.more and not page.at.ended:
        # The host could not upload all of it: perhaps a later deployment has brought the rest.
        segments = merged(segments, _brought_later(call, deployment_id, target_id, host))
        page = read_page(in_order(segments, logs.read), start, given.get("lifecycleEvent"), logs.read)
    here = page.at.token()
    return {
        "lines": page.lines,
        "complete": over and page.at.ended and not page.more,
        **paging.token(here if page.more else None),
        "followToken": paging.token(here)["nextToken"],
    }


def _start(paging: Paging) -> Position | None:
    if paging.start is None:
        return None
    position = Position.of(paging.start)
    if position is None:
        raise ApiError("InvalidNextTokenException", "'nextToken' is not one that GetLogs returned; start without it.")
    return position


def _brought_later(call: Call, deployment_id: str, target_id: str, host: str) -> list[Segment]:
    """What later deployments of the host have brought of this one."""
    newest = call.services.table.query(f"HOST#{target_id}", descending=True, limit=100).items
    ids = [str(item["deploymentId"]) for item in newest]
    later = ids[: ids.index(deployment_id)] if deployment_id in ids else ids
    if not later:
        return []
    logs = call.services.logs
    with ThreadPoolExecutor(_LATER) as pool:
        found = pool.map(lambda by: logs.segments(deployment_id, host, by), later[-_LATER:])
        return [segment for each in found for segment in each]
