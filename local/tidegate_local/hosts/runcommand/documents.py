"""PURE: Command documents of schema 2.2, and what their parameters make of them.

Follows "SSM document syntax" and "Command document plugin reference" (aws:runShellScript) of the
Systems Manager user guide.
"""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tidegate_local.hosts.runcommand.errors import RunCommandError

_SHELL = "aws:runShellScript"
_DEFAULT_TIMEOUT = 3600
_MAX_TIMEOUT = 172_800
_ENDS = {"onFailure": "Failed", "onSuccess": "Success"}
_PLACE = re.compile(r"\{\{\s*([A-Za-z0-9_-]+)\s*\}\}")

#: AWS's own document for a few shell lines, as far as Linux goes.
RUN_SHELL_SCRIPT = {
    "schemaVersion": "2.2",
    "parameters": {
        "commands": {"type": "StringList"},
        "workingDirectory": {"type": "String", "default": ""},
        "executionTimeout": {"type": "String", "default": "3600", "allowedPattern": "[1-9][0-9]{0,5}"},
    },
    "mainSteps": [
        {
            "action": _SHELL,
            "name": _SHELL,
            "inputs": {
                "runCommand": "{{ commands }}",
                "workingDirectory": "{{ workingDirectory }}",
                "timeoutSeconds": "{{ executionTimeout }}",
            },
        }
    ],
}


@dataclass(frozen=True)
class Step:
    """One of a document's mainSteps, its parameters filled in.

    Attributes
    ----------
    timeout : seconds it may run
    ends : statuses of this step (``Success``, ``Failed``) after which no further step runs
    problem : why it cannot run here at all; it then fails, as on an agent that lacks the action
    """

    name: str
    action: str
    script: str
    timeout: float
    folder: str
    ends: frozenset[str]
    problem: str = ""


@dataclass(frozen=True)
class Document:
    """A document that was read: its parameters' rules, its steps as written."""

    parameters: Mapping[str, Mapping[str, Any]]
    steps: Sequence[Mapping[str, Any]]

    def resolve(self, given: Mapping[str, Sequence[str]]) -> list[Step]:
        """The steps to run, with every parameter checked and put in its places.

        Raises
        ------
        RunCommandError : ``InvalidParameters``; the text names the parameter
        """
        unknown = sorted(set(given) - set(self.parameters))
        if unknown:
            raise _invalid(f"parameter {unknown[0]!r} is not defined in the document")
        values = {name: _value(name, rule, given.get(name)) for name, rule in self.parameters.items()}
        return [_step(number, raw, values) for number, raw in enumerate(self.steps) if _wanted(raw)]


def parse_document(content: str | Mapping[str, Any]) -> Document:
    """Read a document's JSON or YAML; RunCommandError ``InvalidDocument`` when it has no steps to run."""
    try:
        raw = _loaded(content) if isinstance(content, str) else content
    except yaml.YAMLError as error:
        raise RunCommandError("InvalidDocument", f"the document is neither JSON nor YAML: {error}") from error
    version = str(raw.get("schemaVersion", "")) if isinstance(raw, Mapping) else ""
    if version != "2.2":
        raise RunCommandError("InvalidDocument", f"schemaVersion is {version!r}; only '2.2' can be run here")
    if not raw.get("mainSteps"):
        raise RunCommandError("InvalidDocument", "the document has no mainSteps")
    return Document(raw.get("parameters") or {}, raw["mainSteps"])


@functools.lru_cache(maxsize=32)
def _loaded(text: str) -> Any:
    # A document is sent many times, and nobody changes what was read.
    return yaml.safe_load(text)


def _value(name: str, rule: Mapping[str, Any], given: Sequence[str] | None) -> str | list[str]:
    is_list = rule.get("type") == "StringList"
    if given is None:
        if "default" not in rule:
            raise _invalid(f"parameter {name!r} has no default and was not given")
        default = rule["default"]
        return list(default) if is_list else str(default)
    values = [given] if isinstance(given, str) else [str(item) for item in given]
    if not is_list and len(values) != 1:
        raise _invalid(f"parameter {name!r} takes one value, {len(values)} were given")
    for value in values:
        _check(name, rule, value)
    return values if is_list else values[0]


def _check(name: str, rule: Mapping[str, Any], value: str) -> None:
    pattern = rule.get("allowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        raise _invalid(f"the value of parameter {name!r} does not match its allowedPattern {pattern}")
    allowed = rule.get("allowedValues")
    if allowed and value not in map(str, allowed):
        raise _invalid(f"the value of parameter {name!r} is not one of {', '.join(map(str, allowed))}")
    least, most = int(rule.get("minChars", 0)), int(rule.get("maxChars", len(value)))
    if not least <= len(value) <= most:
        raise _invalid(f"parameter {name!r} has {len(value)} characters; {least} to {most} are allowed")


def _wanted(raw: Mapping[str, Any]) -> bool:
    operands = (raw.get("precondition") or {}).get("StringEquals")
    return not operands or "platformType" not in operands or "Linux" in operands


def _step(number: int, raw: Mapping[str, Any], values: Mapping[str, str | list[str]]) -> Step:
    inputs = raw.get("inputs") or {}
    action = str(raw.get("action", ""))
    lines = _lines(inputs.get("runCommand", []), values)
    wait = _fill(str(inputs.get("timeoutSeconds", _DEFAULT_TIMEOUT)), values).strip() or str(_DEFAULT_TIMEOUT)
    if not wait.isdigit() or not 1 <= int(wait) <= _MAX_TIMEOUT:
        raise _invalid(f"timeoutSeconds of step {raw.get('name')!r} is {wait!r}; 1 to {_MAX_TIMEOUT} are allowed")
    wishes = {**raw, **inputs}
    ends = {status for key, status in _ENDS.items() if wishes.get(key) == "exit"}
    return Step(
        name=str(raw.get("name") or f"step{number}"),
        action=action,
        script="\n".join(lines) + "\n",
        timeout=float(wait),
        folder=_fill(str(inputs.get("workingDirectory", "")), values),
        ends=frozenset(ends),
        problem="" if action == _SHELL else f"local hosts run {_SHELL} only, this step is {action or 'nothing'}",
    )


def _lines(raw: str | Sequence[str], values: Mapping[str, str | list[str]]) -> list[str]:
    lines: list[str] = []
    for item in [raw] if isinstance(raw, str) else raw:
        whole = _PLACE.fullmatch(str(item).strip())
        value = values.get(whole[1]) if whole else None
        lines += value if isinstance(value, list) else [_fill(str(item), values)]
    return lines


def _fill(text: str, values: Mapping[str, str | list[str]]) -> str:
    def put(place: re.Match[str]) -> str:
        value = values.get(place[1], place[0])
        return json.dumps(value) if isinstance(value, list) else value

    return _PLACE.sub(put, text)


def _invalid(message: str) -> RunCommandError:
    return RunCommandError("InvalidParameters", message)
