"""What the local cloud serves about itself, under ``/_local/``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tidegate_local.counters import Counters
from tidegate_local.faults import Faults, FaultsError

#: One more page: takes the request's JSON (None without a body), gives the answer.
Page = Callable[[Any], Any]


class Pages:
    """``GET calls`` (``?reset=1`` starts again), ``GET`` and ``POST faults``, and pages that others add."""

    def __init__(self, counters: Counters, faults: Faults) -> None:
        self._counters = counters
        self._faults = faults
        self._more: dict[tuple[str, str], Page] = {}

    def add(self, method: str, name: str, page: Page) -> None:
        """Serve one more page; it may raise FaultsError (a ValueError) for a request it cannot use."""
        self._more[method, name] = page

    def serve(self, method: str, name: str, query: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Answer a request with a status and something that JSON can hold."""
        if (method, name) == ("GET", "calls"):
            counts, by_function = self._counters.read_with_functions(reset=query.get("reset") == "1")
            return 200, {**counts, "byFunction": by_function}
        if (method, name) == ("GET", "faults"):
            return 200, self._faults.describe()
        try:
            given = json.loads(body) if body else None
            if (method, name) == ("POST", "faults"):
                if not isinstance(given, dict):
                    raise FaultsError("give the faults as a JSON object")
                self._faults.set(given)
                return 200, self._faults.describe()
            if (method, name) in self._more:
                return 200, self._more[method, name](given)
        except ValueError as error:
            return 400, {"message": str(error)}
        known = sorted({"GET calls", "GET faults", "POST faults", *(" ".join(key) for key in self._more)})
        return 404, {"message": f"there is no {method} /_local/{name}; there are: {', '.join(known)}"}
