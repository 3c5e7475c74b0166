"""A target's record and what its host says while it works, made one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OPEN = ("Pending", "InProgress")


def merged(item: Mapping[str, Any], progress: Mapping[str, Any] | None) -> dict[str, Any]:
    """The target with the events that its host has told of since it was recorded.

    Parameters
    ----------
    item
        The target's item (``docs/data-model.md``).
    progress
        The progress object (``docs/host-contract.md``): ``events`` holds ``[name, status, start, end]``. It comes from
        a host: what is not of that shape is passed over. An event that is recorded as ended stays as recorded.
    """
    if not progress or item["status"] not in _OPEN:
        return dict(item)
    told = {event["lifecycleEventName"]: event for event in map(_event, _list(progress.get("events"))) if event}
    events = [
        {**event, **told.get(event["lifecycleEventName"], {})} if event.get("status") in _OPEN else event
        for event in item.get("lifecycleEvents", ())
    ]
    found = {**item, "lifecycleEvents": events}
    updated = progress.get("updatedAt")
    if _is_time(updated):
        found["lastUpdatedAt"] = max(updated, item.get("lastUpdatedAt", 0))
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _event(told: Any) -> dict[str, Any] | None:
    match told:
        case [str() as name, ("InProgress" | "Succeeded" | "Failed") as status, start, end]:
            event: dict[str, Any] = {"lifecycleEventName": name, "status": status}
            times = {"startTime": start, "endTime": end}
            return event | {member: time for member, time in times.items() if _is_time(time)}
    return None


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e11
