"""``tidegate host deploy``: run a deployment's lifecycle events on this machine."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import Any

import typer

from tidegate_cli.host.errors import FAILED, SIGNALLED, UsageProblem
from tidegate_cli.host.options import Request
from tidegate_cli.host.order import Prepared, prepare
from tidegate_cli.host.progress import Progress, Silent
from tidegate_cli.host.text import readable
from tidegate_cli.words import iso
from tidegate_runner import door

__all__ = ["result_json", "run"]


def run(request: Request) -> None:
    """Run the events and say what came of it; exit status 1 when one failed."""
    prepared = prepare(request)
    for warning in prepared.warnings:
        typer.echo(f"Warning: {readable(warning)}", err=True)
    _make_state_folder(prepared)
    progress = Silent() if request.as_json else Progress(request, prepared.order)
    try:
        with _ended_by_signals():
            results = door.run_events(prepared.order, prepared.host, os.environ, progress.notify, waiting=_tell_waiting)
    except OSError as error:
        typer.echo(f"tidegate host: this machine refused: {error}", err=True)
        raise typer.Exit(FAILED) from None
    except (KeyboardInterrupt, SystemExit) as end:
        typer.echo("tidegate host: interrupted; the script that ran was ended. What was installed stays.", err=True)
        raise typer.Exit(int(end.code or 0) if isinstance(end, SystemExit) else SIGNALLED + signal.SIGINT) from None
    finally:
        progress.close()
    succeeded = door.succeeded(prepared.order, results)
    if request.as_json:
        typer.echo(json.dumps(result_json(results, succeeded), indent=2))
    else:
        progress.conclude(results, succeeded, prepared.host)
    if not succeeded:
        raise typer.Exit(FAILED)


def _tell_waiting(holder: dict[str, Any]) -> None:
    """Say for whose end this deployment waits."""
    deployment, process = holder.get("deploymentId", "unknown"), holder.get("pid", "unknown")
    text = f"Waiting for deployment {deployment} of this deployment group, which runs on this host (process {process})."
    typer.echo(readable(text), err=True)


def result_json(results: Sequence[door.EventResult], succeeded: bool) -> dict[str, Any]:
    """Give what ``--json`` prints: GetDeploymentTarget's members, with times in ISO 8601.

    Every event has every member; ``errorCode`` and the times of a Skipped one are null.
    """
    return {
        "status": "Succeeded" if succeeded else "Failed",
        "events": [
            {
                "lifecycleEventName": result.name,
                "status": result.status,
                "diagnostics": {
                    "errorCode": result.error_code or None,
                    "scriptName": result.script_name,
                    "message": _message(result),
                    "logTail": result.log_tail,
                },
                "startTime": iso(result.start),
                "endTime": iso(result.end),
            }
            for result in results
        ],
    }


def _message(result: door.EventResult) -> str:
    """Give an event's message; the texts of success are the agent's."""
    if result.status != "Succeeded":
        return result.message
    return "Succeeded: CompletedNoopCommand" if result.no_op else "Succeeded"


def _make_state_folder(prepared: Prepared) -> None:
    folder = Path(prepared.host.at(prepared.host.state))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):  # what the system allows in the end depends on more than modes
            return
    except OSError as error:
        remedy = "Give --root a folder of your own, such as ~/.local/state/tidegate, or run as root"
        raise UsageProblem("--root", str(folder), f"cannot be written ({error.strerror})", remedy) from None


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have a request to terminate end the scripts that run, as an interrupt from the keyboard does."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(SIGNALLED + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
