"""Which values the table holds, and in which form they come back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Set
from decimal import Decimal
from typing import Any


def normalised(value: Any) -> Any:
    """Copy of a value as a read would return it.

    Numbers without a fraction become ``int``, tuples lists, any set a ``set``.

    Raises
    ------
    TypeError
        The database has no such value: another type, a number that is not finite, an empty set, a key that is not text.
    """
    return _walk(value, _plain_number)


def storable(value: Any) -> Any:
    """Like :func:`normalised`, with every number as the ``Decimal`` that the serializer wants."""
    return _walk(value, lambda number: Decimal(repr(number)) if isinstance(number, float) else number)


def bytes_of(value: Any) -> int:
    """About how many bytes the database counts for a value, names of attributes among them."""
    if isinstance(value, Mapping):
        return 3 + sum(1 + bytes_of(name) + bytes_of(each) for name, each in value.items())
    if isinstance(value, list | tuple | Set):
        return 3 + sum(1 + bytes_of(each) for each in value)
    if isinstance(value, str):
        return len(value.encode())
    return len(value) if isinstance(value, bytes) else 21


def _walk(value: Any, number: Callable[[float | Decimal], Any]) -> Any:
    if value is None or isinstance(value, str | bool | bytes):
        return value
    if isinstance(value, int | float | Decimal):
        if not math.isfinite(value):
            raise TypeError(f"The table holds finite numbers only, not {value!r}.")
        return number(value)
    if isinstance(value, Mapping):
        return {_name(key): _walk(each, number) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(each, number) for each in value]
    if isinstance(value, Set):
        if not value:
            raise TypeError("The table holds no empty sets.")
        return {_walk(each, number) for each in value}
    raise TypeError(f"The table holds no {type(value).__name__}: {value!r}.")


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"The table names attributes by text, not by {key!r}.")
    return key


def _plain_number(number: float | Decimal) -> int | float:
    return int(number) if number == int(number) else float(number)
