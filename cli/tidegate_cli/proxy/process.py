"""The proxy as a process of its own: started, found and ended again."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tidegate_cli.clients import UserError

__all__ = ["directory", "forget", "remember", "start", "stop"]

_STOP_SECONDS: Final = 10.0


def directory() -> Path:
    """Where running proxies are noted: ``TIDEGATE_PROXY_DIR``, or a folder in the home folder."""
    given = os.environ.get("TIDEGATE_PROXY_DIR")
    return (Path(given) if given else Path.home() / ".tidegate" / "proxies").expanduser().absolute()


def remember(endpoint: str, connected_to: str) -> Path:
    """Note a running proxy, for its owner's eyes: the endpoint holds its secret."""
    folder = directory()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = _file(folder, _port(endpoint))
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        json.dump({"pid": os.getpid(), "endpoint": endpoint, "connectedTo": connected_to}, written)
    return file


def forget(file: Path) -> None:
    """Take the note of a proxy away."""
    file.unlink(missing_ok=True)


def start(arguments: list[str]) -> str:
    """Start a proxy that outlives this process, and return its endpoint.

    Raises
    ------
    UserError
        With what it said, where it did not start.
    """
    command = [sys.executable, "-m", "tidegate_cli.proxy", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        endpoint = child.stdout.readline().strip()
        if not endpoint:
            said = child.stderr.read().strip().removeprefix("tidegate: ")
            raise UserError(said or "the proxy did not start")
        # Left running: what `with` would wait for is none of ours any more.
        child.returncode = 0
        return endpoint


def stop(port: int) -> list[str]:
    """End the proxy at a port, or all that are noted where it is 0; return their endpoints, without their secrets.

    A proxy is asked to end itself, by its secret: another process that has its number now is not touched.

    Raises
    ------
    UserError
        None is noted, or one does not end.
    """
    notes = _noted(port)
    if not notes:
        raise UserError(f"no proxy {f'at port {port} ' if port else ''}is running: none is noted in {directory()}")
    for file, note in notes.items():
        request = urllib.request.Request(f"{note['endpoint']}/_stop", data=b"", method="POST")  # noqa: S310 - our own note
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(request, timeout=5):  # noqa: S310
            _wait_until_gone(file)
        forget(file)
    return [str(note["endpoint"]).rpartition("/")[0] for note in notes.values()]


def _noted(port: int) -> dict[Path, Mapping[str, Any]]:
    files = [_file(directory(), port)] if port else sorted(directory().glob("*.json"))
    found = {}
    for file in files:
        with contextlib.suppress(OSError, ValueError):
            found[file] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _wait_until_gone(file: Path) -> None:
    until = time.monotonic() + _STOP_SECONDS
    while file.exists():
        if time.monotonic() > until:
            raise UserError(f"the proxy noted in {file} does not end; it is busy with a request")
        time.sleep(0.05)


def _file(folder: Path, port: int) -> Path:
    return folder / f"{port}.json"


def _port(endpoint: str) -> int:
    return int(endpoint.rsplit(":", 1)[1].partition("/")[0])
