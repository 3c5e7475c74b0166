"""What becomes of a deployment whose execution is gone."""

from __future__ import annotations

import pytest

from tidegate.rollout.revival import GRACE, MOST_REVIVALS, Revival, revive


def decided(execution: str | None, *, age: float = 600, changed: float = 0, revivals: int = 0) -> Revival | None:
    """For generation 3, announced ``age`` seconds ago; a target changed so many seconds after that, or long before."""
    since = 10_000.0
    changed_at = since + changed if changed else 1.0
    return revive(execution, generation=3, since=since, changed_at=changed_at, revivals=revivals, now=since + age)


@pytest.mark.parametrize("execution", ["RUNNING", "PENDING_REDRIVE"])
def test_an_execution_that_goes_on_is_left_alone(execution: str) -> None:
    assert decided(execution, age=10**6, revivals=MOST_REVIVALS) is None


@pytest.mark.parametrize("execution", [None, "ABORTED", "FAILED"])
def test_a_generation_that_was_just_announced_may_not_be_seen_yet(execution: str | None) -> None:
    assert decided(execution, age=GRACE - 1) is None
    assert decided(execution, age=GRACE) is not None


@pytest.mark.parametrize(
    ("execution", "told"),
    [
        (None, "was never started"),
        ("ABORTED", "was aborted"),
        ("FAILED", "failed"),
        ("TIMED_OUT", "timed out"),
        ("SUCCEEDED", "ended before the deployment did"),
        ("SOMETHING_NEW", "is SOMETHING_NEW"),
    ],
)
def test_the_reason_says_what_became_of_the_execution(execution: str | None, told: str) -> None:
    found = decided(execution, revivals=1)
    assert found is not None
    assert found.decision.reason == (
        f"The execution of generation 3 {told}; generation 4 carries the deployment on (revival 2 of 10)."
    )
    assert (found.decision.kind, found.decision.code, found.gives_up) == ("Revival", "REVIVED", False)
    assert found.decision.facts == {"generation": 3, "revivals": 1, "execution": execution or ""}


@pytest.mark.parametrize(
    ("revivals", "changed", "counted", "gives_up"),
    [
        (MOST_REVIVALS - 1, 0, MOST_REVIVALS, False),
        (MOST_REVIVALS, 0, MOST_REVIVALS, True),
        (MOST_REVIVALS, 5, 1, False),
        (3, 5, 1, False),
    ],
)
def test_only_revivals_in_a_row_without_a_change_count(
    revivals: int, changed: float, counted: int, gives_up: bool
) -> None:
    found = decided("FAILED", revivals=revivals, changed=changed)
    assert found is not None
    assert (found.revivals, found.gives_up) == (counted, gives_up)
    assert found.decision.code == ("INTERNAL_ERROR" if gives_up else "REVIVED")
