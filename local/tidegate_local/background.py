"""Threads for work that the caller does not wait for, now or later."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable

_LOG = logging.getLogger(__name__)
Task = Callable[[], None]


class Background:
    """A few daemon threads that run tasks, and a clock that hands them over when they are due.

    Tasks given for the same moment start in the order given. A task's failure is logged and ends nothing else.
    """

    def __init__(self, name: str, threads: int = 8) -> None:
        self._ready: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._later: list[tuple[float, int, Task]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._stopped = False
        self._workers = [threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        self._clock = threading.Thread(target=self._tick, name=f"{name}-clock", daemon=True)
        for thread in [*self._workers, self._clock]:
            thread.start()

    def submit(self, task: Task, delay: float = 0.0) -> None:
        """Run a task, ``delay`` seconds from now; after `stop` it is dropped."""
        if self._stopped:
            return
        if delay <= 0:
            self._ready.put(task)
            return
        with self._wake:
            heapq.heappush(self._later, (time.monotonic() + delay, next(self._order), task))
            self._wake.notify()

    def stop(self, timeout: float = 5.0) -> None:
        """Drop what waits, let what runs end, and end the threads."""
        with self._wake:
            self._stopped = True
            self._later.clear()
            self._wake.notify()
        for _ in self._workers:
            self._ready.put(None)
        until = time.monotonic() + timeout
        for thread in [*self._workers, self._clock]:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (task := self._ready.get()) is not None:
            if self._stopped:
                continue
            try:
                task()
            except Exception:
                _LOG.exception("a background task failed")

    def _tick(self) -> None:
        with self._wake:
            while not self._stopped:
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    self._ready.put(heapq.heappop(self._later)[2])
                self._wake.wait(self._later[0][0] - now if self._later else None)
