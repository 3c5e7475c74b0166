"""``tidegate watch``: a deployment as it goes, a row a host."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate_cli.clients import UserError, codedeploy, paged, user_errors
from tidegate_cli.deployment_view import DeploymentView, HostRow, changes, deployment_view, host_row
from tidegate_cli.output import console
from tidegate_cli.words import duration

if TYPE_CHECKING:
    from mypy_boto3_codedeploy import CodeDeployClient
    from rich.console import Console, RenderableType

__all__ = ["Watcher", "render", "show", "watch"]

TARGETS_A_CALL = 25
"""BatchGetDeploymentTargets takes no more."""

COLOURS = {
    "Succeeded": "green",
    "Failed": "red",
    "InProgress": "cyan",
    "Skipped": "yellow",
    "Stopped": "yellow",
    "Pending": "dim",
    "Created": "dim",
    "Queued": "dim",
}


class Watcher:
    """Looks at one deployment again and again, and asks only for what may have changed."""

    def __init__(self, client: CodeDeployClient, deployment_id: str, names: Mapping[str, str] | None = None) -> None:
        self._client = client
        self._id = deployment_id
        self._names = names or {}
        self._ended: dict[str, HostRow] = {}
        self._targets: list[str] = []
        self._minimum: Mapping[str, Any] | None = None
        self._config = ""

    def look(self, now: float) -> DeploymentView:
        """Return the deployment as it is; `now` is epoch seconds."""
        info: Mapping[str, Any] = self._client.get_deployment(deploymentId=self._id)["deploymentInfo"]
        config = str(info.get("deploymentConfigName") or "")
        if config and config != self._config:
            answer = self._client.get_deployment_config(deploymentConfigName=config)
            self._minimum = answer["deploymentConfigInfo"].get("minimumHealthyHosts")
            self._config = config
        # The targets of a deployment are resolved once, when it starts: none before that, all after it.
        if not self._targets and info.get("status") not in ("Created", "Queued"):
            self._targets = list(paged(self._client.list_deployment_targets, "targetIds", deploymentId=self._id))
        return deployment_view(info, self._rows(now), self._minimum, now)

    def _rows(self, now: float) -> list[HostRow]:
        asked = [target for target in self._targets if target not in self._ended]
        rows = list(self._ended.values())
        for first in range(0, len(asked), TARGETS_A_CALL):
            answer = self._client.batch_get_deployment_targets(
                deploymentId=self._id, targetIds=asked[first : first + TARGETS_A_CALL]
            )
            for target in answer.get("deploymentTargets", ()):
                row = host_row(target, self._names, now)
                rows.append(row)
                if row.ended:
                    self._ended[row.target_id] = row
        return rows

    def views(
        self,
        interval: float = 0.5,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[DeploymentView]:
        """Yield a view every `interval` seconds until the deployment has ended; the last one is its end."""
        while True:
            view = self.look(clock())
            yield view
            if view.ended:
                return
            sleep(interval)


def render(view: DeploymentView) -> RenderableType:
    """Return the view as a header, a progress bar and a table with a row a host."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    head = Text.assemble(
        (view.deployment_id, "bold"),
        "  ",
        (view.status, COLOURS.get(view.status, "")),
        f"  {view.revision}  {duration(view.seconds)}",
    )
    if view.rollback_of:
        head.append(f"  rolls back {view.rollback_of}", "yellow")
    minimum = "" if view.minimum is None else f", at least {view.minimum} must be"
    count = Text(f"healthy {view.healthy} of {view.total}{minimum}; done {view.done}  ")
    bar = Table.grid()
    bar.add_row(count, ProgressBar(total=max(view.total, 1), completed=view.done, width=30))
    table = Table(box=None, pad_edge=False)
    for column in ("Host", "Status", "Lifecycle event", "Elapsed", ""):
        table.add_column(column, justify="right" if column == "Elapsed" else "left", no_wrap=column != "")
    for row in view.rows:
        status = Text(row.status, COLOURS.get(row.status, ""))
        table.add_row(row.name, status, row.event, duration(row.seconds), Text(row.reason, "red"))
    parts: list[RenderableType] = [head, bar, table]
    if view.error_code:
        parts.append(Text(f"{view.error_code}: {view.error_message}", "red"))
    return Group(*parts)


def show(views: Iterator[DeploymentView], screen: Console) -> DeploymentView:
    """Show views as they come, live on a terminal and a line a change elsewhere; return the last one."""
    from rich.live import Live

    last: DeploymentView | None = None
    if screen.is_terminal:
        with Live(console=screen, refresh_per_second=8, transient=False) as live:
            for last in views:
                live.update(render(last))
    else:
        for view in views:
            for line in changes(last, view):
                screen.out(line, highlight=False)
            last = view
    if last is None:
        raise UserError("there was nothing to watch")
    return last


def watch(
    deployment: Annotated[str, typer.Argument(help="Id of the deployment, d-…")],
    as_json: Annotated[bool, typer.Option("--json", help="Print only the end, as JSON.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
) -> None:
    """Watch a deployment until it ends: exit status 0 when it succeeded, 1 when it did not."""
    with user_errors():
        views = Watcher(codedeploy(), deployment).views(interval)
        if as_json:
            last = list(views)[-1]
            typer.echo(json.dumps(last.as_json(), indent=2))
        else:
            last = show(views, console())
    if last.status != "Succeeded":
        raise typer.Exit(1)
