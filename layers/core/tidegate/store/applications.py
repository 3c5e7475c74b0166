"""Applications by name."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.store.errors import ApplicationExistsError, ApplicationNotFoundError, ConditionFailedError
from tidegate.store.table import Absent, Cursor, Delete, Item, Key, Page, Put, Table

INDEX = "GSI1"
PARTITION = "APPS"


def application_key(name: str) -> Key:
    """Key of an application's item."""
    return f"APP#{name}", "APP"


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
        """
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
        item = self._table.get(application_key(name))
        if item is None:
            raise ApplicationNotFoundError(name)
        return item

    def get_many(self, names: Iterable[str]) -> list[Item]:
        """Read applications in the order of their names as given; the first unknown one is an error."""
        names = list(dict.fromkeys(names))
        found = self._table.get_many(application_key(name) for name in names)
        for name in names:
            if application_key(name) not in found:
                raise ApplicationNotFoundError(name)
        return [found[application_key(name)] for name in names]

    def page(self, *, limit: int, start: Cursor | None = None) -> Page:
        """A page of all applications, by name."""
        return self._table.query(PARTITION, index=INDEX, limit=limit, start=start)

    def delete(self, name: str) -> None:
        """Take away the application item alone; one that is not there is fine."""
        self._table.write(Delete(application_key(name)))
