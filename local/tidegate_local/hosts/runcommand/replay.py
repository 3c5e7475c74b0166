"""Commands to recorded hosts: one thread answers them all, when their recorded runs would have ended."""

from __future__ import annotations

import base64
import hashlib
import heapq
import itertools
import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tidegate_local.hosts.recorded import RecordedHost, recorded_result, recorded_seconds
from tidegate_local.hosts.runcommand.delivery import Ledger
from tidegate_local.hosts.runcommand.model import Command, Invocation

_log = logging.getLogger(__name__)

_TAKEN_AFTER = 0.2  # seconds until an agent has taken a command, as measured with local hosts
_LOOK_AGAIN = 0.5


class Fetch(Protocol):
    """Reads an order."""

    def __call__(self, url: str) -> bytes:
        """The bytes at a URL."""


def fetched(url: str) -> bytes:
    """Read an order by its pre-signed URL."""
    with urllib.request.urlopen(url, timeout=15) as answer:  # noqa: S310 - the coordinator's own, to the local cloud
        return bytes(answer.read())


class Replay:
    """Answers commands for recorded hosts, each as late as its run took when it was recorded."""

    def __init__(self, ledger: Ledger, fetch: Fetch = fetched) -> None:
        self._ledger, self._fetch = ledger, fetch
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._orders: dict[str, Mapping[str, Any]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def deliver(self, command: Command, invocation: Invocation, host: RecordedHost) -> None:
        """Let a host take a command in a moment."""
        self._at(time.monotonic() + _TAKEN_AFTER, lambda: self._take(command, invocation, host))

    def _at(self, when: float, do: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._coming, (when, next(self._numbers), do))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="recorded-hosts", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while not self._ledger.closing.is_set():
            with self._changed:
                now = time.monotonic()
                if not self._coming or self._coming[0][0] > now:
                    wait = self._coming[0][0] - now if self._coming else _LOOK_AGAIN
                    self._changed.wait(min(wait, _LOOK_AGAIN))
                    continue
                do = heapq.heappop(self._coming)[2]
            try:
                do()
            except Exception:
                _log.exception("a recorded host could not answer")

    def _take(self, command: Command, invocation: Invocation, host: RecordedHost) -> None:
        if invocation.status != "Pending":
            return
        if not host.agent_online or host.state != "running":
            if self._ledger.now() >= command.deadline:
                self._ledger.change(command, invocation, lambda: _end(invocation, "TimedOut", "DeliveryTimedOut"))
            else:
                self._at(time.monotonic() + _LOOK_AGAIN, lambda: self._take(command, invocation, host))
            return

        def begin() -> None:
            invocation.status = invocation.details = "InProgress"
            for plugin in invocation.plugins:
                plugin.status = plugin.details = "InProgress"
                plugin.started = self._ledger.now()

        self._ledger.change(command, invocation, begin)
        order = self._order(command)
        began = self._ledger.now().timestamp()
        self._at(time.monotonic() + recorded_seconds(order), lambda: self._answer(command, invocation, order, began))

    def _answer(self, command: Command, invocation: Invocation, order: Mapping[str, Any], began: float) -> None:
        text = json.dumps(recorded_result(order, invocation.instance_id, began), separators=(",", ":")) + "\n"
        status = "Cancelled" if invocation.cancelled.is_set() else "Success"

        def finish() -> None:
            for plugin in invocation.plugins:
                plugin.status = plugin.details = status
                plugin.code, plugin.output = (0, text) if status == "Success" else (-1, "")
                plugin.finished = self._ledger.now()
            _end(invocation, status, status)

        self._ledger.change(command, invocation, finish)

    def _order(self, command: Command) -> Mapping[str, Any]:
        """The order of a command: read once, by its URL, and checked as the document does."""
        if command.id not in self._orders:
            (parameter,) = command.parameters["order"]
            where = json.loads(base64.b64decode(parameter))
            data = self._fetch(where["url"])
            if hashlib.sha256(data).hexdigest() != where["sha256"]:
                raise ValueError("the order's sha256 is not the one expected")
            self._orders = {command.id: json.loads(data)}  # its hosts answer together: one is enough to keep
        return self._orders[command.id]


def _end(invocation: Invocation, status: str, details: str) -> None:
    invocation.status, invocation.details = status, details
