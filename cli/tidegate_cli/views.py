"""The commands that show deployments and connect clients, put on the root application by :func:`register`."""

from __future__ import annotations

import typer

from tidegate_cli import github, host, hosts
from tidegate_cli.changes import changes
from tidegate_cli.connect import connect
from tidegate_cli.decisions import decisions
from tidegate_cli.logs import logs
from tidegate_cli.proxy import proxy
from tidegate_cli.report import report
from tidegate_cli.watch import watch

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands and the groups ``host``, ``hosts`` and ``github`` to `app`."""
    for command in (watch, logs, report, decisions, changes, connect, proxy):
        app.command()(command)
    app.add_typer(host.app)
    app.add_typer(hosts.app)
    app.add_typer(github.app)
