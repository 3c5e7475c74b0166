"""JSON text to the same plain tree that YAML gives, under the same limits."""

import json
from typing import Any

from tidegate.appspec.errors import AppSpecError, Problem
from tidegate.appspec.reader import MAX_BYTES, MAX_DEPTH, MAX_NODES, Node, Scalar, read_yaml


def read_appspec(text: str) -> tuple[Node | None, list[str]]:
    """Read an AppSpec that may be YAML or JSON: what begins with a brace and is JSON is read as JSON.

    Returns
    -------
    tree : Node or None
        ``None`` when the text holds nothing.
    warnings : list of str

    Raises
    ------
    AppSpecError
        As :func:`tidegate.appspec.reader.read_yaml`.
    """
    if not text.lstrip("\ufeff \t\r\n").startswith("{") or len(text) > MAX_BYTES:
        return read_yaml(text)
    try:
        found = _DECODER.decode(text.lstrip("\ufeff \t\r\n"))
    except RecursionError:
        raise AppSpecError([_DEEP]) from None
    except ValueError:
        # JSON with comments, say, or YAML in flow style.
        return read_yaml(text)
    return _Converter().node(found, 0), []


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        problem = Problem("a key is given twice", "(file)", repr(twice), "each key once", "Merge or remove one of them")
        raise AppSpecError([problem])
    return found


def _number(text: str) -> Scalar:
    if len(text) > 30:
        raise ValueError(text)
    return Scalar(text, float(text) if set(text) & set(".eE") else int(text), True)


def _no_number(text: str) -> Scalar:
    raise ValueError(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_number, parse_float=_number, parse_constant=_no_number)

_DEEP = Problem(
    "nested too deeply", "(file)", f"more than {MAX_DEPTH} levels", "the AppSpec's few levels", "Flatten the file"
)
_MANY = Problem("too many values", "(file)", f"more than {MAX_NODES}", "fewer", "Shorten the file")


class _Converter:
    """Counts as it goes, so that neither depth nor number grows without bounds."""

    def __init__(self) -> None:
        self._nodes = 0

    def node(self, value: Any, depth: int) -> Node:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise AppSpecError([_DEEP])
        if self._nodes > MAX_NODES:
            raise AppSpecError([_MANY])
        if isinstance(value, dict):
            return {key: self.node(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list):
            return [self.node(each, depth + 1) for each in value]
        if isinstance(value, Scalar):
            return value
        if isinstance(value, str):
            return Scalar(value, value, False)
        return Scalar("null" if value is None else str(value).lower(), value, True)
