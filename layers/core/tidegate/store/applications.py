"""Applications by name."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from tidegate.store.application_items import application_key, is_open
from tidegate.store.errors import (
    ApplicationExistsError,
    ApplicationLimitError,
    ApplicationNotFoundError,
    ConditionFailedError,
    TableBusyError,
)
from tidegate.store.moving import settle
from tidegate.store.table import (
    Absent,
    All,
    AttributeAbsent,
    Cursor,
    Equals,
    Item,
    Page,
    Put,
    Table,
    Update,
)

__all__ = ["Applications", "application_key"]

INDEX: Final = "GSI1"
PARTITION: Final = "APPS"
#: Applications in one account and Region (AWS: "CodeDeploy quotas").
MOST: Final = 1000
_TRIES: Final = 5
_GOING: Final = ("closing", "renamedTo", "renamedFrom")


class Applications:
    """The applications of the account."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(
        self,
        name: str,
        *,
        application_id: str,
        platform: str,
        now: float,
        tags: Iterable[dict[str, str]] = (),
    ) -> Item:
        """Record a new application.

        Raises
        ------
        ApplicationExistsError
            The name is taken.
        ApplicationLimitError
            There are as many as there may be. Counted before, so that callers at the same time may go over it.
        """
        if self._settled(name) is None and self._table.count(PARTITION, index=INDEX) >= MOST:
            raise ApplicationLimitError(MOST)
        pk, sk = application_key(name)
        item: Item = {
            "PK": pk,
            "SK": sk,
            "GSI1PK": PARTITION,
            "GSI1SK": name,
            "applicationId": application_id,
            "applicationName": name,
            "computePlatform": platform,
            "createTime": now,
            "linkedToGitHub": False,
            "tags": list(tags),
        }
        try:
            self._table.write(Put(item, Absent()))
        except ConditionFailedError as error:
            # The client below repeats a call whose answer was lost: then what stands there is ours.
            if not error.item or error.item.get("applicationId") != application_id:
                raise ApplicationExistsError(name) from None
        return item

    def get(self, name: str) -> Item:
        """Read an application.

        Raises
        ------
        ApplicationNotFoundError
            There is none of this name.
        """
        item = self._settled(name)
        if item is None:
            raise ApplicationNotFoundError(name)
        return item

    def settle(self, name: str) -> None:
        """Finish what somebody may have begun with an application and left: its deletion, or a new name."""
        self._settled(name)

    def _settled(self, name: str) -> Item | None:
        """The application, with all that was begun with it finished."""
        for _ in range(_TRIES):
            item = self._table.get(application_key(name))
            if item is None or not any(each in item for each in _GOING):
                return item
            settle(self._table, item)
        raise TableBusyError(f"The application '{name}' is being changed by others.")

    def get_many(self, names: Iterable[str]) -> list[Item]:
        """Read applications in the order of their names as given; the first unknown one is an error."""
        names = list(dict.fromkeys(names))
        found = self._table.get_many(application_key(name) for name in names)
        for name in names:
            if application_key(name) not in found or not is_open(found[application_key(name)]):
                raise ApplicationNotFoundError(name)
        return [found[application_key(name)] for name in names]

    def page(self, *, limit: int, start: Cursor | None = None) -> Page:
        """A page of all applications, by name."""
        return self._table.query(PARTITION, index=INDEX, limit=limit, start=start)

    def delete(self, name: str) -> None:
        """Delete an application with its groups and revisions; one that is not there is fine.

        A live deployment of it runs on, without a group.
        """
        item = self._settled(name)
        if item is None:
            return
        same = Equals("applicationId", item["applicationId"])
        close = Update(
            application_key(name), set={"closing": True}, remove=("GSI1PK", "GSI1SK"), condition=All(same, *_open())
        )
        # Where it fails, somebody else deletes or renames it: that is finished below.
        with suppress(ConditionFailedError):
            self._table.write(close)
        self._settled(name)

    def rename(self, name: str, new: str) -> None:
        """Give an application another name; its id, groups, revisions and live deployments stay its own.

        What is history keeps the name it had.

        Raises
        ------
        ApplicationNotFoundError
        ApplicationExistsError
            The new name is taken.
        """
        item = self.get(name)
        if name == new:
            return
        self._settled(new)
        moved = item | {"PK": application_key(new)[0], "GSI1SK": new, "applicationName": new, "renamedFrom": name}
        unchanged = All(Equals("applicationId", item["applicationId"]), Equals("tags", item["tags"]), *_open())
        leave = Update(application_key(name), set={"renamedTo": new}, remove=("GSI1PK", "GSI1SK"), condition=unchanged)
        try:
            self._table.write(Put(moved, Absent()), leave)
        except ConditionFailedError as error:
            there = error.item or {}
            if error.index == 1:
                raise TableBusyError(f"The application '{name}' is being changed by others.") from None
            # The client below repeats a call whose answer was lost: then what stands there is ours.
            if (there.get("applicationId"), there.get("renamedFrom")) != (item["applicationId"], name):
                raise ApplicationExistsError(new) from None
        self._settled(new)


def _open() -> list[AttributeAbsent]:
    return [AttributeAbsent(each) for each in _GOING]
