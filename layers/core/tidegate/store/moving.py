"""What an application holds, moved to another name or deleted: many items, so more than one transaction.

An application that goes is closed first: its item bears ``closing`` or ``renamedTo`` and is no longer found by its
name, and nothing new can come under it. Then its contents move or go, then its item. Whoever meets an unfinished one
finishes it, so a caller that dies half-way leaves nothing that would not be mended before it could be seen. Every
transaction checks that the work is still to be done: one who comes late changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from tidegate.store.application_items import application_key
from tidegate.store.errors import ConditionFailedError, TableBusyError
from tidegate.store.groups import group_moved, group_removed
from tidegate.store.table import Absent, All, Check, Delete, Equals, Item, Key, Put, Table, Update, Write, key_of

Writes: TypeAlias = Callable[[Item], list[Write]]

_AT_ONCE: Final = 20
_TRIES: Final = 5


def settle(table: Table, item: Item) -> None:
    """Finish what was begun with an application: its deletion, its move away, or its move to here."""
    name = item["applicationName"]
    if "closing" in item:
        _finish_deletion(table, item)
    elif "renamedTo" in item:
        _finish_move(table, name, item["renamedTo"], item["applicationId"])
    elif "renamedFrom" in item:
        _finish_move(table, item["renamedFrom"], name, item["applicationId"])


def _finish_deletion(table: Table, item: Item) -> None:
    key = application_key(item["applicationName"])
    still = All(Equals("applicationId", item["applicationId"]), Equals("closing", True))
    _Contents(table, key[0], "GROUP#", Check(key, still)).clear(group_removed)
    # After the groups: a deployment records its revision and its group in one transaction.
    _Contents(table, key[0], "REV#", Check(key, still)).clear(lambda found: [Delete(key_of(found))])
    try:
        table.write(Delete(key, still))
    except ConditionFailedError:
        return  # somebody else has finished it


def _finish_move(table: Table, old: str, new: str, application_id: str) -> None:
    goal = application_key(new)
    still = All(Equals("applicationId", application_id), Equals("renamedFrom", old))
    check, place = Check(goal, still), application_key(old)[0]
    _Contents(table, place, "GROUP#", check).clear(lambda found: group_moved(found, new))
    _Contents(table, place, "REV#", check).clear(lambda found: _moved(found, goal[0]))
    left = All(Equals("applicationId", application_id), Equals("renamedTo", new))
    try:
        table.write(Delete(application_key(old), left), Update(goal, remove=("renamedFrom",), condition=still))
    except ConditionFailedError:
        return  # somebody else has finished it


def _moved(found: Item, place: str) -> list[Write]:
    return [Delete(key_of(found)), Put(found | {"PK": place}, Absent())]


class _Contents:
    """Items of one kind under an application that goes.

    Parameters
    ----------
    still
        Holds as long as there is something to do.
    """

    def __init__(self, table: Table, pk: str, prefix: str, still: Check) -> None:
        self._table, self._pk, self._prefix, self._still = table, pk, prefix, still

    def clear(self, writes: Writes) -> None:
        """Do the writes of every item until none is left."""
        failures = 0
        while failures < _TRIES:
            found = self._table.query(self._pk, self._prefix, limit=_AT_ONCE).items
            if not found or not self._wanted():
                return
            # One that is being changed holds up only itself, once they are taken one by one.
            size = 1 if failures else _AT_ONCE
            for first in range(0, len(found), size):
                failures += not self._write(found[first : first + size], writes)
        raise TableBusyError("What the application holds is being changed by others; try again.")

    def _wanted(self) -> bool:
        item = self._table.get(self._still.key)
        return item is not None and ("closing" in item or "renamedFrom" in item)

    def _write(self, found: Sequence[Item], writes: Writes) -> bool:
        try:
            self._table.write(self._still, *_united([write for item in found for write in writes(item)]))
        except ConditionFailedError:
            return False
        return True


def _united(writes: Sequence[Write]) -> list[Write]:
    """The writes with those that release one configuration made one: a transaction names a key once."""
    found: dict[Key, Write] = {}
    for write in writes:
        key = key_of(write.item) if isinstance(write, Put) else write.key
        known = found.get(key)
        if isinstance(known, Update) and isinstance(write, Update):
            groups = {*known.remove_from_set["groups"], *write.remove_from_set["groups"]}
            found[key] = Update(key, remove_from_set={"groups": groups}, condition=known.condition)
        else:
            found[key] = write
    return list(found.values())
