"""What becomes of a deployment whose execution is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tidegate.model.decisions import Decision
from tidegate.model.deployment import ErrorCode

#: Revivals in a row without any change of a target; one a sweep, so that this is patience for fifty minutes.
MOST_REVIVALS: Final = 10

#: An execution that was announced less than so many seconds ago may not be seen yet.
GRACE: Final = 60.0

#: Step Functions' words for executions that go on (API: DescribeExecution).
_ALIVE: Final = frozenset({"RUNNING", "PENDING_REDRIVE"})
_GONE: Final = {
    "ABORTED": "was aborted",
    "FAILED": "failed",
    "TIMED_OUT": "timed out",
    "SUCCEEDED": "ended before the deployment did",
}


@dataclass(frozen=True, slots=True)
class Revival:
    """``revivals``: how many there have been in a row, this one included; ``gives_up``: the deployment is ended."""

    decision: Decision
    revivals: int
    gives_up: bool


def revive(
    execution: str | None, *, generation: int, since: float, changed_at: float, revivals: int, now: float
) -> Revival | None:
    """Decide what becomes of a live deployment, by what its execution does.

    Parameters
    ----------
    execution : Step Functions' status of the present generation's execution; None where there is none
    since : epoch seconds at which that generation was announced
    changed_at : epoch seconds of the last change of a target
    revivals : how many revivals there have been in a row before

    Returns
    -------
    None while the execution goes on, or may just not be seen yet.
    """
    if execution in _ALIVE or now - since < GRACE:
        return None
    what = "was never started" if execution is None else _GONE.get(execution, f"is {execution}")
    # A generation that moved something was worth its revival: those before it count no longer.
    row = 0 if changed_at > since else revivals
    facts: dict[str, int | str] = {"generation": generation, "revivals": row, "execution": execution or ""}
    if row >= MOST_REVIVALS:
        reason = (
            f"The execution of generation {generation} {what}. The deployment was carried on {row} times without any "
            "change of a target, and is given up. Look at the machine's executions for the cause, then deploy again."
        )
        return Revival(Decision("Revival", ErrorCode.INTERNAL_ERROR, reason, facts), row, gives_up=True)
    reason = (
        f"The execution of generation {generation} {what}; generation {generation + 1} carries the deployment on "
        f"(revival {row + 1} of {MOST_REVIVALS})."
    )
    return Revival(Decision("Revival", "REVIVED", reason, facts), row + 1, gives_up=False)
