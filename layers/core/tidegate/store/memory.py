"""The table in memory: for tests, simulations and plans. Thread-safe; same rules as the real one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tidegate.store.errors import ConditionFailedError, ItemTooLargeError
from tidegate.store.table import (
    MAX_ITEM_BYTES,
    MAX_TRANSACTION_WRITES,
    Absent,
    All,
    AnyOf,
    AttributeAbsent,
    Check,
    Condition,
    Cursor,
    Delete,
    Equals,
    Item,
    Key,
    OneOf,
    Page,
    Present,
    Put,
    Update,
    Write,
    check_cursor,
    cursor_of,
    is_empty,
    key_of,
)
from tidegate.store.values import bytes_of, copied, normalised

INDEXES = ("GSI1", "GSI2")


class MemoryTable:
    """A table that lives as long as the process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._items: dict[Key, Item] = {}
        # (index or None, partition) -> keys: a query looks at its own partition only.
        self._partitions: dict[tuple[str | None, str], set[Key]] = {}

    def get(self, key: Key) -> Item | None:
        with self._lock:
            return copied(self._items.get(key))

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        with self._lock:
            return {key: copied(self._items[key]) for key in keys if key in self._items}

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
        if is_empty(between):
            return Page([])
        sort = "SK" if index is None else f"{index}SK"
        if start is not None:
            check_cursor(start, pk, index)

        def place(item: Mapping[str, Any]) -> tuple[str, str, str]:
            return item[sort], item["PK"], item["SK"]

        with self._lock:
            items = [self._items[key] for key in self._partitions.get((index, pk), ())]
            items = [item for item in items if _in_range(item[sort], prefix, between)]
            items.sort(key=place, reverse=descending)
            if start is not None:
                mark = place(start)
                items = [item for item in items if (place(item) < mark if descending else place(item) > mark)]
            taken = items if limit is None else items[:limit]
            more = cursor_of(taken[-1], index) if taken and len(taken) < len(items) else None
            return Page(copied(taken), more)

    def count(self, pk: str, prefix: str = "", *, index: str | None = None) -> int:
        sort = "SK" if index is None else f"{index}SK"
        with self._lock:
            keys = self._partitions.get((index, pk), ())
            return sum(self._items[key][sort].startswith(prefix) for key in keys)

    def write(self, *writes: Write) -> None:
        if not 1 <= len(writes) <= MAX_TRANSACTION_WRITES:
            raise ValueError(f"A transaction holds 1 to {MAX_TRANSACTION_WRITES} writes, not {len(writes)}.")
        keys = [_key(write) for write in writes]
        if len(set(keys)) < len(keys):
            raise ValueError("A transaction may name each key only once.")
        with self._lock:
            for position, (key, write) in enumerate(zip(keys, writes, strict=True)):
                self._require(position, key, write.condition)
            # Values are checked before the first change, so that a bad one leaves nothing half done.
            changes = [(key, self._result(key, write)) for key, write in zip(keys, writes, strict=True)]
            if any(item is not None and _too_large(item) for _, item in changes):
                raise ItemTooLargeError
            for key, item in changes:
                self._store(key, item)

    def update_returning(self, update: Update) -> Item:
        with self._lock:
            self.write(update)
            return copied(self._items[update.key])

    def write_many(self, writes: Sequence[Put | Delete]) -> None:
        if any(write.condition is not None for write in writes):
            raise ValueError("write_many takes unconditional writes only.")
        with self._lock:
            for write in writes:
                self.write(write)

    def _require(self, position: int, key: Key, condition: Condition | None) -> None:
        item = self._items.get(key)
        if condition is not None and not _holds(condition, item):
            raise ConditionFailedError(position, copied(item))

    def _result(self, key: Key, write: Write) -> Item | None:
        if isinstance(write, Put):
            return dict(normalised(dict(write.item)))
        if isinstance(write, Delete):
            return None
        if isinstance(write, Check):
            return self._items.get(key)
        return _updated(self._items.get(key), write)

    def _store(self, key: Key, item: Item | None) -> None:
        old = self._items.pop(key, None)
        if old is not None:
            for place in _places(old):
                self._partitions[place].discard(key)
        if item is not None:
            self._items[key] = item
            for place in _places(item):
                self._partitions.setdefault(place, set()).add(key)


def _key(write: Write) -> Key:
    return key_of(write.item) if isinstance(write, Put) else write.key


def _places(item: Item) -> list[tuple[str | None, str]]:
    places: list[tuple[str | None, str]] = [(None, item["PK"])]
    places += [(index, item[f"{index}PK"]) for index in INDEXES if {f"{index}PK", f"{index}SK"} <= item.keys()]
    return places


def _too_large(item: Item) -> bool:
    # A value counts for no more than eight times what its text is long, and the text is much faster made.
    return 8 * len(repr(item)) > MAX_ITEM_BYTES and bytes_of(item) > MAX_ITEM_BYTES


def _in_range(sort: str, prefix: str, between: tuple[str, str] | None) -> bool:
    return sort.startswith(prefix) and (between is None or between[0] <= sort <= between[1])


def _updated(item: Item | None, update: Update) -> Item:
    new: Item = dict(item) if item else {"PK": update.key[0], "SK": update.key[1]}
    before = set(new)
    new.update({name: normalised(value) for name, value in update.set.items()})
    for name, value in update.set_if_absent.items():
        if name not in before:
            new[name] = normalised(value)
    for name, amount in update.add.items():
        new[name] = normalised(new.get(name, 0) + amount)
    for name, members in update.add_to_set.items():
        new[name] = set(new.get(name, ())) | set(normalised(set(members)))
    for name, members in update.remove_from_set.items():
        new[name] = set(new.get(name, ())) - set(members)
        if not new[name]:
            del new[name]
    for name in update.remove:
        new.pop(name, None)
    return new


def _holds(condition: Condition, item: Item | None) -> bool:
    match condition:
        case Absent():
            return item is None
        case Present():
            return item is not None
        case Equals(attr, value):
            return item is not None and attr in item and _same(item[attr], value)
        case OneOf(attr, values):
            return item is not None and attr in item and any(_same(item[attr], value) for value in values)
        case AttributeAbsent(attr):
            return item is None or attr not in item
        case All(conditions=conditions):
            return all(_holds(each, item) for each in conditions)
        case AnyOf(conditions=conditions):
            return any(_holds(each, item) for each in conditions)


def _same(stored: Any, value: Any) -> bool:
    # True is not 1 in the database, though it is in Python.
    return isinstance(stored, bool) == isinstance(value, bool) and bool(stored == value)
