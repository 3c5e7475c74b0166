"""What holds for all tests."""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import Path

import pytest

from tidegate_local import descriptions

#: Tests that wait for most of their time.
WAITING = Path(__file__).parent / "local" / "deployments"

# Hundreds of tests make clients of their own; reading what AWS's services are like costs most of that.
descriptions.share()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every second worker begin with tests that wait, beside others that work, lest they are left over at the end.

    Each worker gets a share of the list in a row, and who has done his takes from others.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    waiting = [item for item in items if WAITING in item.path.parents]
    working = [item for item in items if WAITING not in item.path.parents]
    modules = [list(each) for _, each in groupby(waiting, lambda item: item.path)]
    begins = range(0, workers, 2)
    if workers < 2 or not modules or not working:
        return
    share, found = len(items) // workers, list[pytest.Item]()
    for worker in range(workers):
        if worker in begins:
            found += [item for module in modules[worker // 2 :: len(begins)] for item in module]
        room = max(0, share * (worker + 1) - len(found))
        found, working = found + working[:room], working[room:]
    items[:] = found + working


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have to tell (``record_property("told", …)``), wherever they ran."""
    for reports in list(terminalreporter.stats.values()):
        for report in reports:
            for name, text in getattr(report, "user_properties", ()):
                if name == "told" and getattr(report, "when", "") == "call":
                    terminalreporter.write_line(str(text))
