"""Alarms: which a deployment watches, which end it, and that they end it in waits too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.rollout.driver import FAST

from tidegate.model.cells import Origin, Outcome, cell
from tidegate.model.ledger import Closing, Ledger
from tidegate.model.legs import Leg, Stage, StageKind, Wait, WaitKind
from tidegate.rollout import judge
from tidegate.rollout.alarms import alarm_closing, watched_alarms

A, B = {"name": "a"}, {"name": "b"}
GROUPS = {"enabled": True, "alarms": [A, B]}
STAGE = Stage("host", StageKind.HOST, ("Install",), 100.0)


@pytest.mark.parametrize(
    ("override", "configured", "names", "ignores"),
    [
        (None, None, None, False),
        (None, GROUPS, ["a", "b"], False),
        (None, {**GROUPS, "ignorePollAlarmFailure": True}, ["a", "b"], True),
        (None, {**GROUPS, "enabled": False}, None, False),
        (None, {"enabled": True, "alarms": []}, None, False),
        # An override takes the place of the whole configuration.
        ({"enabled": False}, GROUPS, None, False),
        ({"enabled": False, "alarms": [A]}, GROUPS, None, False),
        ({"enabled": True, "alarms": [B]}, {**GROUPS, "ignorePollAlarmFailure": True}, ["b"], False),
        ({"enabled": True, "alarms": [B]}, None, ["b"], False),
        ({}, GROUPS, ["a", "b"], False),
    ],
)
def test_what_is_watched(
    override: dict[str, Any] | None, configured: dict[str, Any] | None, names: list[str] | None, ignores: bool
) -> None:
    expected = names and {"names": names, "ignorePollFailure": ignores}
    assert watched_alarms(override, configured) == expected


@pytest.mark.parametrize(
    ("states", "listed"),
    [
        ({"a": "OK", "b": "OK", "c": "OK"}, None),
        ({"a": "INSUFFICIENT_DATA"}, None),
        ({}, None),
        ({"b": "ALARM"}, "<b>"),
        ({"c": "ALARM", "a": "ALARM", "b": "OK"}, "<a> <c>"),
        ({"other": "ALARM"}, None),
    ],
)
def test_only_alarm_ends_it_and_the_message_lists_which(states: dict[str, str], listed: str | None) -> None:
    closing = alarm_closing(["a", "b", "c"], states, 5.0)
    if listed is None:
        assert closing is None
    else:
        assert closing is not None
        assert (closing.status, closing.code, closing.since) == ("Stopped", "ALARM_ACTIVE", 5.0)
        assert closing.reason.endswith(f"in ALARM: {listed}")


@pytest.mark.parametrize("kind", list(WaitKind))
@pytest.mark.parametrize("code", ["ALARM_ACTIVE", "MANUAL_STOP"])
def test_what_interrupts_a_deployment_ends_its_waits(kind: WaitKind, code: str) -> None:
    done, ahead = cell(Outcome.SUCCEEDED, Origin.OLD), cell(Outcome.PENDING, Origin.OLD)
    legs = (Leg("first", 0, 2, (STAGE,)), Leg("second", 2, 4, (STAGE,), wait=Wait(kind, 600)))
    waiting = Ledger(bytes([done, done, ahead, ahead]), 0, legs=legs, leg=1, leg_since=100.0)
    rules = replace(FAST, started_at=0.0)
    assert judge(waiting, rules, 200.0).code == kind.value
    verdict = judge(waiting, rules, 200.0, interruption=Closing("Stopped", code, "Why.", 200.0))
    assert (verdict.kind.value, verdict.status, verdict.code) == ("STOP", "Stopped", code)
