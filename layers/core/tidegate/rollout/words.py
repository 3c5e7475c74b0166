"""Small helpers for sentences with numbers."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "instance"), count(3, "instance")
    ('1 instance', '3 instances')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def seconds(value: float) -> str:
    """A duration for a sentence.

    >>> seconds(4.2), seconds(300), seconds(28800)
    ('4 s', '5 min', '8 h')
    """
    if value < 120:
        return f"{value:.0f} s"
    if value < 7200:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.0f} h"
