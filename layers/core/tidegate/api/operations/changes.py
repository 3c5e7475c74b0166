"""Our own service: who changed what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.errors import ApiError
from tidegate.api.paging import PAGE_SIZE, Paging, take
from tidegate.api.services import Call
from tidegate.store.changes import BY_APPLICATION, BY_CALLER, Changes, day_of
from tidegate.store.table import Cursor, Page


def list_changes(call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    """ListChanges, newest first: of an application, by a caller, or else of one day (today where none is given)."""
    application, caller = given.get("applicationName"), given.get("callerArn")
    if sum(map(bool, (application, caller, given.get("day")))) > 1:
        message = "Give one of 'applicationName', 'callerArn' and 'day', or none for today's changes."
        raise ApiError("InvalidInputException", message)
    span = given.get("timeRange") or {}
    between = earliest, latest = span.get("start"), span.get("end")
    if earliest is not None and latest is not None and earliest > latest:
        message = f"'timeRange' starts at {earliest}, after its end at {latest}."
        raise ApiError("InvalidTimeRangeException", message)
    day = given.get("day") or day_of(call.services.clock())
    changes = Changes(call.services.table)

    def read(start: Cursor | None) -> Page:
        return changes.page(
            application=application, caller=caller, day=day, between=between, limit=PAGE_SIZE + 1, start=start
        )

    paging = Paging(call.operation, {**given, "day": day})
    index = BY_APPLICATION[0] if application else BY_CALLER[0] if caller else None
    items, cursor = take(read, paging.cursor, index=index)
    return {"changes": items, **paging.token(cursor)}
