"""The process that is a running local cloud, in the foreground or detached."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tidegate_local import descriptions
from tidegate_local.state import State

_LOG = logging.getLogger(__name__)


class AlreadyRunningError(Exception):
    """Another process holds the folder's lock: a local cloud runs there, or is starting or stopping."""


@contextlib.contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Hold a folder's lock; it ends with the process at the latest.

    Raises
    ------
    AlreadyRunningError
        When another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError from None
        yield


def is_locked(directory: Path) -> bool:
    """Whether a local cloud runs, starts or stops in a folder."""
    if not directory.is_dir():
        return False
    try:
        with lock(directory):
            return False
    except AlreadyRunningError:
        return True


def run(directory: Path, template: Path, options: Mapping[str, Any], ready: Callable[[State], None]) -> None:
    """Be a local cloud until SIGINT or SIGTERM; all is gone when this returns.

    Parameters
    ----------
    directory, template, options
        As of `LocalCloud` and `Options`.
    ready
        Called once everything is.
    """
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # While it starts, an exception is what ends it soonest.
        signal.signal(number, signal.default_int_handler)
    with lock(directory):
        descriptions.share()  # before moto is imported, which makes sessions at once
        from tidegate_local.cloud import LocalCloud, Options

        cloud = LocalCloud(directory, template, Options(**options))
        try:
            state = cloud.start()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: ended.set())
            ready(state)
            ended.wait()
        finally:
            # A second Ctrl-C must not leave anything behind.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            cloud.stop()


def _end_with(pid: int) -> None:
    """End this process, tidily, when another one ends."""
    descriptor = os.pidfd_open(pid)

    def watch() -> None:
        select.select([descriptor], [], [])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="watch", daemon=True).start()


def _end_unheard(report: int, told: threading.Event) -> None:
    """End this process when nobody waits any more for it to become ready: whoever started it was ended."""
    poll = select.poll()
    poll.register(report, 0)  # a pipe whose reader is gone is in error, whatever was asked for

    def watch() -> None:
        poll.poll()
        if not told.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="unheard", daemon=True).start()


def main() -> None:
    """Run detached: settings on the command line, the outcome as one line of JSON on the descriptor named there."""
    settings = json.loads(sys.argv[1])
    report = os.fdopen(int(sys.argv[2]), "w")
    told = threading.Event()
    _end_unheard(os.dup(report.fileno()), told)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    def tell(outcome: Mapping[str, Any]) -> None:
        told.set()
        with contextlib.suppress(OSError):
            report.write(json.dumps(outcome) + "\n")
            report.close()

    try:
        if "until" in settings:
            _end_with(settings["until"])
        run(
            Path(settings["directory"]),
            Path(settings["template"]),
            settings["options"],
            lambda state: tell({"ready": len(state.hosts)}),
        )
    except AlreadyRunningError:
        tell({"running": True})
    except KeyboardInterrupt:
        tell({"error": "it was stopped while it started"})
    except Exception as error:
        _LOG.exception("the local cloud could not run")
        tell({"error": str(error) or type(error).__name__})
    # All is ended; taking the interpreter apart, with all of moto in it, takes seconds.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
