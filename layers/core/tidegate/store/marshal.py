"""Plain values and DynamoDB's typed ones."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

from tidegate.store.table import Item, Key
from tidegate.store.values import storable

_SERIALIZER = TypeSerializer()
_DESERIALIZER = TypeDeserializer()


def marshal_value(value: Any) -> Any:
    """A value in DynamoDB's typed form."""
    return _SERIALIZER.serialize(storable(value))


def marshal(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item in DynamoDB's typed form."""
    return {name: marshal_value(value) for name, value in item.items()}


def marshal_key(key: Key) -> dict[str, Any]:
    """A key in DynamoDB's typed form."""
    return {"PK": {"S": key[0]}, "SK": {"S": key[1]}}


def unmarshal(raw: Mapping[str, Any]) -> Item:
    """An item as the table port has it."""
    return {name: _plain(_DESERIALIZER.deserialize(value)) for name, value in raw.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Binary):
        binary: Any = value
        return bytes(binary.value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, set):
        return {_plain(each) for each in value}
    return value
