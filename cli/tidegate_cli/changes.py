"""``tidegate changes``: who changed what, when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate_cli.clients import TidegateClient, UserError, paged, tidegate, user_errors
from tidegate_cli.output import console
from tidegate_cli.words import epoch, iso

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Change", "change", "changes", "render"]


@dataclass(frozen=True, slots=True)
class Change:
    """One call that changed something; the time is epoch seconds."""

    time: float | None
    caller: str
    operation: str
    place: str
    deployment_id: str
    request_id: str
    parameters: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the change for ``--json``."""
        return {
            "time": iso(self.time),
            "caller": self.caller,
            "operation": self.operation,
            "place": self.place,
            "deploymentId": self.deployment_id,
            "requestId": self.request_id,
            "parameters": dict(self.parameters),
        }


def change(item: Mapping[str, Any]) -> Change:
    """Return one element of ListChanges' ``changes``."""
    place = "/".join(filter(None, (item.get("applicationName"), item.get("deploymentGroupName"))))
    return Change(
        time=epoch(item.get("time")),
        caller=str(item.get("caller", "")),
        operation=str(item.get("operation", "")),
        place=place,
        deployment_id=str(item.get("deploymentId", "")),
        request_id=str(item.get("requestId", "")),
        parameters=item.get("parameters") or {},
    )


def render(rows: Iterable[Change]) -> Table:
    """Return the changes as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("When (UTC)", "Who", "What", "Where", "Deployment"):
        table.add_column(column, overflow="fold")
    for row in rows:
        when = (iso(row.time) or "–").replace("T", " ")[:19]
        # Who and where come from callers: they are no markup.
        cells = (row.caller.rpartition(":")[2] or "unknown", row.operation, row.place, row.deployment_id)
        table.add_row(when, *map(Text, cells))
    return table


def _of_days(client: TidegateClient, days: int, today: datetime) -> Iterator[Any]:
    for back in range(days):
        yield from paged(client.list_changes, "changes", day=f"{today - timedelta(days=back):%Y-%m-%d}")


def changes(
    application: Annotated[str, typer.Option(help="Only the changes of this application.")] = "",
    caller: Annotated[str, typer.Option(help="Only the changes by this user or session (ARN).")] = "",
    days: Annotated[int, typer.Option(min=1, max=400, help="Without the two: of how many days, today included.")] = 7,
    last: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say who changed what, the newest first."""
    with user_errors():
        if application and caller:
            raise UserError("--application and --caller exclude each other: give one of them")
        client = tidegate()
        if application or caller:
            request = {"applicationName": application} if application else {"callerArn": caller}
            items = paged(client.list_changes, "changes", **request)
        else:
            items = _of_days(client, days, datetime.now(UTC))
        rows = [change(item) for item in islice(items, last)]
        if as_json:
            typer.echo(json.dumps([row.as_json() for row in rows], indent=2))
        elif rows:
            console().print(render(rows))
        else:
            typer.echo("Nothing was changed.")
