"""What the AppSpecs of Lambda and ECS share: version, one resource, hooks; keys in either case."""

import re
from collections.abc import Sequence

from tidegate.appspec.checks import Findings, is_absent, text_of
from tidegate.appspec.errors import AppSpecError, Problem
from tidegate.appspec.json_reader import read_appspec
from tidegate.appspec.reader import Node, Scalar

Map = dict[str, Node]

_FUNCTION = re.compile(
    r"(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[A-Za-z0-9_-]{1,140}(:(\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)
_EMPTY = Problem(
    "the AppSpec is empty", "(file)", "nothing", "version and resources", "Write at least these two sections"
)


def read_sections(text: str, findings: Findings) -> Map:
    """The file's sections, by lower-case names; the version is checked.

    Raises
    ------
    AppSpecError
        Where the text is no map at all.
    """
    tree, warnings = read_appspec(text)
    findings.warnings += warnings
    if is_absent(tree):
        raise AppSpecError([_EMPTY])
    if not isinstance(tree, dict):
        findings.problem("the AppSpec must be a map", "(file)", tree, "version and resources", "Write these sections")
        raise AppSpecError(findings.problems)
    sections = lowered(tree, "", ("version", "resources", "hooks"), findings)
    _check_version(sections.get("version"), findings)
    return sections


def lowered(node: Map, path: str, known: Sequence[str], findings: Findings) -> Map:
    """A map by lower-case keys; one that is given in two cases is a problem, an unknown one a warning."""
    found: Map = {}
    names = {name.lower() for name in known}
    for key, value in node.items():
        name = key.lower()
        where = f"{path}.{key}" if path else key
        if name in found:
            findings.problem(f"{where} is given twice", where, value, "each key once, in one case", "Remove one")
        elif name not in names:
            findings.warn(where, f"not one of {', '.join(known)}; it is not used")
        else:
            found[name] = value
    return found


def only_resource(sections: Map, kind: str, properties: Sequence[str], findings: Findings) -> tuple[str, Map]:
    """Path and properties of the one resource, by lower-case names.

    Raises
    ------
    AppSpecError
        Where there is no such resource whose properties could be looked at.
    """
    node = sections.get("resources")
    if not isinstance(node, list) or len(node) != 1:
        message, shape = "resources must be a list with exactly one entry", "a list with one entry"
        raise _stopped(findings, message, "resources", node, shape, f"List the one {kind}")
    entry = node[0]
    if not isinstance(entry, dict) or len(entry) != 1:
        message = "a resource must be one name with a map"
        raise _stopped(findings, message, "resources[0]", entry, "a name", "Indent its map")
    ((label, body),) = entry.items()
    path = f"resources[0].{label}"
    if not isinstance(body, dict):
        remedy = "Indent them below the name"
        raise _stopped(findings, f"{path} must be a map", path, body, "Type and Properties", remedy)
    parts = lowered(body, path, ("Type", "Properties"), findings)
    given = text_of(parts.get("type")) or ""
    if given != kind:
        message, remedy = f"unsupported resource type ({given})", f"Write 'Type: {kind}'"
        findings.problem(message, f"{path}.Type", parts.get("type"), kind, remedy)
    values, where = parts.get("properties"), f"{path}.Properties"
    if not isinstance(values, dict):
        expected, remedy = ", ".join(properties), "Indent them below Properties"
        raise _stopped(findings, f"{where} must be a map", where, values, expected, remedy)
    return where, lowered(values, where, properties, findings)


def required_text(properties: Map, path: str, name: str, findings: Findings, remedy: str) -> str:
    """A property that must be there, as text; empty where it is not, which is then a problem."""
    node = properties.get(name.lower())
    text = text_of(node)
    if not text:
        findings.problem(f"{name} is missing", f"{path}.{name}", node, "a text", remedy)
    return text or ""


def hooks_of(sections: Map, events: Sequence[str], findings: Findings) -> dict[str, str]:
    """The functions that validate the deployment, by lifecycle event."""
    node = sections.get("hooks")
    if is_absent(node):
        return {}
    if not isinstance(node, list):
        findings.problem("hooks must be a list", "hooks", node, "entries 'Event: function'", "Begin each with '- '")
        return {}
    found: dict[str, str] = {}
    for position, entry in enumerate(node):
        path = f"hooks[{position}]"
        if not isinstance(entry, dict) or len(entry) != 1:
            findings.problem(f"{path} must be one event with a function", path, entry, "'Event: function'", "Split it")
            continue
        ((event, function),) = entry.items()
        _take_hook(found, f"{path}.{event}", event, function, events, findings)
    return found


def _take_hook(
    found: dict[str, str], path: str, event: str, node: Node, events: Sequence[str], findings: Findings
) -> None:
    name = text_of(node) or ""
    if event not in events:
        message = f"unknown lifecycle event ({event}) in hooks"
        findings.problem(message, path, node, ", ".join(events), "Use one of these events")
    elif event in found:
        findings.problem(f"the event {event} is given twice in hooks", path, node, "each event once", "Remove one")
    elif not _FUNCTION.fullmatch(name):
        findings.problem(f"{event} names no function", path, node, "a function's name or ARN", "Name a Lambda function")
    else:
        found[event] = name


def whole_number(node: Node | None) -> int | None:
    """A whole number, which may stand in quotes; ``None`` for anything else."""
    if not isinstance(node, Scalar) or isinstance(node.value, bool):
        return None
    if isinstance(node.value, int):
        return node.value
    return int(node.text) if re.fullmatch(r"[0-9]{1,9}", node.text, re.ASCII) else None


def _check_version(node: Node | None, findings: Findings) -> None:
    shown = text_of(node)
    # Clients that write JSON often quote it.
    if shown is None or not re.fullmatch(r"0(\.0+)?", shown):
        message = f"invalid version value ({shown or ''}) in the AppSpec"
        findings.problem(message, "version", node, "0.0", "Write 'version: 0.0'")


def _stopped(
    findings: Findings, message: str, path: str, node: Node | None, expected: str, remedy: str
) -> AppSpecError:
    findings.problem(message, path, node, expected, remedy)
    return AppSpecError(findings.problems)
