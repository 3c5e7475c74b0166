"""``tidegate report``: which revision went to which host, when, by which deployment, with what result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate_cli.clients import TidegateClient, UserError, codedeploy, paged, tidegate, user_errors
from tidegate_cli.output import console
from tidegate_cli.words import clock, duration, epoch, iso, revision_text

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Installation", "installation", "installations_of", "render", "report"]


@dataclass(frozen=True, slots=True)
class Installation:
    """One revision that one deployment put on one host; times are epoch seconds."""

    target_id: str
    deployment_id: str
    application: str
    group: str
    revision: str
    result: str
    started: float | None
    ended: float | None

    @property
    def seconds(self) -> float | None:
        """How long the host was at it."""
        return None if self.started is None or self.ended is None else self.ended - self.started

    def as_json(self) -> dict[str, Any]:
        """Return the installation for ``--json``."""
        return {
            "targetId": self.target_id,
            "deploymentId": self.deployment_id,
            "applicationName": self.application,
            "deploymentGroupName": self.group,
            "revision": self.revision,
            "result": self.result,
            "startTime": iso(self.started),
            "endTime": iso(self.ended),
        }


def installation(item: Mapping[str, Any], target_id: str = "") -> Installation:
    """Return one element of ListInstallations' ``installations``; `target_id` where the answer leaves it out."""
    return Installation(
        target_id=str(item.get("targetId") or target_id),
        deployment_id=str(item.get("deploymentId", "")),
        application=str(item.get("applicationName", "")),
        group=str(item.get("deploymentGroupName", "")),
        revision=revision_text(item.get("location")),
        result=str(item.get("result", "")),
        started=epoch(item.get("startTime")),
        ended=epoch(item.get("endTime")),
    )


def installations_of(client: TidegateClient, *, deployment: str = "", host: str = "") -> list[Installation]:
    """Return what a deployment put on hosts, or what a host was given, oldest first."""
    request = {"deploymentId": deployment} if deployment else {"targetId": host}
    found = [installation(item, host) for item in paged(client.list_installations, "installations", **request)]
    return sorted(found, key=lambda one: (one.started or 0.0, one.target_id))


def render(rows: Iterable[Installation], names: Mapping[str, str] | None = None) -> Table:
    """Return the report as a table; `names` gives hosts names to show for their ids."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("Host", "Revision", "Deployment", "Result", "Started", "Took"):
        table.add_column(column, justify="right" if column == "Took" else "left", overflow="fold")
    for row in rows:
        table.add_row(
            (names or {}).get(row.target_id, row.target_id),
            row.revision,
            row.deployment_id,
            Text(row.result, "green" if row.result == "Succeeded" else "red"),
            clock(row.started),
            duration(row.seconds),
        )
    return table


def report(
    deployment: Annotated[str, typer.Option(help="Only what this deployment did.")] = "",
    host: Annotated[str, typer.Option(help="Only what happened on this host.")] = "",
    last: Annotated[int, typer.Option(min=1, help="Without the two: how many deployments.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which revision went to which host, when, by which deployment, with what result."""
    with user_errors():
        if deployment and host:
            raise UserError("--deployment and --host exclude each other: give one of them")
        client = tidegate()
        if deployment or host:
            rows = installations_of(client, deployment=deployment, host=host)
        else:
            newest = list(islice(paged(codedeploy().list_deployments, "deployments"), last))
            rows = [row for one in reversed(newest) for row in installations_of(client, deployment=one)]
        if as_json:
            typer.echo(json.dumps([row.as_json() for row in rows], indent=2))
        elif rows:
            console().print(render(rows))
        else:
            typer.echo("Nothing was installed.")
