"""What moto answers, in less time: a local cloud spends most of its own on this.

moto looks for each member of an answer under all names that it might have, goes through every attribute of every item
in DynamoDB as through any structure, sorts the whole table for each Query, and copies it for each write of a
transaction. For each request it lists its own folders and the methods of a service, and for each execution it parses
the state machine.
Nothing is answered otherwise than without these patches.
"""

from __future__ import annotations

import copy
import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

#: An owner, the name of what it has, and what takes its place.
Replacement: TypeAlias = tuple[Any, str, Any]

_AS_IT_IS = frozenset({"S", "N", "BOOL", "NULL", "SS", "NS"})
_NAMES = "tidegate_names"


def install() -> None:
    """Put this into moto."""
    for owner, name, value in replacements():
        setattr(owner, name, value)


def replacements() -> Iterator[Replacement]:
    """What takes which place in moto, made of what stands there now."""
    yield _attributes()
    yield _names()
    yield _services()
    yield from _queries()
    yield from _transactions()
    yield _methods()
    yield _machines()


def _attributes() -> Replacement:
    from moto.core.serialize import BaseJSONSerializer

    original = BaseJSONSerializer._serialize_type_structure

    def serialize(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and key and is_json(value):
            self._default_serialize(serialized, value, shape, key)
        else:
            original(self, serialized, value, shape, key)

    return BaseJSONSerializer, "_serialize_type_structure", serialize


def is_json(value: Any) -> bool:
    """Whether an attribute value of DynamoDB is what its JSON is; binary values are not."""
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, inner),) = value.items()
    if kind in _AS_IT_IS:
        return True
    if kind == "M":
        return all(map(is_json, inner.values()))
    return bool(kind == "L") and all(map(is_json, inner))


def _names() -> Replacement:
    from moto.core.serialize import AttributePickerContext, ResponseSerializer, XFormedAttributePicker

    original = ResponseSerializer.get_value

    def names_of(picker: Any, key: str, shape: Any) -> tuple[str, ...]:
        # Of a dict, they depend on the member alone.
        known: dict[str, tuple[str, ...]] = vars(shape).setdefault(_NAMES, {})
        if key not in known:
            known[key] = tuple(picker.get_possible_keys(AttributePickerContext(obj={}, key=key, shape=shape)))
        return known[key]

    def get_value(self: Any, value: Any, key: str, shape: Any) -> Any:
        picker = self._value_picker
        if type(value) is not dict or type(picker) is not XFormedAttributePicker or picker.response_transformers:
            return original(self, value, key, shape)
        for name in names_of(picker, key, shape):
            if "." in name:
                return original(self, value, key, shape)
            if name in value:
                return value[name]
        return None

    return ResponseSerializer, "get_value", get_value


def _services() -> Replacement:
    """Which service a host is of is found once, not for each request by listing moto's folders."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    original: Callable[[Any, str | None], Any] = DomainDispatcherApplication.get_backend_for_host
    known: dict[str | None, Any] = {}

    def get_backend_for_host(self: Any, host: str | None) -> Any:
        if host not in known:
            known[host] = original(self, host)
        return known[host]

    return DomainDispatcherApplication, "get_backend_for_host", get_backend_for_host


def _queries() -> Iterator[Replacement]:
    """A Query of a table looks at the items of its partition alone; its result is sorted afterwards anyway."""
    from moto.dynamodb.models.table import Table

    original_query, original_items = Table.query, Table.all_items
    parameters = inspect.signature(original_query)
    asked = threading.local()  # the partition, or None, where a query is being answered

    def query(self: Any, *args: Any, **more: Any) -> Any:
        given = parameters.bind(self, *args, **more).arguments
        asked.partition = None if given.get("index_name") else given["hash_key"]
        try:
            return original_query(self, *args, **more)
        finally:
            del asked.partition

    def all_items(self: Any) -> list[Any]:
        if not hasattr(asked, "partition"):
            return list(original_items(self))
        if asked.partition is None:
            partitions = list(self.items.values())
        else:
            partitions = [self.items[asked.partition]] if asked.partition in self.items else []
        return [item for each in partitions for item in each.values()] if self.range_key_attr else partitions

    yield Table, "query", query
    yield Table, "all_items", all_items


def _transactions() -> Iterator[Replacement]:
    """A table is copied once for a transaction, before its first write: later copies would be the same."""
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.table import Table

    original = DynamoDBBackend.transact_write_items
    now = threading.local()  # the copies of the transaction that is being made

    def transact_write_items(self: Any, transact_items: Any) -> None:
        now.copies = {}
        try:
            original(self, transact_items)
        finally:
            del now.copies

    def deep_copy(self: Any, memo: dict[int, Any]) -> Any:
        copies = getattr(now, "copies", {})
        if id(self) not in copies:
            clazz: Any = type(self)
            made = copies[id(self)] = memo[id(self)] = clazz.__new__(clazz)
            vars(made).update(copy.deepcopy(vars(self), memo))
        return copies[id(self)]

    yield DynamoDBBackend, "transact_write_items", transact_write_items
    yield Table, "__deepcopy__", deep_copy


def _methods() -> Replacement:
    from moto.core import responses

    original = responses.method_names_from_class

    @functools.lru_cache(maxsize=256)
    def names_of(clazz: type, _members: int) -> list[str]:
        return list(original(clazz))

    def method_names_from_class(clazz: type) -> list[str]:
        # Adapters give a service operations that moto does not know.
        return names_of(clazz, sum(len(vars(each)) for each in clazz.__mro__))

    return responses, "method_names_from_class", method_names_from_class


def _machines() -> Replacement:
    """A state machine's text is parsed once; what is evaluated is made of it anew for each execution."""
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

    original = AmazonStateLanguageParser.parse

    @functools.lru_cache(maxsize=32)
    def tree_of(definition: str) -> Any:
        return original(definition)[1]

    def parse(definition: str) -> tuple[Any, Any]:
        tree = tree_of(definition)
        return Preprocessor().visit(tree), tree

    return AmazonStateLanguageParser, "parse", staticmethod(parse)
