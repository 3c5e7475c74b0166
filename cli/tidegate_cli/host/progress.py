"""What ``tidegate host deploy`` shows people: an event a line while they run, then the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate_cli.host.options import Request
from tidegate_cli.host.text import readable, without_colours
from tidegate_cli.output import console
from tidegate_cli.words import duration
from tidegate_runner.door import EventResult
from tidegate_runner.order import Order
from tidegate_runner.paths import DeploymentPaths, HostPaths

if TYPE_CHECKING:
    from rich.status import Status

__all__ = ["Progress", "Silent"]

_STYLES = {"Succeeded": "green", "Failed": "red", "Skipped": "dim"}


class Silent:
    """Shows nothing."""

    def notify(self, result: EventResult) -> None:
        """Take note of how far an event is."""

    def close(self) -> None:
        """Stop showing what runs."""

    def conclude(self, results: Sequence[EventResult], succeeded: bool, host: HostPaths) -> None:
        """Say how it ended."""


class Progress(Silent):
    """Prints each event when it ends; on a terminal the one that runs is shown as well."""

    def __init__(self, request: Request, order: Order) -> None:
        from rich.markup import escape

        self._order = order
        self._console = console()
        self._status: Status | None = None
        self._width = max(len(name) for name in order.events)
        self._console.print(
            f"Deployment [bold]{order.deployment_id}[/] of {escape(readable(request.bundle))} ({request.bundle_type}) "
            f"to deployment group {escape(readable(order.group_name))} ({order.group_id})"
        )

    def notify(self, result: EventResult) -> None:
        """Show an event that began, or print one that ended."""
        self.close()
        if result.status == "InProgress":
            if self._console.is_terminal:
                self._status = self._console.status(f"{result.name} runs")
                self._status.start()
            return
        self._print(result)

    def close(self) -> None:
        """Take away the line of the event that runs."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def conclude(self, results: Sequence[EventResult], succeeded: bool, host: HostPaths) -> None:
        """Say how it ended, why, and where the whole log is."""
        failed = [result.name for result in results if result.status == "Failed"]
        if not succeeded:
            self._console.print(f"[red]Failed[/] in {failed[-1] if failed else 'nothing'}.")
        elif failed:
            self._console.print(f"[green]Succeeded[/]; the failure of {', '.join(failed)} was ignored, as asked for.")
        else:
            self._console.print("[green]Succeeded[/].")
        log = DeploymentPaths.of(host, self._order.group_id, self._order.deployment_id).scripts_log
        if Path(log).exists():
            self._plain(f"Log: {log}")

    def _print(self, result: EventResult) -> None:
        took = None if result.start is None or result.end is None else result.end - result.start
        note = "nothing to run" if result.no_op and result.status == "Succeeded" else duration(took)
        style = _STYLES.get(result.status, "")
        text = f"  {result.name:{self._width}}  [{style}]{result.status:9}[/]  [dim]{note}[/]"
        self._console.print(text.rstrip())
        if result.status != "Failed":
            return
        script = f" in {result.script_name}" if result.script_name else ""
        self._plain(f"    {result.error_code}{script}: {result.message}")
        for line in result.log_tail.splitlines():
            self._plain(f"    | {without_colours(line)}")

    def _plain(self, text: str) -> None:
        self._console.print(readable(text), markup=False, soft_wrap=True)
