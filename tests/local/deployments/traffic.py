"""A bounded load on a load balancer, and how many hosts can be seen to be healthy meanwhile."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_LOG = logging.getLogger(__name__)
_SCRIPT = Path(__file__).parent / "load.lua"
_CONNECTIONS, _MOST_SECONDS = 8, 600


@dataclass
class Traffic:
    """What wrk's summary says, and the fewest healthy hosts of any look.

    Attributes
    ----------
    failed
        Requests that were not answered, or not well: with the errors of sockets.
    versions
        Good answers by the version of the application that gave them.
    fewest
        The fewest hosts that answered their own health page, and that the balancer held for healthy.
    """

    requests: int = 0
    failed: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    looks: int = 0
    fewest: list[int] = field(default_factory=list)


def ask(address: str, path: str, timeout: float = 5) -> tuple[int, bytes]:
    """Status and body of one GET."""
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def answers_well(address: str) -> bool:
    """Whether a host's application says that it is healthy."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return ask(address, "/health", timeout=2)[0] == 200
    return False


@contextlib.contextmanager
def traffic(address: str, counts: Sequence[Callable[[], int]]) -> Iterator[Traffic]:
    """Load a balancer, and count what is healthy, until the block ends; what was seen is in the result then."""
    wrk = shutil.which("wrk")
    if wrk is None:
        pytest.skip("NOT RUN: wrk is missing; apt-get install wrk")
    seen, end = Traffic(), threading.Event()

    def watch() -> None:
        while not end.wait(0.2):
            found = [count() for count in counts]
            seen.fewest = [min(pair) for pair in zip(seen.fewest, found, strict=True)] if seen.fewest else found
            seen.looks += 1

    command = [wrk, "-t1", f"-c{_CONNECTIONS}", f"-d{_MOST_SECONDS}", "-s", str(_SCRIPT), f"http://{address}/"]
    thread = threading.Thread(target=watch, daemon=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        thread.start()
        try:
            yield seen
        finally:
            end.set()
            load.send_signal(signal.SIGINT)  # it prints its summary and ends
            try:
                told, _ = load.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                load.kill()
                raise
            thread.join(30)
    summary = json.loads(next(line for line in told.splitlines() if line.startswith("{")))
    errors = sum(summary[name] for name in ("wrong", "connect", "read", "write", "timeout"))
    seen.requests, seen.failed, seen.versions = summary["requests"], errors, summary["versions"]
    _LOG.info("%s\n%s", told.strip(), seen)
