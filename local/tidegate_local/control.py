"""Start, find and end local clouds from another process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate_local.daemon import is_locked
from tidegate_local.state import State, read_state, remove_state, start_time

_START_SECONDS = 120.0
_STOP_SECONDS = 30.0


class ControlError(Exception):
    """What was asked cannot be done; the text is for people. ``status`` is the exit status it deserves."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def directory() -> Path:
    """The folder of the instance meant: ``TIDEGATE_LOCAL_DIR``, or one in the home folder."""
    given = os.environ.get("TIDEGATE_LOCAL_DIR")
    return (Path(given) if given else Path.home() / ".tidegate" / "local").expanduser().absolute()


def running(folder: Path) -> State:
    """Give the local cloud that runs in a folder.

    Raises
    ------
    ControlError
        When none does.
    """
    state = read_state(folder)
    if state is None or not state.alive:
        raise ControlError(f"no local cloud runs in {folder}; start one with: tidegate local up")
    return state


def check_options(state: State, wanted: Mapping[str, Any]) -> None:
    """Refuse options that the running local cloud was not started with.

    Raises
    ------
    ControlError
        Naming the first that differs.
    """
    for name, value in wanted.items():
        if state.options.get(name) != value:
            raise ControlError(
                f"a local cloud already runs with {name} {state.options.get(name)!r}, not {value!r}; "
                "end it first with: tidegate local down",
                2,
            )


def wait_for_running(folder: Path) -> State:
    """Wait for the local cloud that another process is starting."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        state = read_state(folder)
        if state is not None and state.alive:
            return state
        if not is_locked(folder):
            raise ControlError("another start of the local cloud failed; see what it said, or start again")
        time.sleep(0.05)
    raise ControlError(f"another process holds {folder} and its local cloud does not become ready")


def start_detached(folder: Path, template: Path, options: Mapping[str, Any], *, outlives_caller: bool = True) -> bool:
    """Start a local cloud in a process of its own, and wait until it is ready.

    Parameters
    ----------
    folder, template, options
        As of `LocalCloud` and `Options`.
    outlives_caller
        Whether it goes on when this process ends; tests say no.

    Returns
    -------
    bool
        False when another one runs or starts there already.

    Raises
    ------
    ControlError
        With the reason, when it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    read_end, write_end = os.pipe()
    settings: dict[str, Any] = {"directory": str(folder), "template": str(template), "options": dict(options)}
    if not outlives_caller:
        settings["until"] = os.getpid()
    log = folder / "local.log"
    daemon = _spawn(settings, log, write_end)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as report:
            line = report.readline()
    except KeyboardInterrupt:
        daemon.terminate()
        daemon.wait()
        raise
    outcome = json.loads(line) if line else {"error": "its process ended"}
    if "error" in outcome:
        daemon.wait()
        raise ControlError(f"the local cloud did not start: {outcome['error']} (log: {log})")
    return "ready" in outcome


def _spawn(settings: Mapping[str, Any], log: Path, report: int) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "tidegate_local.daemon", json.dumps(settings), str(report)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[report],
            start_new_session=True,
            cwd="/",
        )


def stop(folder: Path) -> None:
    """End the local cloud of a folder; when this returns, no process and no mount of it is left.

    Raises
    ------
    ControlError
        When none runs, or something cannot be ended.
    """
    state = read_state(folder)
    if state is None and is_locked(folder):
        state = wait_for_running(folder)
    if state is None:
        raise ControlError(f"no local cloud runs in {folder}; start one with: tidegate local up")
    alive = state.alive
    if alive:
        _end_process(state)
    # After a death without goodbye its hosts and workers end by themselves a moment later.
    _wait_gone([int(host["pid"]) for host in state.hosts if host.get("pid")])
    clean(folder)
    if not alive:
        raise ControlError(f"the local cloud of {folder} had died; what it left is cleaned up")


def _end_process(state: State) -> None:
    os.kill(state.pid, signal.SIGTERM)
    until = time.monotonic() + _STOP_SECONDS
    while state.alive:
        if time.monotonic() > until:
            os.kill(state.pid, signal.SIGKILL)
            until += _STOP_SECONDS
        time.sleep(0.02)


def _wait_gone(pids: list[int]) -> None:
    until = time.monotonic() + _STOP_SECONDS
    left = [pid for pid in pids if start_time(pid)]
    while left:
        if time.monotonic() > until:
            raise ControlError(f"these processes of local hosts are still there: {left}; end them by hand")
        time.sleep(0.02)
        left = [pid for pid in left if start_time(pid)]


def mounts_below(folder: Path) -> list[str]:
    """The mounts of this machine below a folder."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in points if point.startswith(f"{folder}/")]


def clean(folder: Path) -> None:
    """Remove what a local cloud left in its folder, but its logs."""
    remove_state(folder)
    left = mounts_below(folder)
    if left:
        # Removing files below a mount would remove them where they come from.
        raise ControlError(
            f"these mounts are still there: {', '.join(left)}; end them with umount, then run down again"
        )
    for name in ("balancers", "hosts", "models", "opt"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _message(error: urllib.error.HTTPError) -> str:
    """What the local cloud says of a request it refuses."""
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError, TypeError):
        return f"the local cloud answers {error.code} at {error.url}"


def ask(state: State, page: str, given: Mapping[str, Any] | None = None) -> Any:
    """Get a page of a running local cloud, or post something to it."""
    url = f"{state.environment['TIDEGATE_LOCAL_URL']}/{page}"
    body = None if given is None else json.dumps(given).encode()
    try:
        with urllib.request.urlopen(url, body, timeout=30) as answer:  # noqa: S310 - loopback, from our own state
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise ControlError(_message(error)) from error
    except (urllib.error.URLError, TimeoutError) as error:
        raise ControlError(f"the local cloud does not answer at {url}: {error}") from error
