"""What a run cost: calls counted where they are made."""

from __future__ import annotations

import threading
from collections.abc import Mapping

#: The figures always shown.
FIGURES = ("stateTransitions", "lambda", "ssm", "dynamodbReads", "dynamodbWrites")


class Counters:
    """Thread-safe counts by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, name: str, number: int = 1) -> None:
        """Add to one count."""
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + number

    def add_all(self, counts: Mapping[str, int]) -> None:
        """Add several counts at once."""
        with self._lock:
            for name, number in counts.items():
                self._counts[name] = self._counts.get(name, 0) + number

    def read(self, *, reset: bool = False) -> dict[str, int]:
        """Read all counts; with ``reset`` they start again from zero, and nothing is lost between."""
        with self._lock:
            result = {**dict.fromkeys(FIGURES, 0), **self._counts}
            if reset:
                self._counts.clear()
            return result
