"""The command ``tidegate``."""

from __future__ import annotations

from importlib.metadata import entry_points

import typer

from tidegate_cli import views

#: Packages offer groups of commands under this name; the command line itself imports none of them by name.
GROUP = "tidegate.commands"


def build_app() -> typer.Typer:
    """Make the root command, with every group of commands that is installed."""
    app = typer.Typer(
        name="tidegate",
        help="A deployment coordinator that speaks AWS CodeDeploy's API.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )

    # With a callback a single group stays a group.
    @app.callback()
    def root() -> None:
        """A deployment coordinator that speaks AWS CodeDeploy's API."""

    views.register(app)
    for entry in sorted(entry_points(group=GROUP), key=lambda found: found.name):
        app.add_typer(entry.load(), name=entry.name)
    return app


def main() -> None:
    """Run the command line."""
    build_app()()
