"""Signals that come while something is done which must not be left half-way."""

import os
import signal
import threading
from typing import Any, Dict, List

_ENDS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class HeldBack:
    """Notes requests to end from its beginning until `heed`, which does with them what would have been done before.

    So there is no moment in which a script runs and nobody is there to end it. It does nothing in a thread, which
    Python sends no signals.
    """

    def __init__(self) -> None:
        self._before: Dict[int, Any] = {}
        self._came: List[int] = []

    def __enter__(self) -> "HeldBack":
        if threading.current_thread() is threading.main_thread():
            for number in _ENDS:
                if signal.getsignal(number) is not None:  # it is Python's to give back
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self.heed()

    def heed(self) -> None:
        """Hold nothing back any more."""
        handlers, self._before = self._before, {}
        for number, handler in handlers.items():
            signal.signal(number, handler)
        came, self._came = self._came, []
        for number in came:
            if callable(handlers[number]):
                handlers[number](number, None)
            else:
                os.kill(os.getpid(), number)

    def _note(self, number: int, _frame: Any) -> None:
        self._came.append(number)
