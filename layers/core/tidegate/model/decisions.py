"""Decisions: what the core concludes, always with a code and a sentence with numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class VerdictKind(StrEnum):
    """What EvaluateHealth concludes."""

    ACT = "ACT"
    WAIT = "WAIT"
    SUCCEED = "SUCCEED"
    FAIL = "FAIL"
    STOP = "STOP"

    @property
    def ends(self) -> bool:
        """Whether the deployment is over."""
        return self in (VerdictKind.SUCCEED, VerdictKind.FAIL, VerdictKind.STOP)


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, a batch or a step, as kept in the deployment's history.

    ``kind`` names what was decided: ``Plan``, ``Batch``, ``Verdict``, ``Target``, ``Alarms``, ``Revival``,
    ``Resume``, ``Finish`` or ``Rollback``.
    ``code`` is a constant for machines, ``reason`` a sentence for people.
    """

    kind: str
    code: str
    reason: str
    facts: dict[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One lifecycle event as a host ran it; times in epoch seconds."""

    name: str
    status: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Why an event failed (API: Diagnostics)."""

    event: str
    error_code: str
    script_name: str
    message: str
    log_tail: str


@dataclass(frozen=True, slots=True)
class HostReport:
    """What a host answered for one stage: ``Succeeded``, ``Failed`` or ``NotStarted``."""

    status: str
    events: tuple[EventRecord, ...] = ()
    diagnostics: Diagnostics | None = None


class Sight(StrEnum):
    """What was seen of one target's command."""

    WAITING = "waiting"  # not picked up by the host
    RUNNING = "running"
    ANSWERED = "answered"  # with a result that the host printed
    GONE = "gone"  # the instance is terminated; no answer will come
    UNANSWERED = "unanswered"  # ended without a result: unknown, never "free to schedule again"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One target's command as looked up; ``detail`` is SSM's own status, for sentences."""

    sight: Sight
    report: HostReport | None = None
    detail: str = ""
