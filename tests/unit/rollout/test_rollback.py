"""When an ended deployment is rolled back."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.rollout import plan_rollback

LAST_GOOD = {"deploymentId": "d-GOOD00001", "revisionKey": "good", "location": {}}
ON_ALARM = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]}
BOTH = {"enabled": True, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"]}
ON_FAILURE = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
ON_STOP = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_REQUEST"]}
OFF = {"enabled": False, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"]}


def code(
    status: str,
    wish: dict[str, Any] | None,
    *,
    error: str = "",
    stop: dict[str, Any] | None = None,
    last_good: dict[str, Any] | None = LAST_GOOD,
    attempted: int = 1,
    **more: Any,
) -> str | None:
    deployment = {"creator": "user", "revisionKey": "new", "autoRollback": wish, "stop": stop, **more}
    decided = plan_rollback(deployment, status, error, last_good, attempted)
    if decided is None:
        return None
    assert decided.wanted == (decided.code == "ROLLBACK") == (decided.last_good is not None)
    assert decided.reason.endswith(".")
    return decided.code


@pytest.mark.parametrize(
    ("status", "wish", "expected"),
    [
        ("Failed", ON_FAILURE, "ROLLBACK"),
        ("Failed", BOTH, "ROLLBACK"),
        ("Failed", ON_STOP, None),
        ("Failed", OFF, None),
        ("Failed", None, None),
        ("Failed", {"enabled": True}, None),
        ("Stopped", ON_STOP, "ROLLBACK"),
        ("Stopped", ON_FAILURE, None),
        ("Stopped", OFF, None),
        ("Succeeded", BOTH, None),
    ],
)
def test_the_settings_decide_by_the_way_it_ended(
    status: str, wish: dict[str, Any] | None, expected: str | None
) -> None:
    assert code(status, wish) == expected


@pytest.mark.parametrize(
    ("error", "wish", "expected"),
    [
        ("ALARM_ACTIVE", ON_ALARM, "ROLLBACK"),
        ("ALARM_ACTIVE", BOTH, None),
        ("MANUAL_STOP", ON_ALARM, None),
        ("MANUAL_STOP", BOTH, "ROLLBACK"),
    ],
)
def test_a_stop_by_an_alarm_and_one_by_request_are_asked_for_apart(
    error: str, wish: dict[str, Any], expected: str | None
) -> None:
    assert code("Stopped", wish, error=error) == expected


@pytest.mark.parametrize("wish", [None, OFF, ON_FAILURE, ON_STOP])
@pytest.mark.parametrize(("asked", "expected"), [(True, "ROLLBACK"), (False, None)])
def test_who_stops_a_deployment_may_decide_otherwise(
    wish: dict[str, Any] | None, asked: bool, expected: str | None
) -> None:
    assert code("Stopped", wish, stop={"time": 1, "by": "me", "autoRollback": asked}) == expected


@pytest.mark.parametrize(("wish", "expected"), [(ON_STOP, "ROLLBACK"), (ON_FAILURE, None)])
def test_a_stop_that_says_nothing_leaves_it_to_the_settings(wish: dict[str, Any], expected: str | None) -> None:
    assert code("Stopped", wish, stop={"time": 1, "by": "me"}) == expected


def test_a_stop_request_says_nothing_about_a_failure() -> None:
    assert code("Failed", ON_FAILURE, stop={"time": 1, "autoRollback": False}) == "ROLLBACK"
    assert code("Failed", OFF, stop={"time": 1, "autoRollback": True}) is None


def test_a_rollback_is_never_rolled_back() -> None:
    assert code("Failed", BOTH, creator="codeDeployRollback") == "ROLLBACK_OF_ROLLBACK"
    stop = {"time": 1, "autoRollback": True}
    assert code("Stopped", OFF, stop=stop, creator="codeDeployRollback") == "ROLLBACK_OF_ROLLBACK"


def test_what_stands_in_the_way_is_told() -> None:
    assert code("Failed", BOTH, last_good=None) == "NO_LAST_GOOD"
    assert code("Failed", BOTH, last_good={}) == "NO_LAST_GOOD"
    assert code("Failed", BOTH, attempted=0) == "NOTHING_TOUCHED"
    assert code("Failed", BOTH, revisionKey="good") == "SAME_REVISION"


def test_the_reason_names_the_deployment_gone_back_to() -> None:
    decided = plan_rollback(
        {"autoRollback": ON_FAILURE, "revisionKey": "new"}, "Failed", "HEALTH_CONSTRAINTS", LAST_GOOD, 3
    )
    assert decided is not None
    assert decided.last_good == LAST_GOOD
    assert "d-GOOD00001" in decided.reason
