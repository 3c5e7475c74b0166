"""A target in the ledger: one byte, so that 100,000 targets are 100 kB and a pass over them is a pass over bytes.

====  =========  ==========================================================
bits  field      values
====  =========  ==========================================================
0-2   outcome    :class:`Outcome`
3-4   origin     :class:`Origin`, what the target was when the fleet was read
5-7   stage      number of the stage it is in, or was last in
====  =========  ==========================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache


class Outcome(IntEnum):
    """Where a target stands in its deployment."""

    PENDING = 0
    IN_FLIGHT = 1
    SUCCEEDED = 2
    FAILED = 3
    SKIPPED = 4

    @property
    def status(self) -> str:
        """The word of CodeDeploy's TargetStatus."""
        return _STATUS[self]


_STATUS = {
    Outcome.PENDING: "Pending",
    Outcome.IN_FLIGHT: "InProgress",
    Outcome.SUCCEEDED: "Succeeded",
    Outcome.FAILED: "Failed",
    Outcome.SKIPPED: "Skipped",
}


class Origin(IntEnum):
    """Health of a target when its deployment began; the number is the order of selection."""

    UNHEALTHY = 0
    UNKNOWN = 1
    OLD = 2
    CURRENT = 3


def cell(outcome: Outcome, origin: Origin, stage: int = 0) -> int:
    """One target as a byte."""
    return outcome | origin << 3 | stage << 5


def outcome_of(byte: int) -> Outcome:
    """The outcome in a cell."""
    return Outcome(byte & 0b111)


def origin_of(byte: int) -> Origin:
    """The origin in a cell."""
    return Origin(byte >> 3 & 0b11)


def stage_of(byte: int) -> int:
    """The stage number in a cell."""
    return byte >> 5


# By cell: its outcome, and 8 more where the target was not healthy before.
_UNHEALTHY = 8
_SORTS = bytes(cell & 0b111 | (cell & 0b11000 == Origin.UNHEALTHY << 3) * _UNHEALTHY for cell in range(256))
_OUTCOMES = tuple(map(int, Outcome))
_UNHEALTHY_OUTCOMES = tuple(outcome | _UNHEALTHY for outcome in _OUTCOMES)


@dataclass(frozen=True, slots=True)
class Census:
    """How many targets are in each of the sets that the rules speak of.

    ``healthy``: those that were healthy and have not failed, and those that succeeded. ``healthy_in_flight`` is
    the part of them that is out just now.
    """

    total: int = 0
    pending: int = 0
    pending_unhealthy: int = 0
    in_flight: int = 0
    healthy_in_flight: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    healthy: int = 0

    @classmethod
    @lru_cache(maxsize=1 << 6)  # a pass asks for the same counts again and again
    def of(cls, cells: bytes) -> Census:
        """Count cells; nothing is looked at one by one."""
        sorts = cells.translate(_SORTS)
        pending, in_flight, succeeded, failed, skipped = map(sorts.count, _OUTCOMES)
        ill_pending, ill_in_flight, ill_succeeded, ill_failed, ill_skipped = map(sorts.count, _UNHEALTHY_OUTCOMES)
        return cls(
            total=len(cells),
            pending=pending + ill_pending,
            pending_unhealthy=ill_pending,
            in_flight=in_flight + ill_in_flight,
            healthy_in_flight=in_flight,
            succeeded=succeeded + ill_succeeded,
            failed=failed + ill_failed,
            skipped=skipped + ill_skipped,
            healthy=pending + in_flight + skipped + succeeded + ill_succeeded,
        )

    @property
    def available(self) -> int:
        """Healthy targets that are not out: what invariant 1 keeps at or above the minimum."""
        return self.healthy - self.healthy_in_flight

    @property
    def overview(self) -> dict[str, int]:
        """CodeDeploy's DeploymentOverview."""
        return {
            "Pending": self.pending,
            "InProgress": self.in_flight,
            "Succeeded": self.succeeded,
            "Failed": self.failed,
            "Skipped": self.skipped,
            "Ready": 0,
        }
