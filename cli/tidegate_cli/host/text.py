"""Names and output of others, made fit for a terminal."""

from __future__ import annotations

import re

__all__ = ["readable", "without_colours"]

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def without_colours(text: str) -> str:
    """Give a line of a program's output without the terminal's colours."""
    return _COLOURS.sub("", text)


def readable(text: str) -> str:
    """Give text with control characters, and bytes that are no text, spelled out.

    >>> print(readable("a\\nb\\x1b[31m\\udcff"), readable("ü"))
    a\\nb\\x1b[31m\\udcff ü
    """
    return "".join(letter if letter.isprintable() or letter == "\t" else ascii(letter)[1:-1] for letter in text)
