"""``tidegate decisions``: why a deployment did what it did, in plain sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate_cli.clients import TidegateClient, paged, tidegate, user_errors
from tidegate_cli.words import clock, epoch, iso, sentence_case

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Decision", "decision", "decisions", "decisions_of", "render"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict or a batch with its reason; the time is epoch seconds."""

    time: float | None
    kind: str
    code: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Return the decision for ``--json``."""
        return {"time": iso(self.time), "kind": self.kind, "code": self.code, "reason": self.reason}


def decision(item: Mapping[str, Any]) -> Decision:
    """Return one element of ListDecisions' ``decisions``."""
    return Decision(
        time=epoch(item.get("time")),
        kind=str(item.get("kind", "")),
        code=str(item.get("code", "")),
        reason=sentence_case(str(item.get("reason", ""))),
    )


def decisions_of(client: TidegateClient, deployment_id: str) -> list[Decision]:
    """Return the decisions of a deployment in the order in which they were made."""
    return [decision(item) for item in paged(client.list_decisions, "decisions", deploymentId=deployment_id)]


def render(rows: Iterable[Decision]) -> Table:
    """Return the decisions as a table: when, what, why."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for style in ("dim", "bold", ""):
        table.add_column(style=style, overflow="fold")
    for row in rows:
        table.add_row(clock(row.time), row.code or row.kind, row.reason)
    return table


def decisions(
    deployment: Annotated[str, typer.Argument(help="Id of the deployment, d-…")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what was decided in a deployment, when, and why."""
    from rich.console import Console

    with user_errors():
        rows = decisions_of(tidegate(), deployment)
        if as_json:
            typer.echo(json.dumps([row.as_json() for row in rows], indent=2))
        elif rows:
            Console().print(render(rows))
        else:
            typer.echo("Nothing was decided yet.")
