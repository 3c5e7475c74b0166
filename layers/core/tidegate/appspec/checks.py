"""Small helpers shared by the AppSpec's sections: collecting problems, telling what was found."""

from dataclasses import dataclass, field

from tidegate.appspec.errors import Problem
from tidegate.appspec.reader import Node, Scalar


@dataclass(slots=True)
class Findings:
    """Problems and warnings met so far."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def problem(self, message: str, path: str, found: "Node | None", expected: str, remedy: str) -> None:
        self.problems.append(Problem(message, path, describe(found), expected, remedy))

    def warn(self, path: str, sentence: str) -> None:
        self.warnings.append(f"{path}: {sentence}")


def describe(node: "Node | None") -> str:
    """Say in a few words what stands in the file."""
    if node is None:
        return "nothing"
    if isinstance(node, Scalar):
        if node.value is None:
            return "nothing"
        return repr(node.text) + ("" if node.plain else " (quoted)")
    if isinstance(node, dict):
        return f"a map with {len(node)} keys"
    return f"a list with {len(node)} entries"


def is_absent(node: "Node | None") -> bool:
    return node is None or (isinstance(node, Scalar) and node.value is None)


def text_of(node: "Node | None") -> str | None:
    """Give a scalar's text as written, trimmed; ``None`` for absent values, maps and lists."""
    if isinstance(node, Scalar) and node.value is not None:
        return node.text.strip()
    return None


def entries_of(node: "Node | None", path: str, findings: Findings) -> list[tuple[str, "dict[str, Node]"]]:
    """Give the maps of a list with their paths; whatever is not a list of maps is a problem."""
    if is_absent(node):
        return []
    if not isinstance(node, list):
        findings.problem(f"{path} must be a list", path, node, "a list of maps", "Begin each entry with '- '")
        return []
    entries = []
    for index, entry in enumerate(node):
        where = f"{path}[{index}]"
        if isinstance(entry, dict):
            entries.append((where, entry))
        else:
            findings.problem(
                f"{where} must be a map", where, entry, "a map of names to values", "See the AppSpec reference"
            )
    return entries


def leaves_folder(relative: str) -> bool:
    """Tell whether a path, read as relative to a folder, points outside of it."""
    depth = 0
    for part in relative.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            return True
    return False
