"""Bad usage: which option, with what value, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from tidegate_runner.errors import OrderError

__all__ = ["BAD_USAGE", "FAILED", "SIGNALLED", "UsageProblem", "usage_problems"]

FAILED = 1
BAD_USAGE = 2
SIGNALLED = 128
"""Plus the signal's number, as shells say it."""


class UsageProblem(Exception):  # noqa: N818  # a problem of the call, not an error of the program
    """An option's value cannot be used.

    Parameters
    ----------
    option, value : str
        As the user wrote them.
    problem : str
        What is wrong, as the end of a sentence that begins with the value.
    remedy : str
        What to write instead, a whole sentence.
    """

    def __init__(self, option: str, value: str, problem: str, remedy: str) -> None:
        super().__init__(f"{option}: {value!r} {problem}. {remedy}.")


@contextmanager
def usage_problems() -> Iterator[None]:
    """Turn bad usage into one line on standard error and exit status 2."""
    try:
        yield
    except (UsageProblem, OrderError) as problem:
        typer.echo(f"tidegate host: {problem}", err=True)
        raise typer.Exit(BAD_USAGE) from None
