"""What the API answers becomes rows, counts and lines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tidegate_cli.deployment_view import (
    DeploymentView,
    HostRow,
    changes,
    deployment_view,
    host_row,
    minimum_hosts,
)

NOW = 1_764_000_100.0
START = datetime.fromtimestamp(NOW - 100, UTC)
HALF = {"type": "FLEET_PERCENT", "value": 50}


def event(name: str, status: str, start: float | None = None, end: float | None = None, **more: Any) -> dict[str, Any]:
    """Return a lifecycle event as boto3 gives it; times are seconds before NOW."""
    found: dict[str, Any] = {"lifecycleEventName": name, "status": status, **more}
    if start is not None:
        found["startTime"] = datetime.fromtimestamp(NOW - start, UTC)
    if end is not None:
        found["endTime"] = datetime.fromtimestamp(NOW - end, UTC)
    return found


def target(status: str, *events: dict[str, Any], target_id: str = "i-1") -> dict[str, Any]:
    return {
        "deploymentTargetType": "InstanceTarget",
        "instanceTarget": {"targetId": target_id, "status": status, "lifecycleEvents": list(events)},
    }


def info(**more: Any) -> dict[str, Any]:
    return {
        "deploymentId": "d-ABCDEF123",
        "status": "InProgress",
        "creator": "user",
        "createTime": START,
        "revision": {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k.zip"}},
        "deploymentConfigName": "CodeDeployDefault.HalfAtATime",
        "deploymentOverview": {
            "Pending": 2,
            "InProgress": 2,
            "Succeeded": 1,
            "Failed": 1,
            "Skipped": 0,
            "Ready": 0,
        },
        **more,
    }


@pytest.mark.parametrize(
    ("given", "event_name", "seconds"),
    [
        (target("Pending"), "", None),
        (target("Pending", event("ApplicationStop", "Pending")), "", None),
        (
            target(
                "InProgress",
                event("ApplicationStop", "Succeeded", 10, 9),
                event("Install", "InProgress", 9),
                event("AfterInstall", "Pending"),
            ),
            "Install",
            10.0,
        ),
        (
            target(
                "Succeeded",
                event("ApplicationStop", "Succeeded", 10, 9),
                event("ValidateService", "Succeeded", 9, 6),
            ),
            "ValidateService",
            4.0,
        ),
        (
            target(
                "Failed",
                event("ApplicationStop", "Succeeded", 10, 9),
                event("Install", "Failed", 9, 8),
                event("ValidateService", "Skipped"),
            ),
            "Install",
            2.0,
        ),
    ],
    ids=["no events", "pending", "in progress", "succeeded", "failed"],
)
def test_a_row_shows_the_event_that_matters_and_the_time_spent(
    given: dict[str, Any], event_name: str, seconds: float | None
) -> None:
    row = host_row(given, {}, NOW)

    assert (row.event, row.seconds) == (event_name, pytest.approx(seconds) if seconds else None)


def test_a_failed_row_carries_the_diagnostics_of_its_event() -> None:
    failed = event(
        "ValidateService",
        "Failed",
        3,
        1,
        diagnostics={
            "errorCode": "ScriptFailed",
            "scriptName": "scripts/validate.sh",
            "message": "Script failed with exit code 1",
            "logTail": "500",
        },
    )

    row = host_row(target("Failed", failed), {"i-1": "host-1"}, NOW)

    assert row.as_json() == {
        "targetId": "i-1",
        "name": "host-1",
        "status": "Failed",
        "lifecycleEvent": "ValidateService",
        "seconds": 2.0,
        "diagnostics": {
            "errorCode": "ScriptFailed",
            "message": "Script failed with exit code 1",
            "logTail": "500",
        },
    }


@pytest.mark.parametrize(
    ("config", "minimum", "total", "expected"),
    [
        ("CodeDeployDefault.AllAtOnce", {"type": "FLEET_PERCENT", "value": 0}, 9, 0),
        ("CodeDeployDefault.HalfAtATime", HALF, 9, 5),
        ("CodeDeployDefault.OneAtATime", {"type": "FLEET_PERCENT", "value": 99}, 200, 199),
        ("CodeDeployDefault.OneAtATime", None, 1, 0),
        ("mine", {"type": "FLEET_PERCENT", "value": 85}, 10, 9),
        ("mine", {"type": "HOST_COUNT", "value": 8}, 10, 8),
        ("mine", None, 10, None),
    ],
)
def test_minimum_of_healthy_hosts(
    config: str, minimum: dict[str, Any] | None, total: int, expected: int | None
) -> None:
    assert minimum_hosts(config, minimum, total) == expected


def test_a_view_counts_hosts_in_flight_and_failed_as_not_healthy() -> None:
    view = deployment_view(info(), [], HALF, NOW)

    assert (view.total, view.healthy, view.minimum, view.done) == (6, 3, 3, 2)
    assert view.seconds == pytest.approx(100)
    assert not view.ended


def test_a_view_of_an_ended_deployment_says_why_and_what_followed() -> None:
    ended = info(
        status="Failed",
        completeTime=datetime.fromtimestamp(NOW - 40, UTC),
        errorInformation={"code": "HEALTH_CONSTRAINTS", "message": "too many failed"},
        rollbackInfo={"rollbackDeploymentId": "d-ROLLBACK1"},
    )

    found = deployment_view(ended, [HostRow("i-1", "host-1", "Failed")], HALF, NOW).as_json()

    assert found["status"] == "Failed"
    assert found["seconds"] == 60.0
    assert found["error"] == {"code": "HEALTH_CONSTRAINTS", "message": "too many failed"}
    assert found["rollbackDeploymentId"] == "d-ROLLBACK1"
    assert found["rollbackOf"] is None
    assert [row["targetId"] for row in found["hosts"]] == ["i-1"]


def test_rows_are_in_order_of_their_names() -> None:
    rows = [HostRow("i-9", "host-1", "Pending"), HostRow("i-1", "host-2", "Pending")]

    view = deployment_view(info(), reversed(rows), None, NOW)

    assert [row.name for row in view.rows] == ["host-1", "host-2"]
    assert view.minimum is None


@pytest.mark.parametrize(
    ("message", "tail", "expected"),
    [
        ("exit code 1", "", "exit code 1"),
        ("exit code 1", "[stdout]started\n[stderr]health answered 500\n\n", "exit code 1 (health answered 500)"),
        ("", "plain line", "plain line"),
        ("", "", ""),
    ],
)
def test_the_reason_of_a_failure_ends_with_what_the_script_said_last(message: str, tail: str, expected: str) -> None:
    assert HostRow("i-1", "host-1", "Failed", message=message, log_tail=tail).reason == expected


def test_changes_tell_only_what_is_new() -> None:
    first = view_of(HostRow("i-1", "host-1", "InProgress", "Install"), HostRow("i-2", "host-2", "Pending"))
    second = view_of(
        HostRow("i-1", "host-1", "Failed", "Install", message="no space left"),
        HostRow("i-2", "host-2", "Pending"),
        status="Failed",
        error_code="HEALTH_CONSTRAINTS",
        error_message="too few hosts",
    )

    assert changes(None, first) == [
        "d-1 InProgress (s3://b/k)",
        "d-1 host-1 InProgress Install",
    ]
    assert changes(first, first) == []
    assert changes(first, second) == [
        "d-1 Failed (s3://b/k): HEALTH_CONSTRAINTS: too few hosts",
        "d-1 host-1 Failed Install: no space left",
    ]


def view_of(*rows: HostRow, status: str = "InProgress", **more: str) -> DeploymentView:
    return DeploymentView(deployment_id="d-1", status=status, creator="user", revision="s3://b/k", rows=rows, **more)


@pytest.mark.parametrize(("kind", "member"), [("LambdaTarget", "lambdaTarget"), ("ECSTarget", "ecsTarget")])
def test_the_one_target_of_a_shift_has_a_row_too(kind: str, member: str) -> None:
    held = {"targetId": "shop:live", "status": "Skipped", "lifecycleEvents": [event("AllowTraffic", "Skipped")]}
    row = host_row({"deploymentTargetType": kind, member: held}, {}, NOW)
    assert (row.target_id, row.name, row.status) == ("shop:live", "shop:live", "Skipped")
