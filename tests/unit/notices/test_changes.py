"""Which changes are told: the table of CodeDeploy's events, and what holds for any course."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.deployment import TERMINAL
from tidegate.notices import deployment_notices, target_notice

STATUSES = ("Created", "Queued", "InProgress", "Baking", "Ready", "Succeeded", "Failed", "Stopped")
TARGET_STATUSES = ("Pending", "InProgress", "Ready", "Succeeded", "Failed", "Skipped", "Unknown")


def deployment(status: str, creator: str = "user", **more: Any) -> dict[str, Any]:
    return {"deploymentId": "d-1", "status": status, "creator": creator, "createTime": 100.0, **more}


def target(status: str, kind: str = "InstanceTarget") -> dict[str, Any]:
    return {"targetId": "i-1", "kind": kind, "status": status, "lastUpdatedAt": 150.0}


def told(old: dict[str, Any] | None, new: dict[str, Any]) -> list[tuple[str, str]]:
    return [(notice.event, notice.state) for notice in deployment_notices(old, new)]


START = ("DeploymentStart", "START")
SUCCESS, FAILURE = ("DeploymentSuccess", "SUCCESS"), ("DeploymentFailure", "FAILURE")
STOP, READY, QUEUED = ("DeploymentStop", "STOP"), ("DeploymentReady", "READY"), ("", "QUEUED")
ROLLBACK = ("DeploymentRollback", "")


@pytest.mark.parametrize(
    ("before", "after", "creator", "expected"),
    [
        (None, "Created", "user", [START]),
        (None, "Queued", "user", [START, QUEUED]),
        (None, "Created", "codeDeployRollback", [START]),
        ("Created", "Queued", "user", [QUEUED]),
        ("Created", "InProgress", "user", []),
        ("Queued", "InProgress", "user", []),
        ("Created", "InProgress", "codeDeployRollback", [ROLLBACK]),
        ("Queued", "InProgress", "codeDeployRollback", [ROLLBACK]),
        ("Ready", "InProgress", "codeDeployRollback", []),
        ("InProgress", "InProgress", "codeDeployRollback", []),
        ("InProgress", "Baking", "user", []),
        ("InProgress", "Ready", "user", [READY]),
        ("Ready", "InProgress", "user", []),
        ("Ready", "Stopped", "user", [STOP]),
        ("InProgress", "Succeeded", "user", [SUCCESS]),
        ("Baking", "Succeeded", "user", [SUCCESS]),
        ("InProgress", "Failed", "user", [FAILURE]),
        ("Created", "Failed", "user", [FAILURE]),
        ("Created", "Failed", "codeDeployRollback", [FAILURE]),
        ("InProgress", "Stopped", "user", [STOP]),
        ("Succeeded", "Succeeded", "user", []),
    ],
)
def test_deployments(before: str | None, after: str, creator: str, expected: list[tuple[str, str]]) -> None:
    old = deployment(before, creator) if before else None
    assert told(old, deployment(after, creator)) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, "Pending", None),
        ("Pending", "InProgress", ("InstanceStart", "START")),
        (None, "InProgress", ("InstanceStart", "START")),
        ("InProgress", "InProgress", None),
        ("InProgress", "Succeeded", ("InstanceSuccess", "SUCCESS")),
        ("InProgress", "Failed", ("InstanceFailure", "FAILURE")),
        ("Pending", "Failed", ("InstanceFailure", "FAILURE")),
        ("InProgress", "Ready", ("InstanceReady", "READY")),
        ("Ready", "InProgress", None),
        ("Ready", "Succeeded", ("InstanceSuccess", "SUCCESS")),
        ("Pending", "Skipped", None),
        ("Failed", "Failed", None),
    ],
)
def test_instances(before: str | None, after: str, expected: tuple[str, str] | None) -> None:
    notice = target_notice(target(before) if before else None, target(after), deployment("InProgress"))
    assert (notice and (notice.event, notice.state)) == expected
    assert notice is None or notice.time == 150.0


@pytest.mark.parametrize("kind", ["LambdaTarget", "ECSTarget", "CloudFormationTarget"])
def test_other_targets_have_no_events(kind: str) -> None:
    assert target_notice(target("Pending", kind), target("InProgress", kind), deployment("InProgress")) is None


def test_the_time_is_that_of_the_change() -> None:
    new = deployment("Failed", startTime=110.0, completeTime=120.5)
    assert [notice.time for notice in deployment_notices(deployment("InProgress"), new)] == [120.5]
    assert [notice.time for notice in deployment_notices(None, deployment("Created"))] == [100.0]


course = st.lists(st.sampled_from([s for s in STATUSES if s not in TERMINAL]), max_size=12)


@given(course, st.sampled_from(sorted(TERMINAL)), st.sampled_from(["user", "codeDeployRollback"]))
def test_any_course_has_one_beginning_and_one_end(statuses: list[str], end: str, creator: str) -> None:
    """However often an item is written with the same status, and whatever it passes through."""
    found: list[tuple[str, str]] = []
    old: dict[str, Any] | None = None
    for status in [*statuses, end, end]:
        new = deployment(status, creator)
        found += told(old, new)
        assert told(new, new) == []
        old = new
    assert found[0] == START
    assert found.count(START) == 1
    assert [each for each in found if each in (SUCCESS, FAILURE, STOP)] == [found[-1]]
    assert {"Succeeded": SUCCESS, "Failed": FAILURE, "Stopped": STOP}[end] == found[-1]
    assert (ROLLBACK in found) <= (creator == "codeDeployRollback")
    assert {state for _, state in found} <= {"START", "SUCCESS", "FAILURE", "STOP", "QUEUED", "READY", ""}
