"""``tidegate decisions``: why a deployment did what it did, in plain sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate_cli.clients import TidegateClient, paged, tidegate, user_errors
from tidegate_cli.output import console
from tidegate_cli.words import clock, epoch, iso, sentence_case

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Decision", "decision", "decisions", "decisions_of", "named", "render"]


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


def render(rows: Iterable[Decision], names: Mapping[str, str] | None = None) -> Table:
    """Return the decisions as a table: when, what, why; `names` gives hosts names to show for their ids."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for style in ("dim", "bold", ""):
        table.add_column(style=style, overflow="fold")
    for row in rows:
        table.add_row(clock(row.time), row.code or row.kind, named(row.reason, names or {}))
    return table


def named(text: str, names: Mapping[str, str]) -> str:
    """Return `text` with hosts' names in the place of their ids.

    >>> named("i-1 failed, i-12 waits.", {"i-1": "host-1", "i-12": "host-2"})
    'host-1 failed, host-2 waits.'
    """
    return re.sub(r"\bm?i-[0-9a-f]+", lambda found: names.get(found[0], found[0]), text)


def decisions(
    deployment: Annotated[str, typer.Argument(help="Id of the deployment, d-…")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what was decided in a deployment, when, and why."""
    with user_errors():
        rows = decisions_of(tidegate(), deployment)
        if as_json:
            typer.echo(json.dumps([row.as_json() for row in rows], indent=2))
        elif rows:
            console().print(render(rows))
        else:
            typer.echo("Nothing was decided yet.")
