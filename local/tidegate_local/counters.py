"""What a run cost: calls counted where they are made."""

from __future__ import annotations

import threading
from collections.abc import Mapping

#: The figures always shown.
FIGURES = ("stateTransitions", "lambda", "ssm", "dynamodbReads", "dynamodbWrites")


class Counters:
    """Thread-safe counts by name, in all and by the function that made the calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._by_function: dict[str, dict[str, int]] = {}

    def add(self, name: str, number: int = 1) -> None:
        """Add to one count."""
        self.add_all({name: number})

    def add_all(self, counts: Mapping[str, int], function: str = "") -> None:
        """Add several counts at once; ``function`` is the logical id of the one that made the calls."""
        with self._lock:
            _add(self._counts, counts)
            if function:
                _add(self._by_function.setdefault(function, {}), counts)

    def read(self, *, reset: bool = False) -> dict[str, int]:
        """Read all counts; with ``reset`` they start again from zero, and nothing is lost between."""
        return self.read_with_functions(reset=reset)[0]

    def read_with_functions(self, *, reset: bool = False) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
        """Read the counts in all, and those of each function."""
        with self._lock:
            result = {**dict.fromkeys(FIGURES, 0), **self._counts}
            by_function = {name: dict(counts) for name, counts in self._by_function.items()}
            if reset:
                self._counts.clear()
                self._by_function.clear()
            return result, by_function


def _add(to: dict[str, int], counts: Mapping[str, int]) -> None:
    for name, number in counts.items():
        to[name] = to.get(name, 0) + number
