"""The table in memory: for tests, simulations and plans. Thread-safe; same rules as the real one."""

from __future__ import annotations

import sys
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

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
from tidegate.store.values import bytes_of, normalised, packed, unpacked

INDEXES = ("GSI1", "GSI2")
_INDEX_KEYS = tuple((index, f"{index}PK", f"{index}SK") for index in INDEXES)
_LAST = chr(sys.maxunicode)
# Sort key in the table or an index, and the item's own key: the order of a partition.
_Place: TypeAlias = tuple[str, str, str]


class MemoryTable:
    """A table that lives as long as the process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._items: dict[Key, Item] = {}
        self._packed: dict[Key, bytes] = {}  # the same items; a read makes its copy from these
        # (index or None, partition) -> places in order: a query looks at what it returns only.
        self._partitions: dict[tuple[str | None, str], list[_Place]] = {}

    def get(self, key: Key) -> Item | None:
        with self._lock:
            return self._read(key) if key in self._items else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        with self._lock:
            return {key: self._read(key) for key in keys if key in self._items}

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
        if start is not None:
            check_cursor(start, pk, index)
        with self._lock:
            places = self._partitions.get((index, pk), [])
            first, last = _range(places, prefix, between)
            if start is not None:
                mark = (start["SK" if index is None else f"{index}SK"], start["PK"], start["SK"])
                if descending:
                    last = min(last, bisect_left(places, mark))
                else:
                    first = max(first, bisect_right(places, mark))
            found = places[first:last]
            if descending:
                found.reverse()
            taken = found if limit is None else found[:limit]
            items = [self._read(place[1:]) for place in taken]
            return Page(items, cursor_of(items[-1], index) if items and len(taken) < len(found) else None)

    def count(self, pk: str, prefix: str = "", *, index: str | None = None) -> int:
        with self._lock:
            first, last = _range(self._partitions.get((index, pk), []), prefix, None)
            return last - first

    def write(self, *writes: Write) -> None:
        if not 1 <= len(writes) <= MAX_TRANSACTION_WRITES:
            raise ValueError(f"A transaction holds 1 to {MAX_TRANSACTION_WRITES} writes, not {len(writes)}.")
        keys = [_key(write) for write in writes]
        if len(keys) > 1 and len(set(keys)) < len(keys):
            raise ValueError("A transaction may name each key only once.")
        with self._lock:
            for position, write in enumerate(writes):
                if write.condition is not None:
                    self._require(position, keys[position], write.condition)
            # Values are checked before the first change, so that a bad one leaves nothing half done.
            changes: list[tuple[Key, Item | None, bytes]] = []
            for key, write in zip(keys, writes, strict=True):
                if isinstance(write, Check):
                    continue
                item = self._result(key, write)
                as_bytes = b"" if item is None else self._bytes(item)
                if item is not None and _too_large(item, as_bytes):
                    raise ItemTooLargeError
                changes.append((key, item, as_bytes))
            for change in changes:
                self._store(*change)

    def update_returning(self, update: Update) -> Item:
        with self._lock:
            self.write(update)
            return self._read(update.key)

    def write_many(self, writes: Sequence[Put | Delete]) -> None:
        if any(write.condition is not None for write in writes):
            raise ValueError("write_many takes unconditional writes only.")
        with self._lock:
            for write in writes:
                self.write(write)

    def _require(self, position: int, key: Key, condition: Condition) -> None:
        if not _holds(condition, self._items.get(key)):
            raise ConditionFailedError(position, self._read(key) if key in self._items else None)

    def _result(self, key: Key, write: Put | Update | Delete) -> Item | None:
        if isinstance(write, Put):
            return normalised(write.item)  # type: ignore[no-any-return]
        if isinstance(write, Delete):
            return None
        return _updated(self._items.get(key), write)

    def _store(self, key: Key, item: Item | None, as_bytes: bytes) -> None:
        old = self._items.get(key)
        if item is None:
            self._items.pop(key, None)
            self._packed.pop(key, None)
        else:
            self._items[key], self._packed[key] = item, as_bytes
        if not _moves(old, item):
            return
        for partition, place in _places(old):
            places = self._partitions[partition]
            del places[bisect_left(places, place)]
        for partition, place in _places(item):
            insort(self._partitions.setdefault(partition, []), place)

    def _bytes(self, item: Item) -> bytes:
        """What the copies of an item are made from."""
        return packed(item)

    def _read(self, key: Key) -> Item:
        """An item that is there, as a copy of the caller's own."""
        return unpacked(self._packed[key])  # type: ignore[no-any-return]


def _key(write: Write) -> Key:
    return key_of(write.item) if isinstance(write, Put) else write.key


def _moves(old: Item | None, new: Item | None) -> bool:
    """Whether an item stands in other places than before."""
    if old is None or new is None:
        return old is not new
    for _, partition, sort in _INDEX_KEYS:
        if old.get(partition) != new.get(partition) or old.get(sort) != new.get(sort):
            return True
    return False


def _places(item: Item | None) -> list[tuple[tuple[str | None, str], _Place]]:
    """Where an item stands: in the table, and in each index whose keys it has."""
    if item is None:
        return []
    key = key_of(item)
    places: list[tuple[tuple[str | None, str], _Place]] = [((None, key[0]), (key[1], *key))]
    for index, partition, sort in _INDEX_KEYS:
        if partition in item and sort in item:
            places.append(((index, item[partition]), (item[sort], *key)))
    return places


def _too_large(item: Item, as_bytes: bytes) -> bool:
    return 24 * len(as_bytes) > MAX_ITEM_BYTES and bytes_of(item) > MAX_ITEM_BYTES


def _range(places: Sequence[_Place], prefix: str, between: tuple[str, str] | None) -> tuple[int, int]:
    """Positions of the first place that a query names, and of the one behind the last."""
    first, last = 0, len(places)
    if prefix:
        first = bisect_left(places, (prefix,))
        last = bisect_left(places, (_behind(prefix),), lo=first)
    if between is not None:
        first = max(first, bisect_left(places, (between[0],)))
        last = min(last, bisect_right(places, between[1], key=lambda place: place[0]))
    return first, max(first, last)


def _behind(prefix: str) -> str:
    """The least text that is greater than all that begin with ``prefix``."""
    head = prefix.rstrip(_LAST)
    return head[:-1] + chr(ord(head[-1]) + 1) if head else _LAST * (len(prefix) + 1)


def _updated(item: Item | None, update: Update) -> Item:
    new: Item = dict(item) if item else {"PK": update.key[0], "SK": update.key[1]}
    absent = {name: value for name, value in update.set_if_absent.items() if name not in new}
    new.update(normalised(update.set))
    new.update(normalised(absent))
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
    return _CONDITIONS[type(condition)](condition, item)


def _equals(condition: Equals, item: Item | None) -> bool:
    return item is not None and condition.attr in item and _same(item[condition.attr], condition.value)


def _one_of(condition: OneOf, item: Item | None) -> bool:
    if item is None or condition.attr not in item:
        return False
    stored = item[condition.attr]
    return any(_same(stored, value) for value in condition.values)


# By type: to match them one after another would be much of what a write costs.
_CONDITIONS: dict[type, Callable[[Any, Item | None], bool]] = {
    Absent: lambda _, item: item is None,
    Present: lambda _, item: item is not None,
    Equals: _equals,
    OneOf: _one_of,
    AttributeAbsent: lambda condition, item: item is None or condition.attr not in item,
    All: lambda condition, item: all(_holds(each, item) for each in condition.conditions),
    AnyOf: lambda condition, item: any(_holds(each, item) for each in condition.conditions),
}


def _same(stored: Any, value: Any) -> bool:
    # True is not 1 in the database, though it is in Python.
    return isinstance(stored, bool) == isinstance(value, bool) and bool(stored == value)
