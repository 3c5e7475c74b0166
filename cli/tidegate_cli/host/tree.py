"""A plan as people read it: one tree of paths, then what is in the way, then what runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from tidegate_cli.host.text import readable
from tidegate_cli.output import console
from tidegate_runner.door import Collision, InstallPlan, PlannedScripts
from tidegate_runner.order import Order

__all__ = ["render"]

_MARKS = {
    "created": ("+", "green"),
    "changed": ("~", "yellow"),
    "kept": ("=", "dim"),
    "deleted": ("-", "red"),
    "in the way": ("!", "bold magenta"),
}


@dataclass(slots=True)
class _Node:
    what: str = ""
    children: dict[str, _Node] = field(default_factory=dict)


def render(order: Order, plan: InstallPlan, warnings: Iterable[str]) -> None:
    """Print a plan; the tree has colours on a terminal, marks everywhere."""
    out = console()
    counts = {"created": plan.created, "changed": plan.changed, "kept": plan.kept, "deleted": plan.deleted}
    root = _Node()
    for what, paths in counts.items():
        for path in paths:
            _add(root, path, what)
    for collision in plan.collisions:
        _add(root, collision.path, "in the way")
    if root.children:
        out.print(_tree(root))
    sums = ", ".join(f"{len(paths)} {what}" for what, paths in counts.items())
    out.print(f"Files and directories: {sums}.")
    _print_collisions(out, plan.collisions)
    _print_scripts(out, order, plan.scripts)
    for warning in warnings:
        out.print(Text(readable(f"Warning: {warning}"), "yellow"), soft_wrap=True)
    if plan.failed_event:
        out.print(Text(readable(f"{plan.failed_event} would fail: {plan.failure}"), "red"), soft_wrap=True)


def _add(root: _Node, path: str, what: str) -> None:
    node = root
    for part in path.strip("/").split("/"):
        node = node.children.setdefault(part, _Node())
    node.what = what


def _tree(root: _Node) -> Tree:
    tree = Tree("/")
    waiting = [(root, tree)]
    while waiting:  # not recursive: paths may be deeper than Python's stack likes
        node, branch = waiting.pop()
        for first, inner in sorted(node.children.items()):
            name, child = _joined(first, inner)
            waiting.append((child, branch.add(_label(name, child))))
    return tree


def _joined(name: str, node: _Node) -> tuple[str, _Node]:
    """Give a run of directories that hold one thing each, and are not touched, one line."""
    while not node.what and len(node.children) == 1:
        inner, node = next(iter(node.children.items()))
        name = f"{name}/{inner}"
    return name, node


def _label(name: str, node: _Node) -> Text:
    shown = readable(name) + ("/" if node.children else "")
    if not node.what:
        return Text(shown)
    mark, style = _MARKS[node.what]
    return Text(f"{mark} {shown}", style)


def _print_collisions(out: Console, collisions: list[Collision]) -> None:
    if not collisions:
        return
    out.print(Text(f"In the way ({len(collisions)}):", "bold"))
    for collision in collisions:
        needed = f", where a {collision.needed} is needed" if collision.needed == "directory" else ""
        out.print(Text(readable(f"  ! {collision.path}{needed}: owned by {collision.owner}")), soft_wrap=True)


def _print_scripts(out: Console, order: Order, planned: list[PlannedScripts]) -> None:
    runs = [one for one in planned if one.scripts]
    out.print(Text("Scripts:", "bold") if runs else "Scripts: none.")
    for one in runs:
        older = "" if one.deployment_id == order.deployment_id else f"  (of deployment {one.deployment_id})"
        out.print(Text(f"  {one.event}{older}"))
        for script in one.scripts:
            user = f" as {script['runas']}" if script.get("runas") else ""
            sudo = " with sudo" if script.get("sudo") else ""
            out.print(
                Text(readable(f"    {script['location']}{user}{sudo}, at most {script['timeout']} s")), soft_wrap=True
            )
