"""Marks of live deployments: what the sweep reads, so that it finds those without an execution.

They are made in the transaction that makes a deployment, and taken away when what follows its end is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tidegate.model.deployment import TERMINAL
from tidegate.store.deployment_items import LIVE_STATUSES, deployment_key, live_key, live_mark
from tidegate.store.errors import ConditionFailedError
from tidegate.store.groups import group_key
from tidegate.store.table import Absent, Check, Cursor, Delete, Equals, Key, OneOf, Put, Table, Update

_PAGE: Final = 100
_CATCH_UP: Final[Key] = ("SWEEP", "CATCH_UP")


class LiveMarks:
    """The marks of the account's deployments that are live, or whose end is not followed up yet."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def ids(self, after: str) -> Iterator[list[str]]:
        """Pages of the ids of all marked deployments, those behind ``after`` first.

        Whoever does not come to the end of them begins elsewhere the next time.
        """
        pk = live_key("")[0]
        for span in ((after + "!", "~"), ("!", after)):
            start: Cursor | None = None
            while True:
                page = self._table.query(pk, between=span, limit=_PAGE, start=start)
                yield [item["SK"] for item in page.items]
                start = page.next
                if start is None:
                    break

    def put(self, deployment: Mapping[str, Any]) -> None:
        """Mark a deployment that has ended, and after which something is left to be done."""
        self._table.write(Put(live_mark(deployment)))

    def remove(self, deployment_id: str) -> None:
        """Take away the mark of a deployment that has ended and after which nothing is left to be done."""
        self._table.write(Delete(live_key(deployment_id)))

    def release(self, deployment: Mapping[str, Any]) -> bool:
        """Take its group's lock away from a deployment that has ended; whether it still held it.

        Its end takes it away, so nothing is found but where the table was restored or changed by hand.
        """
        if deployment["status"] not in TERMINAL:
            return False
        group = group_key(deployment["applicationName"], deployment["deploymentGroupName"])
        held = Equals("live", deployment["deploymentId"])
        try:
            self._table.write(Update(group, remove=("live",), condition=held))
        except ConditionFailedError:
            return False
        return True

    def catch_up(self) -> int | None:
        """Mark those of the next 100 deployments that are live and have no mark, as they were made by release 0.1.0.

        All deployments are gone through once, the oldest first, so that none is passed over that is made meanwhile.
        Who dies in between, or is not alone, goes through some of them again.

        Returns
        -------
        How many were marked; None where all deployments were gone through.
        """
        state = self._table.get(_CATCH_UP) or {}
        if state.get("done"):
            return None
        page = self._table.query("DEPS", index="GSI2", limit=_PAGE, start=state.get("next"))
        live = {live_key(item["deploymentId"]): item for item in page.items if item["status"] not in TERMINAL}
        known = self._table.get_many(live)
        marked = sum(self._marked(item) for key, item in live.items() if key not in known)
        pk, sk = _CATCH_UP
        self._table.write(Put({"PK": pk, "SK": sk, **({"next": page.next} if page.next else {"done": True})}))
        return marked

    def _marked(self, deployment: Mapping[str, Any]) -> bool:
        """Mark a deployment; False where it has ended since the index was read, or somebody else was faster."""
        live = Check(deployment_key(deployment["deploymentId"]), OneOf("status", LIVE_STATUSES))
        try:
            self._table.write(Put(live_mark(deployment), Absent()), live)
        except ConditionFailedError:
            return False
        return True
