"""``permissions.context``: an SELinux user, type and range."""

import re

from tidegate.appspec.checks import Findings, is_absent, text_of
from tidegate.appspec.reader import Node

_SENSITIVITY = re.compile(r"s([0-9]{1,4})")
_CATEGORY = re.compile(r"c([0-9]{1,4})")
_HIGHEST_CATEGORY = 1023


def compile_context(path: str, node: "Node | None", findings: Findings) -> dict[str, str | None] | None:
    """Give ``{"user", "type", "range"}``, or ``None`` where there is none or a problem was noted."""
    if is_absent(node):
        return None
    entry = node if isinstance(node, dict) else {}
    kind = text_of(entry.get("type"))
    if not kind:
        message = "invalid context type: a context needs a type"
        findings.problem(message, f"{path}.type", entry.get("type"), "an SELinux type", "Add 'type'")
        return None
    written = text_of(entry.get("range"))
    checked = None
    if written is not None:
        try:
            checked = _range(written)
        except ValueError as error:
            where = f"{path}.range"
            findings.problem(str(error), where, entry.get("range"), "s#[-s#][:c#[.c#][,...]]", "Mend the range")
            return None
    return {"user": text_of(entry.get("name")), "type": kind, "range": checked}


def _range(text: str) -> str:
    """Check a range and write it in its shortest form."""
    parts = text.split(":")
    if len(parts) > 2:
        raise ValueError(f"invalid range part ({text})")
    sensitivities = [_number(_SENSITIVITY, part, "sensitivity", text) for part in parts[0].split("-")]
    if len(sensitivities) > 2 or sensitivities[0] > sensitivities[-1]:
        raise ValueError(f"invalid sensitivity range ({parts[0]})")
    shortest = "-".join(f"s{number}" for number in dict.fromkeys(sensitivities))
    if len(parts) == 1:
        return shortest
    return f"{shortest}:{_categories(parts[1])}"


def _categories(text: str) -> str:
    chosen: set[int] = set()
    for part in text.split(","):
        ends = [_number(_CATEGORY, end, "category", text) for end in part.split(".")]
        if len(ends) > 2 or ends[0] > ends[-1] or ends[-1] > _HIGHEST_CATEGORY:
            raise ValueError(f"invalid category range ({part})")
        members = set(range(ends[0], ends[-1] + 1))
        if chosen & members:
            raise ValueError(f"duplicate categories ({text})")
        chosen |= members
    return ",".join(_runs(sorted(chosen)))


def _runs(numbers: list[int]) -> list[str]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return [f"c{first}" if first == last else f"c{first}.c{last}" for first, last in runs]


def _number(form: re.Pattern[str], part: str, what: str, whole: str) -> int:
    match = form.fullmatch(part)
    if match is None:
        raise ValueError(f"invalid {what} ({part}) in range {whole}")
    return int(match.group(1))
