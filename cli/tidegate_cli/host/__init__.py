"""``tidegate host``: run a deployment's events on this machine by hand, or see beforehand what they would do."""

from __future__ import annotations

import typer

from tidegate_cli.host.options import Request, command

__all__ = ["app"]

app = typer.Typer(
    name="host",
    help="Try a revision on this machine: deploy it by hand, or plan what a deployment would do. "
    '("tidegate hosts", with an s, registers on-premises machines.)',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
@command
def deploy(request: Request) -> None:
    """Run a revision's lifecycle events on this machine, as a deployment would.

    Scripts run and files are installed for real. Exit status: 0 when the deployment succeeded, 1 when an event
    failed, 2 for options that cannot be used.
    """
    from tidegate_cli.host.deploy import run  # the host's code is needed by no other command

    run(request)


@app.command()
@command
def plan(request: Request) -> None:
    """Show what a deployment would create, change, keep, delete and run on this machine; nothing is touched.

    Exit status: 0 when the deployment could go ahead, 1 when it would fail as far as can be known (all files in the
    way are listed, with who owns them), 2 for options that cannot be used.
    """
    from tidegate_cli.host.plan import run

    run(request)
