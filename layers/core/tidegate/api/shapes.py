"""Input checked against the service model, output cut to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.model import OperationModel, Shape

from tidegate.api.errors import ApiError
from tidegate.api.shape_errors import ALSO_REQUIRED, INVALID_BY_SHAPE, REQUIRED_BY_MEMBER, VARIANTS


def check_input(operation: OperationModel, body: Mapping[str, Any]) -> dict[str, Any]:
    """The input as the model describes it: nulls and unknown members gone, types, lengths and enums right.

    Of several faults the first kind counts: a wrong type, then a required member that is missing, then a text of the
    wrong length, characters or choice; within a kind the first one in the model's order.

    Raises
    ------
    ApiError
        ``SerializationException`` for a wrong type anywhere; else the modelled error that fits the first member at
        fault, or ``ValidationException`` where the operation models none.
    """
    shape = operation.input_shape
    if shape is None:
        return {}
    given: dict[str, Any] = _read(shape, body, "")
    constraints = _Constraints(operation)
    constraints.check_presence(shape, given)
    constraints.check_texts(shape, given, "")
    return given


def cut_output(operation: OperationModel, output: Mapping[str, Any]) -> dict[str, Any]:
    """The output's modelled members alone; times as epoch seconds with milliseconds."""
    shape = operation.output_shape
    return {} if shape is None else _shown(shape, output)


def _read(shape: Shape, value: Any, path: str) -> Any:
    reader = _READERS.get(shape.type_name)
    if reader is not None:
        return reader(shape, value, path)
    expected, fits = _SCALARS[shape.type_name]
    _expect(fits(value), expected, value, path)
    return value


def _structure(shape: Any, value: Any, path: str) -> dict[str, Any]:
    _expect(isinstance(value, dict), "an object", value, path)
    members = {name: value[name] for name in shape.members if value.get(name) is not None}
    return {name: _read(shape.members[name], each, _join(path, name)) for name, each in members.items()}


def _list(shape: Any, value: Any, path: str) -> list[Any]:
    _expect(isinstance(value, list), "a list", value, path)
    return [_read(shape.member, each, f"{path}[{position}]") for position, each in enumerate(value)]


def _map(shape: Any, value: Any, path: str) -> dict[str, Any]:
    _expect(isinstance(value, dict), "an object", value, path)
    return {key: _read(shape.value, each, _join(path, _named(key))) for key, each in value.items() if each is not None}


def _is_text(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    # JSON can spell half of a surrogate pair, which no encoding can.
    return value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e11


_READERS: Final[Mapping[str, Callable[[Any, Any, str], Any]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
}

_SCALARS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "string": ("a text of whole characters", _is_text),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("a whole number", _is_int),
    "long": ("a whole number", _is_int),
    "timestamp": ("a time in epoch seconds", _is_time),
}


def _expect(right: bool, expected: str, value: Any, path: str) -> None:
    if not right:
        where = f"'{path}'" if path else "The body"
        raise ApiError("SerializationException", f"{where} must be {expected}, not {_short(value)}.")


class _Constraints:
    """Presence, length, pattern and enum of every member of one operation's input."""

    def __init__(self, operation: OperationModel) -> None:
        self._modelled = frozenset(shape.name for shape in operation.error_shapes)
        self._more = ALSO_REQUIRED.get(operation.name, ())

    def check_presence(self, shape: Any, given: Mapping[str, Any]) -> None:
        """Every member that must be there is."""
        for name in [*shape.required_members, *self._more]:
            if given.get(name) in (None, "", []):
                raise self._missing(name, name)
        self._require_within(shape, given, "")

    def _require_within(self, shape: Any, value: Any, path: str) -> None:
        if shape.type_name == "structure":
            for name in shape.required_members if path else ():
                if value.get(name) in (None, "", []):
                    raise self._missing(name, _join(path, name))
            for name, each in value.items():
                self._require_within(shape.members[name], each, _join(path, name))
        elif shape.type_name == "list":
            for position, each in enumerate(value):
                self._require_within(shape.member, each, f"{path}[{position}]")

    def check_texts(self, shape: Any, value: Any, path: str) -> None:
        """Every text has its length, characters and choices."""
        if shape.type_name == "structure":
            for name, each in value.items():
                self.check_texts(shape.members[name], each, _join(path, name))
        elif shape.type_name == "list":
            for position, each in enumerate(value):
                self.check_texts(shape.member, each, f"{path}[{position}]")
        elif shape.type_name == "map":
            for key, each in value.items():
                self.check_texts(shape.key, key, path)
                self.check_texts(shape.value, each, _join(path, _named(key)))
        elif shape.type_name == "string":
            self._text(shape, value, path)

    def _missing(self, name: str, path: str) -> ApiError:
        return self._error(REQUIRED_BY_MEMBER.get(name), f"'{path}' is required; give it a value.")

    def _text(self, shape: Shape, value: str, path: str) -> None:
        facts = shape.metadata
        code = INVALID_BY_SHAPE.get(shape.name)
        longest = facts.get("max")
        if len(value) < facts.get("min", 0) or (longest is not None and len(value) > longest):
            span = f"{facts.get('min', 0)} to {longest} characters"
            raise self._error(code, f"'{path}' must have {span}, not {len(value)}: {_short(value)}.")
        pattern = facts.get("pattern")
        if pattern and not re.fullmatch(pattern, value):
            raise self._error(code, f"'{path}' must match {pattern}; this does not: {_short(value)}.")
        if "enum" in facts and value not in facts["enum"]:
            choices = ", ".join(facts["enum"])
            raise self._error(code, f"'{path}' must be one of {choices}; not {_short(value)}.")

    def _error(self, code: str | None, message: str) -> ApiError:
        fitting = (each for each in (code, VARIANTS.get(code or "")) if each in self._modelled)
        return ApiError(next(fitting, None) or "ValidationException", message)


def _shown(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        members = {name: value[name] for name in shape.members if value.get(name) is not None}
        return {name: _shown(shape.members[name], each) for name, each in members.items()}
    if shape.type_name == "list":
        return [_shown(shape.member, each) for each in value]
    if shape.type_name == "timestamp":
        return round(value, 3)
    return value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _named(key: str) -> str:
    """A map's key, which may be anything, short enough to stand in a message."""
    return key if len(key) <= 60 else f"{key[:57]}..."


def _short(value: Any) -> str:
    if isinstance(value, list | dict):
        # Never spelled out: it may be nested deeper than can be written.
        return f"a list of {len(value)}" if isinstance(value, list) else f"an object of {len(value)} members"
    text = repr(value[:200] if isinstance(value, str) else value)
    return text if len(text) <= 120 else f"{text[:117]}..."
