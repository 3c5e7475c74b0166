"""The table port: keys, conditions and writes as values, and the few verbs a store needs.

Two twins implement it, :class:`tidegate.store.dynamodb.DynamoTable` and
:class:`tidegate.store.memory.MemoryTable`; one contract suite runs over both. Rules they share:

* an item is a dict with the string attributes ``PK`` and ``SK``; values are strings, numbers, booleans, ``None``,
  bytes, lists, dicts, and non-empty sets of strings, numbers or bytes;
* a number without a fraction comes back as ``int``, any other as ``float`` (the database has one number type);
* reads of the table itself are consistent, reads of an index are not;
* what a call returns is the caller's to change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from tidegate.store.errors import InvalidCursorError

Item: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
Cursor: TypeAlias = dict[str, str]

MAX_TRANSACTION_WRITES = 100
#: What an item may hold, its names counted (Amazon DynamoDB: "Quotas"), with room for what counting can't see.
MAX_ITEM_BYTES = 400 * 1024 - 1024


@dataclass(frozen=True, slots=True)
class Absent:
    """No item stands at the key."""


@dataclass(frozen=True, slots=True)
class Present:
    """An item stands at the key."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The item has the attribute, with this value."""

    attr: str
    value: Any


@dataclass(frozen=True, slots=True)
class OneOf:
    """The item has the attribute, with one of these values (at most 100)."""

    attr: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class AttributeAbsent:
    """The item lacks the attribute. Holds too where there is no item."""

    attr: str


@dataclass(frozen=True, slots=True, init=False)
class All:
    """Every one of the conditions holds."""

    conditions: tuple[Condition, ...]

    def __init__(self, *conditions: Condition) -> None:
        object.__setattr__(self, "conditions", conditions)


@dataclass(frozen=True, slots=True, init=False)
class AnyOf:
    """At least one of the conditions holds."""

    conditions: tuple[Condition, ...]

    def __init__(self, *conditions: Condition) -> None:
        object.__setattr__(self, "conditions", conditions)


Condition: TypeAlias = Absent | Present | Equals | OneOf | AttributeAbsent | All | AnyOf


@dataclass(frozen=True, slots=True)
class Put:
    """Write the whole item, in place of what stands at its key."""

    item: Mapping[str, Any]
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Change single attributes; an item that is not there is made.

    Attributes
    ----------
    set
        Attributes to write.
    add
        Numbers to add to number attributes (absent counts as 0).
    remove
        Attributes to take away.
    add_to_set, remove_from_set
        Members to put into, or take out of, set attributes. A set that becomes empty is gone.
    set_if_absent
        Attributes to write only where the item lacks them.
    """

    key: Key
    set: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, int | float] = field(default_factory=dict)
    remove: Collection[str] = ()
    add_to_set: Mapping[str, Set[Any]] = field(default_factory=dict)
    condition: Condition | None = None
    remove_from_set: Mapping[str, Set[Any]] = field(default_factory=dict)
    set_if_absent: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        changes = (self.set, self.add, self.remove, self.add_to_set, self.remove_from_set, self.set_if_absent)
        if not any(changes):
            raise ValueError(f"The update of {self.key} changes nothing.")


@dataclass(frozen=True, slots=True)
class Delete:
    """Take the item away; one that is not there is fine."""

    key: Key
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Change nothing, but let the transaction through only where the condition holds."""

    key: Key
    condition: Condition


Write: TypeAlias = Put | Update | Delete | Check


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a query's answer; ``next`` is where to go on, ``None`` at the end.

    A page may be short or empty and still have a ``next``.
    """

    items: list[Item]
    next: Cursor | None = None


class Table(Protocol):
    """One table with the keys ``PK``/``SK`` and the sparse indexes ``GSI1`` and ``GSI2``."""

    def get(self, key: Key) -> Item | None:
        """Read one item, consistently."""

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Read many items, consistently; keys without an item are left out."""

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
        """Read the items of one partition in the order of their sort key.

        Parameters
        ----------
        prefix
            Only sort keys that begin so.
        between
            Only sort keys from the first to the second, both included; not together with ``prefix``. A range that
            begins after its end finds nothing.
        limit
            At most so many items; ``None`` reads to the end.
        start
            Go on after this position (``Page.next``, or :func:`cursor_of` of an item).

        Raises
        ------
        InvalidCursorError
            ``start`` belongs to another partition or index.
        """

    def count(self, pk: str, prefix: str = "", *, index: str | None = None) -> int:
        """How many items a query would find, without reading what they hold."""

    def write(self, *writes: Write) -> None:
        """Do one write as one call, several as one transaction: all of them or none.

        Raises
        ------
        ConditionFailedError
            Nothing was written; names the first write whose condition did not hold.
        ItemTooLargeError
            Nothing was written; an item would be larger than ``MAX_ITEM_BYTES``.
        TableBusyError
            Conflicts or throttling outlasted the retries; nothing was written.
        """

    def update_returning(self, update: Update) -> Item:
        """Do one update and return the whole item as it is after it."""

    def write_many(self, writes: Sequence[Put | Delete]) -> None:
        """Do many unconditional writes, in batches and not as a transaction.

        Of several writes to one key the last one counts. Safe to repeat after an error.
        """


def key_of(item: Mapping[str, Any]) -> Key:
    """Key of an item."""
    return item["PK"], item["SK"]


def cursor_of(item: Mapping[str, Any], index: str | None = None) -> Cursor:
    """Position just behind ``item`` in a query of the table or of ``index``."""
    return {name: item[name] for name in cursor_names(index)}


def cursor_names(index: str | None) -> tuple[str, ...]:
    """Names of the attributes that make up a position."""
    return ("PK", "SK") if index is None else ("PK", "SK", f"{index}PK", f"{index}SK")


def check_cursor(cursor: Cursor, pk: str, index: str | None) -> None:
    """Refuse a position made for another query: it may come from outside."""
    names = cursor_names(index)
    whole = set(cursor) == set(names) and all(isinstance(value, str) for value in cursor.values())
    if not whole or cursor["PK" if index is None else f"{index}PK"] != pk:
        raise InvalidCursorError("The paging position does not belong to this query.")


def is_empty(between: tuple[str, str] | None) -> bool:
    """Whether a range begins after its end; the database would refuse to look."""
    return between is not None and between[0] > between[1]


def sort_time(seconds: float) -> str:
    """Epoch seconds as the sort keys hold them: fixed width, so that text order is time order.

    >>> sort_time(1764000000.5)
    '01764000000.500'
    """
    return f"{seconds:015.3f}"


def time_span(earliest: float | None, latest: float | None) -> tuple[str, str]:
    """The range of sort keys that begin with a time (epoch seconds; both included, None: open) and ``#``.

    >>> time_span(1764000000.5, None)
    ('01764000000.500', '99999999999.999$')
    """
    # "$" follows "#": what stands behind the latest time is included.
    return sort_time(earliest or 0), sort_time(99999999999.999 if latest is None else latest) + "$"
