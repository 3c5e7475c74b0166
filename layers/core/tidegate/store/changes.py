"""The audit trail: who changed what, when. Append-only.

By day, so that no partition takes all the writes of a long life; by application and by caller in the indexes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tidegate.store.table import Cursor, Item, Page, Table, sort_time, time_span

#: Index and prefix of its partitions, by what is asked for.
BY_APPLICATION = ("GSI1", "CHANGES#")
BY_CALLER = ("GSI2", "CHANGED_BY#")


def day_of(seconds: float) -> str:
    """The day (UTC) of a time.

    >>> day_of(1764000000.25)
    '2025-11-24'
    """
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def change_item(now: float, facts: Mapping[str, Any]) -> Item:
    """The record of one call that changes something.

    Parameters
    ----------
    facts
        ``operation``, ``caller``, ``requestId``, ``parameters``; where known ``applicationName``,
        ``deploymentGroupName``, ``deploymentId``. A request id names one record of a moment: writing it again is fine.
    """
    when = f"{sort_time(now)}#{facts['requestId']}"
    item: Item = {"PK": f"CHANGES#{day_of(now)}", "SK": when, "time": now, **facts}
    if facts.get("applicationName"):
        item |= {"GSI1PK": f"{BY_APPLICATION[1]}{facts['applicationName']}", "GSI1SK": when}
    if facts.get("caller"):
        item |= {"GSI2PK": f"{BY_CALLER[1]}{facts['caller']}", "GSI2SK": when}
    return item


class Changes:
    """Reads the audit trail, newest first."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def page(
        self,
        *,
        application: str | None = None,
        caller: str | None = None,
        day: str = "",
        between: tuple[float | None, float | None] = (None, None),
        limit: int | None = None,
        start: Cursor | None = None,
    ) -> Page:
        """A page of the changes of an application, by a caller, or of a day (``YYYY-MM-DD``, UTC).

        Parameters
        ----------
        between
            Earliest and latest time, both included.
        """
        index, pk = (None, f"CHANGES#{day}")
        if application is not None:
            index, pk = BY_APPLICATION[0], f"{BY_APPLICATION[1]}{application}"
        elif caller is not None:
            index, pk = BY_CALLER[0], f"{BY_CALLER[1]}{caller}"
        return self._table.query(
            pk, between=time_span(*between), index=index, descending=True, limit=limit, start=start
        )
