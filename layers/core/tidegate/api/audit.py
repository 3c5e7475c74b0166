"""Who did what: each change leaves a record of the call that made it, in the same transaction.

The operations know nothing of it: the table they are handed adds the record to whatever they write. A call leaves one
record however often it writes, and one that writes nothing leaves none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from botocore.model import OperationModel

from tidegate.api.services import Services
from tidegate.store.changes import change_item
from tidegate.store.deployment_items import deployment_key
from tidegate.store.table import Cursor, Delete, Item, Key, Page, Put, Table, Update, Write

#: Longest text of a parameter that is kept.
_LONGEST: Final = 200
#: What may hold anything, a password among it. Names of tokens are no secrets, and are what an auditor looks for.
_SECRET: Final = re.compile(r"(?i)(secret|password|credential|privatekey|accesstoken|^content$|^token$|^nextToken$)")
_ARN: Final = re.compile(r"arn:[^:]+:codedeploy:[^:]*:\d*:(?:application:|deploymentgroup:)([^/]+)(?:/(.+))?")
_READS: Final = ("Get", "List", "BatchGet")


@dataclass(frozen=True, slots=True)
class Who:
    """Who calls, and the id of the request."""

    caller: str
    request_id: str


def recorded(services: Services, who: Who, operation: OperationModel, given: Mapping[str, Any]) -> Services:
    """The ports for one call, with a table that records it with what it writes."""
    if operation.name.startswith(_READS):
        return services
    parameters = shortened(operation.input_shape, given) if operation.input_shape is not None else {}
    facts = {"operation": operation.name, "caller": who.caller, "requestId": who.request_id, "parameters": parameters}
    return replace(services, table=RecordingTable(services.table, facts, given, services.clock()))


def shortened(shape: Any, given: Mapping[str, Any]) -> dict[str, str]:
    """The input's members as short texts, without what may be secret.

    Left out are members that the service model calls sensitive, and those whose names say that they hold tokens,
    passwords, or a document's content.
    """
    return {
        name: text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        for name, value in _public(shape, given).items()
        if (text := value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False))
    }


def _public(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        return {
            name: _public(shape.members[name], each)
            for name, each in value.items()
            if not _SECRET.search(name) and not shape.members[name].metadata.get("sensitive")
        }
    if shape.type_name == "list":
        return [_public(shape.member, each) for each in value]
    return value


class RecordingTable:
    """A table that adds the record of one call to what the call writes.

    Parameters
    ----------
    table
        The table itself.
    facts
        What is known of the call before it runs.
    given
        Its input.
    now
        Epoch seconds.
    """

    def __init__(self, table: Table, facts: Mapping[str, Any], given: Mapping[str, Any], now: float) -> None:
        self._table = table
        self._facts = facts
        self._given = given
        self._now = now

    def get(self, key: Key) -> Item | None:
        return self._table.get(key)

    def get_many(self, keys: Any) -> dict[Key, Item]:
        return self._table.get_many(keys)

    def query(
        self,
        pk: str,
        prefix: str = "",
        *,
        between: tuple[str, str] | None = None,
        index: str | None = None,
        descending: bool = False,
        limit: int | None = None,
        start: Cursor | None = None,
    ) -> Page:
        return self._table.query(
            pk, prefix, between=between, index=index, descending=descending, limit=limit, start=start
        )

    def count(self, pk: str, prefix: str = "", *, index: str | None = None) -> int:
        return self._table.count(pk, prefix, index=index)

    def write(self, *writes: Write) -> None:
        # Last, so that a condition that fails has the position that the store expects.
        self._table.write(*writes, self._record(writes))

    def update_returning(self, update: Update) -> Item:
        # A transaction returns nothing: what is read then may be newer than this update, and never older.
        self.write(update)
        return self._table.get(update.key) or {}

    def write_many(self, writes: Sequence[Put | Delete]) -> None:
        # No transaction, and as safe to repeat: the record goes first, so that nothing changes without one.
        self._table.write(self._record(writes))
        self._table.write_many(writes)

    def _record(self, writes: Sequence[Write]) -> Put:
        made = [write.item for write in writes if isinstance(write, Put) and write.item["SK"] == "DEP"]
        about = {**self._about, **({"deploymentId": made[0]["deploymentId"]} if made else {})}
        return Put(change_item(self._now, {**self._facts, **about}))

    @cached_property
    def _about(self) -> dict[str, str]:
        """The application, group and deployment that the call names."""
        given = self._given
        found = _ARN.fullmatch(str(given.get("ResourceArn", "")))
        if given.get("deploymentId"):
            deployment = self._table.get(deployment_key(given["deploymentId"])) or {}
            names = ("applicationName", "deploymentGroupName")
            return {"deploymentId": given["deploymentId"], **{n: deployment[n] for n in names if n in deployment}}
        group = given.get("deploymentGroupName") or given.get("currentDeploymentGroupName") or (found and found[2])
        application = given.get("applicationName") or (found and found[1])
        about = {"applicationName": application, "deploymentGroupName": group}
        return {name: value for name, value in about.items() if value}
