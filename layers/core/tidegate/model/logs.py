"""What hosts' events print, as it lies in the bucket."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a stage's log: an object that only ever grows. ``size`` is in bytes."""

    stage: str
    number: int
    key: str
    size: int
