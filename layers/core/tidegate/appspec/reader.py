"""YAML text to a plain tree, with YAML 1.1 scalars and without what a hostile file could use.

The tree keeps each scalar's own text beside its value, since the AppSpec's meaning sometimes hangs on
how a value was written (``mode: 0644`` is 420 to YAML 1.1 and 0644 to whoever wrote it).
"""

from dataclasses import dataclass
from typing import Any, Union

import yaml
from yaml.constructor import SafeConstructor
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

from tidegate.appspec.errors import AppSpecError, Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50
MAX_NODES = 100_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_RESOLVER: Any = Resolver()
_READ_AS_TEXT = {_TAG + "str", _TAG + "timestamp", _TAG + "value", _TAG + "merge"}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A YAML scalar: its text, its YAML 1.1 value, and whether it stood unquoted."""

    text: str
    value: bool | int | float | str | None
    plain: bool


Node = Union[Scalar, "dict[str, Node]", "list[Node]"]


def read_yaml(text: str) -> tuple[Node | None, list[str]]:
    """Read the first YAML document of a text.

    Returns
    -------
    tree : Node or None
        ``None`` when the text holds nothing.
    warnings : list of str

    Raises
    ------
    AppSpecError
        When it is not YAML, or uses what AppSpec files must not: aliases, anchors, duplicate keys,
        own tags, more than 1 MiB, or deep nesting.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise _refused(
            "the AppSpec file is too large", "(file)", f"{size} bytes", f"at most {MAX_BYTES}", "Make it shorter"
        )
    loader: Any = None
    try:
        loader = _LOADER(text)
        return _first_document(loader)
    except (yaml.YAMLError, UnicodeError) as error:
        raise _syntax_problem(error) from None
    finally:
        if loader is not None:
            loader.dispose()


def _first_document(loader: Any) -> tuple[Node | None, list[str]]:
    builder = _Builder()
    while True:
        event = loader.get_event()
        if isinstance(event, StreamEndEvent):
            return None, []
        if isinstance(event, DocumentEndEvent):
            break
        builder.take(event)
    warnings = []
    if not isinstance(loader.peek_event(), StreamEndEvent):
        warnings.append("The file holds more than one YAML document; only the first is used.")
    return builder.root, warnings


class _Builder:
    """Builds the tree from parse events without recursion, so nesting cannot exhaust the stack."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[dict[str, Node] | list[Node]] = []
        self._keys: list[str | None] = []
        self._nodes = 0

    def take(self, event: Any) -> None:
        if isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._open.pop()
            self._keys.pop()
        elif isinstance(event, NodeEvent):
            self._refuse_risky(event)
            if isinstance(event, ScalarEvent):
                self._add(_scalar(event), event)
            elif isinstance(event, MappingStartEvent):
                self._open_container({}, event)
            elif isinstance(event, SequenceStartEvent):
                self._open_container([], event)

    def _open_container(self, container: "dict[str, Node] | list[Node]", event: Any) -> None:
        tag = event.tag
        if tag not in (None, "!", _TAG + "map", _TAG + "seq"):
            raise _refused("YAML tags are not allowed", _place(event), str(tag), "no tag", "Remove the tag")
        self._add(container, event)
        self._open.append(container)
        self._keys.append(None)
        if len(self._open) > MAX_DEPTH:
            found = f"more than {MAX_DEPTH} levels"
            raise _refused("nested too deeply", _place(event), found, "the AppSpec's three levels", "Flatten the file")

    def _add(self, node: Node, event: Any) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, list):
            parent.append(node)
            return
        key = self._keys[-1]
        if key is not None:
            parent[key] = node
            self._keys[-1] = None
            return
        if not isinstance(node, Scalar):
            raise _refused("a key must be text", _place(event), "a list or map", "a name", "Write a plain key")
        if node.text in parent:
            raise _refused(
                "a key is given twice", _place(event), repr(node.text), "each key once", "Merge or remove one of them"
            )
        self._keys[-1] = node.text

    def _refuse_risky(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _refused("too many values", _place(event), f"more than {MAX_NODES}", "fewer", "Shorten the file")
        if isinstance(event, AliasEvent) or event.anchor is not None:
            sign = "*" if isinstance(event, AliasEvent) else "&"
            raise _refused(
                "Unknown alias: YAML anchors and aliases are not allowed",
                _place(event),
                f"{sign}{event.anchor}",
                "the value itself",
                "Write the value out in each place",
            )


def _scalar(event: Any) -> Scalar:
    tag = event.tag
    if tag is None or tag == "!":
        tag = _RESOLVER.resolve(ScalarNode, event.value, event.implicit) if tag is None else _TAG + "str"
    plain = not event.style
    if tag in _READ_AS_TEXT:
        return Scalar(event.value, event.value, plain)
    node = ScalarNode(tag, event.value)
    try:
        return Scalar(event.value, _typed(tag, node), plain)
    except (ValueError, OverflowError, LookupError):
        raise _refused(
            "a value cannot be read", _place(event), repr(event.value), f"a {tag.rpartition(':')[2]}", "Quote it"
        ) from None


def _typed(tag: str, node: ScalarNode) -> bool | int | float | None:
    constructor: Any = SafeConstructor()
    if tag == _TAG + "null":
        return None
    if tag == _TAG + "bool":
        return bool(constructor.construct_yaml_bool(node))
    if tag == _TAG + "int":
        return int(constructor.construct_yaml_int(node))
    if tag == _TAG + "float":
        return float(constructor.construct_yaml_float(node))
    raise ValueError(tag)


def _place(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"


def _refused(message: str, path: str, found: str, expected: str, remedy: str) -> AppSpecError:
    return AppSpecError([Problem(message, path, found, expected, remedy)])


def _syntax_problem(error: Exception) -> AppSpecError:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else "(file)"
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
    return _refused(
        "the AppSpec file is not valid YAML",
        place,
        str(what),
        "YAML",
        "Check indentation, colons and quotes there",
    )
