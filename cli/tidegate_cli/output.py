"""Where the commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console"]

PIPED_WIDTH = 200
"""Columns where there is no terminal: wide enough that a row stays one line."""


def console() -> Console:
    """Return the console of standard output, as wide as the terminal, or wide where there is none."""
    from rich.console import Console

    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=PIPED_WIDTH)
