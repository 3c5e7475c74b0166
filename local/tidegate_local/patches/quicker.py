"""What moto answers, in less time: a local cloud spends most of its own on this.

moto looks for each member of an answer under all names that it might have, goes through every attribute of every item
in DynamoDB as through any structure, and sorts the whole table for each Query. For each request it lists its own
folders and the methods of a service, and for each execution it parses the state machine.
Nothing is answered otherwise than without these patches.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

_AS_IT_IS = frozenset({"S", "N", "BOOL", "NULL", "SS", "NS"})
_NAMES = "tidegate_names"


def install() -> None:
    """Put this into moto."""
    _patch_attributes()
    _patch_names()
    _patch_services()
    _patch_queries()
    _patch_methods()
    _patch_machines()


def _patch_attributes() -> None:
    from moto.core.serialize import BaseJSONSerializer

    original = BaseJSONSerializer._serialize_type_structure

    def serialize(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and key and is_json(value):
            self._default_serialize(serialized, value, shape, key)
        else:
            original(self, serialized, value, shape, key)

    BaseJSONSerializer._serialize_type_structure = serialize


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


def _patch_names() -> None:
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

    ResponseSerializer.get_value = get_value


def _patch_services() -> None:
    """Which service a host is of is found once, not for each request by listing moto's folders."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    original: Callable[[Any, str | None], Any] = DomainDispatcherApplication.get_backend_for_host
    known: dict[str | None, Any] = {}

    def get_backend_for_host(self: Any, host: str | None) -> Any:
        if host not in known:
            known[host] = original(self, host)
        return known[host]

    DomainDispatcherApplication.get_backend_for_host = get_backend_for_host


def _patch_queries() -> None:
    """A Query of a table looks at the items of its partition alone; its result is sorted afterwards anyway."""
    from moto.dynamodb.models.table import Table

    original = Table.query
    parameters = inspect.signature(original)

    def query(self: Any, *args: Any, **more: Any) -> Any:
        given = parameters.bind(self, *args, **more).arguments
        # moto asks the table for all its items; each request has the tables for itself (dynamodb.LOCK).
        self.all_items = (
            partial(_unsorted, self) if given.get("index_name") else partial(_partition, self, given["hash_key"])
        )
        try:
            return original(self, *args, **more)
        finally:
            del self.all_items

    Table.query = query


def _partition(table: Any, hash_key: Any) -> list[Any]:
    found = table.items.get(hash_key)
    if found is None:
        return []
    return list(found.values()) if table.range_key_attr else [found]


def _unsorted(table: Any) -> list[Any]:
    if not table.range_key_attr:
        return list(table.items.values())
    return [item for partition in table.items.values() for item in partition.values()]


def _patch_methods() -> None:
    from moto.core import responses

    original = responses.method_names_from_class

    @functools.lru_cache(maxsize=256)
    def names_of(clazz: type, _members: int) -> list[str]:
        return list(original(clazz))

    # Adapters give a service operations that moto does not know.
    responses.method_names_from_class = lambda clazz: names_of(clazz, sum(len(vars(each)) for each in clazz.__mro__))


def _patch_machines() -> None:
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

    AmazonStateLanguageParser.parse = staticmethod(parse)
