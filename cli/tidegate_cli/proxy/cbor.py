"""Bodies of the protocol RPC v2 CBOR (Smithy: "Smithy RPC v2 CBOR protocol"), from and to what JSON holds."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import cbor2

from tidegate.api.errors import ApiError

__all__ = ["decoded", "encoded"]

_EPOCH_SECONDS = 1  # CBOR's tag of a time


def decoded(body: bytes) -> dict[str, Any]:
    """An input; times as epoch seconds.

    Raises
    ------
    ApiError
        ``SerializationException``: it is no CBOR map, more follows it, or it holds what no input can.
    """
    stream = io.BytesIO(body)
    try:
        value = _plain(cbor2.load(stream)) if body else {}
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError):
        raise ApiError("SerializationException", "The body is not CBOR that an input can be read from.") from None
    if not isinstance(value, dict) or stream.read(1):
        raise ApiError("SerializationException", "The body must be one CBOR map.")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a key that is no text")
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.timestamp()
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a {type(value).__name__}")


def encoded(shape: Any, value: Any) -> bytes:
    """An output as the service model describes it; as it is where there is no shape."""
    found: bytes = cbor2.dumps(_tagged(shape, value))
    return found


def _tagged(shape: Any, value: Any) -> Any:
    kind = shape.type_name if shape is not None and value is not None else ""
    if kind == "structure":
        return {name: _tagged(shape.members.get(name), each) for name, each in value.items()}
    if kind == "list":
        return [_tagged(shape.member, each) for each in value]
    if kind == "timestamp":
        return cbor2.CBORTag(_EPOCH_SECONDS, float(value))
    return value
