"""Revisions registered with an application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.model.names import revision_key
from tidegate.store.application_items import open_application
from tidegate.store.errors import ApplicationNotFoundError, ConditionFailedError, RevisionNotFoundError
from tidegate.store.table import Item, Key, Table, Update


def revision_item_key(application: str, key: str) -> Key:
    """Key of a revision's item."""
    return f"APP#{application}", f"REV#{key}"


def revision_use(application: str, location: Mapping[str, Any], *, description: str, now: float) -> Update:
    """The write that records that a deployment uses a revision, and registers it where it is new."""
    return Update(
        revision_item_key(application, revision_key(location)),
        set={"lastUsedTime": now},
        set_if_absent={
            "location": dict(location),
            "description": description,
            "registerTime": now,
            "firstUsedTime": now,
        },
    )


class Revisions:
    """The revisions of applications."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def register(self, application: str, location: Mapping[str, Any], *, description: str | None, now: float) -> None:
        """Record a revision; a second time renews its description and keeps the rest.

        Raises
        ------
        ApplicationNotFoundError
            There is no such application.
        """
        known: dict[str, Any] = {"location": dict(location), "registerTime": now}
        update = Update(
            revision_item_key(application, revision_key(location)),
            set={} if description is None else {"description": description},
            set_if_absent=known,
        )
        try:
            self._table.write(open_application(application), update)
        except ConditionFailedError:
            raise ApplicationNotFoundError(application) from None

    def get(self, application: str, location: Mapping[str, Any]) -> Item:
        """Read a revision by its location.

        Raises
        ------
        RevisionNotFoundError
            It is not registered.
        """
        item = self._table.get(revision_item_key(application, revision_key(location)))
        if item is None:
            raise RevisionNotFoundError(application)
        return item

    def all_of(self, application: str) -> list[Item]:
        """All revisions of an application, in no particular order."""
        return self._table.query(f"APP#{application}", "REV#").items
