"""What holds for all tests."""

from __future__ import annotations

import pytest

from tidegate_local import descriptions

# Hundreds of tests make clients of their own; reading what AWS's services are like costs most of that.
descriptions.share()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have to tell (``record_property("told", …)``), wherever they ran."""
    for reports in list(terminalreporter.stats.values()):
        for report in reports:
            for name, text in getattr(report, "user_properties", ()):
                if name == "told" and getattr(report, "when", "") == "call":
                    terminalreporter.write_line(str(text))
