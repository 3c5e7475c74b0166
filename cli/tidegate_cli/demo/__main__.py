"""``python -m tidegate_cli.demo``: run the demonstration, write ``build/demo.json``, leave nothing behind."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from tidegate_cli.clients import UserError, user_errors
from tidegate_cli.demo.cloud import DemoCloud
from tidegate_cli.demo.evidence import Evidence, complaints
from tidegate_cli.demo.revisions import EXAMPLE
from tidegate_cli.demo.story import FLEET, tell
from tidegate_cli.output import console
from tidegate_cli.words import duration

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT_BUILD = EXAMPLE.parents[1] / "build"


class Interrupted(BaseException):
    """The user or the system wants an end; not an error of any step, so no step may catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _on_signals(signal.SIG_IGN)
    raise Interrupted(number)


def _on_signals(action: signal.Handlers | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, action if action is not None else _interrupt)


def main(build: Path) -> int:
    """Run the demonstration and return its exit status: 0 only if all was observed and nothing is left.

    `build` is the folder of what it writes: ``demo.json``, the logs of a run that failed, and while it runs the
    local cloud's folder.
    """
    screen = console()
    started = time.monotonic()
    build.mkdir(parents=True, exist_ok=True)
    (build / "demo.json").unlink(missing_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=build))
    cloud = DemoCloud(folder / "local", lambda line: screen.print(line, markup=False))
    seen = Evidence()
    status = 1
    _on_signals(None)
    try:
        try:
            with user_errors():
                tell(cloud, folder / "revisions", screen, seen)
            status = 0
        except typer.Exit as failed:
            status = failed.exit_code
        # From here on nothing may keep the cloud from going down.
        _on_signals(signal.SIG_IGN)
    except Interrupted as stop:
        status = 128 + stop.number
        screen.print("\nInterrupted: taking the local cloud down.")
    finally:
        left = cloud.down()
    seen.seconds = time.monotonic() - started
    status = _conclude(screen, build, seen, status, left)
    if status == 1:
        cloud.keep_logs(build / "demo-logs")
        screen.print(f"Logs of the local cloud: {build / 'demo-logs'}", style="yellow", markup=False)
    if not left:
        shutil.rmtree(folder, ignore_errors=True)
    return status


def _conclude(screen: Console, build: Path, seen: Evidence, status: int, left: list[str]) -> int:
    """Write the evidence, say what is wrong with it, and return the exit status."""
    (build / "demo.json").write_text(json.dumps(seen.as_json(), indent=2) + "\n")
    found = complaints(seen, FLEET) if status == 0 else []
    found += [f"left behind: {line}" for line in left]
    for line in found:
        screen.print(f"Not as promised: {line}", style="red", markup=False)
    if status == 0 and not found:
        screen.print(f"\nAll as promised, in {duration(seen.seconds)}. Evidence: {build / 'demo.json'}")
    return status or (1 if found else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tidegate_cli.demo", description=__doc__)
    parser.add_argument("--build", type=Path, default=DEFAULT_BUILD, help="folder to write to (%(default)s)")
    try:
        sys.exit(main(parser.parse_args().build.resolve()))
    except (UserError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
