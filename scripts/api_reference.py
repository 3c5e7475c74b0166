"""Write ``docs/api.md`` from the code: the service models, the table of operations and what is said beside them.

``make docs`` runs this; with ``--check`` it only tells whether the file is up to date.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any, Final

from botocore.model import OperationModel, ServiceModel

from tidegate.api import service_models
from tidegate.api.operations import OPERATIONS
from tidegate.api.paging import LOOKED_AT, PAGE_SIZE
from tidegate.api.reference import DIFFERENCES, NEVER
from tidegate.api.shape_errors import ALSO_REQUIRED
from tidegate.store import applications, configs, groups

INTRODUCTION: Final = Path(__file__).with_suffix(".md")
PAGE: Final = Path(__file__).parents[1] / "docs" / "api.md"
SERVICES: Final = (
    (service_models.CODEDEPLOY_TARGET, service_models.codedeploy(), "AWS CodeDeploy's operations"),
    (service_models.TIDEGATE_TARGET, service_models.tidegate(), "Tidegate's own operations"),
)
VALUES: Final = {
    "codedeploy": service_models.CODEDEPLOY_TARGET,
    "tidegate": service_models.TIDEGATE_TARGET,
    "page_size": PAGE_SIZE,
    "looked_at": f"{LOOKED_AT:,}",
    "most_applications": f"{applications.MOST:,}",
    "most_groups": f"{groups.MOST:,}",
    "most_configs": f"{configs.MOST:,}",
}


def lines() -> Iterator[str]:
    """The page."""
    yield Template(INTRODUCTION.read_text(encoding="utf-8")).substitute(VALUES)
    for prefix, model, title in SERVICES:
        yield f"## {title}\n"
        there = sum((prefix, name) in OPERATIONS for name in model.operation_names)
        yield f"{there} of {len(model.operation_names)} are available in this version."
        yield "`*` marks what is required. Errors are named without their suffix `Exception`.\n"
        for name in model.operation_names:
            yield from operation(prefix, model, name)


def operation(prefix: str, service: ServiceModel, name: str) -> Iterator[str]:
    """The section of an operation."""
    model = service.operation_model(name)
    yield f"### {name}\n"
    run = OPERATIONS.get((prefix, name))
    if run is None:
        yield "Not available in this version: refused by `UnsupportedOperationException`.\n"
        return
    yield f"{summary(run, name)}\n"
    yield f"- Input: {members(model.input_shape, ALSO_REQUIRED.get(name, ()))}"
    yield f"- Output: {members(model.output_shape, ())}"
    if pages(model):
        yield f"- Pages: by `{pages(model)}`"
    yield from errors(model, name)
    differences = DIFFERENCES.get(name, ())
    if differences:
        yield "- Unlike AWS: " + " ".join(differences)
    yield ""


def summary(run: Any, name: str) -> str:
    """What the operation's own words say of it."""
    text = (inspect.getdoc(run) or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")
    said = text.removeprefix(name).lstrip(":.,; ")
    if text.startswith(f"{name}, "):
        said = said[0].upper() + said[1:]
    said = said or "As in AWS."
    return f"{said[0].upper()}{said[1:]}"


def members(shape: Any, more: tuple[str, ...]) -> str:
    """The members of a structure."""
    if shape is None or not shape.members:
        return "nothing"
    required = {*shape.required_members, *more}
    return ", ".join(f"`{name}`{'*' if name in required else ''}" for name in shape.members)


def pages(model: OperationModel) -> str:
    """The member that a token is given in, empty where there are no pages."""
    taken = set(model.input_shape.members) if model.input_shape else set()
    given = set(model.output_shape.members) if model.output_shape else set()
    return next((each for each in ("nextToken", "NextToken") if each in taken & given), "")


def errors(model: OperationModel, name: str) -> Iterator[str]:
    """Which errors can occur, and why others cannot."""
    modelled = [shape.name for shape in model.error_shapes]
    never = NEVER.get(name, {})
    possible = [short(each) for each in modelled if each not in never]
    yield f"- Errors: {', '.join(possible) or 'none of its own'}"
    by_reason: dict[str, list[str]] = {}
    for each in modelled:
        if each in never:
            by_reason.setdefault(never[each], []).append(short(each))
    for reason, names in by_reason.items():
        yield f"- Cannot occur: {', '.join(names)} ({reason})"


def short(error: str) -> str:
    """An error's name without its suffix."""
    return error.removesuffix("Exception")


def main() -> int:
    """Write the page, or tell that it is out of date (status 1)."""
    text = "\n".join(lines()).rstrip() + "\n"
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("docs/api.md is not what the code says. Remedy: make docs\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
