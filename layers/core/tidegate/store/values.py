"""Which values the table holds, and in which form they come back."""

from __future__ import annotations

import marshal
import math
from collections.abc import Callable, Mapping, Set
from decimal import Decimal
from typing import Any, Final

# Most of a table's values are of the types that stand first; a look at them costs little.
_AS_THEY_ARE: Final = (str, bool, bytes)
_NUMBERS: Final = (int, float, Decimal)
_LISTS: Final = (list, tuple)
_MAPS: Final = (dict, Mapping)
_PLAIN: Final = frozenset({str, bool, bytes, int, type(None)})
_NO_REFERENCES: Final = 2  # the format in which a text that stands twice is written twice


def normalised(value: Any) -> Any:
    """Copy of a value as a read would return it.

    Numbers without a fraction become ``int``, tuples lists, any set a ``set``, enumerated text plain text.

    Raises
    ------
    TypeError
        The database has no such value: another type, a number that is not finite, an empty set, a key that is not text.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is float and math.isfinite(value):
        return int(value) if value.is_integer() else value
    if kind is dict:
        return {
            name if type(name) is str else _name(name): each if type(each) in _PLAIN else normalised(each)
            for name, each in value.items()
        }
    if kind is list:
        return [each if type(each) in _PLAIN else normalised(each) for each in value]
    return _walk(value, _plain_number)


def storable(value: Any) -> Any:
    """Like :func:`normalised`, with every number as the ``Decimal`` that the serializer wants."""
    return _walk(value, lambda number: Decimal(repr(number)) if isinstance(number, float) else number)


def packed(value: Any) -> bytes:
    """A normalised value as bytes, from which :func:`unpacked` makes a copy; much faster than to copy it part by part.

    They are more than a 24th of what the database counts for it: a truth value is one byte, and counts as 22.
    """
    return marshal.dumps(value, _NO_REFERENCES)


def unpacked(value: bytes) -> Any:
    """The value in what :func:`packed` made."""
    return marshal.loads(value)  # noqa: S302 - it is this process's own


def bytes_of(value: Any) -> int:
    """About how many bytes the database counts for a normalised value, names of attributes among them."""
    kind = type(value)
    if kind is str:
        return len(value) if value.isascii() else len(value.encode())
    if kind is dict:
        return 3 + sum([1 + bytes_of(name) + bytes_of(each) for name, each in value.items()])
    if kind is list or kind is set:
        return 3 + sum([1 + bytes_of(each) for each in value])
    return len(value) if kind is bytes else 21


def _walk(value: Any, number: Callable[[float | Decimal], Any]) -> Any:
    if value is None or isinstance(value, _AS_THEY_ARE):
        return str.__str__(value) if isinstance(value, str) else value
    if isinstance(value, _NUMBERS):
        if not math.isfinite(value):
            raise TypeError(f"The table holds finite numbers only, not {value!r}.")
        return number(value)
    if isinstance(value, _LISTS):
        return [_walk(each, number) for each in value]
    if isinstance(value, _MAPS):
        return {_name(key): _walk(each, number) for key, each in value.items()}
    if isinstance(value, Set):
        if not value:
            raise TypeError("The table holds no empty sets.")
        return {_walk(each, number) for each in value}
    raise TypeError(f"The table holds no {type(value).__name__}: {value!r}.")


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"The table names attributes by text, not by {key!r}.")
    return str.__str__(key)


def _plain_number(number: float | Decimal) -> int | float:
    return int(number) if number == int(number) else float(number)
