"""The commands that show deployments, put on the root application by :func:`register`."""

from __future__ import annotations

import typer

from tidegate_cli.decisions import decisions
from tidegate_cli.report import report
from tidegate_cli.watch import watch

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add ``watch``, ``report`` and ``decisions`` to `app`."""
    for command in (watch, report, decisions):
        app.command()(command)
