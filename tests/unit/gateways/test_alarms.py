"""What CloudWatch says of alarms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber
from tests.alarms import put_alarm, set_alarm

from tidegate.gateways.alarms import Alarms
from tidegate.gateways.errors import DeniedError, ThrottledError


def test_states_of_those_that_exist(cloud: Callable[[str], Any]) -> None:
    client = cloud("cloudwatch")
    for name in ("a", "b", "c"):
        put_alarm(client, name)
    set_alarm(client, "b", "ALARM")
    set_alarm(client, "c", "INSUFFICIENT_DATA")
    states = Alarms(client).states(["a", "b", "gone"])
    assert states == {"a": states["a"], "b": "ALARM"}
    assert states["a"] != "ALARM"


def test_composite_alarms_are_asked_for_too(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stub = stubbed("cloudwatch")
    answer = {
        "MetricAlarms": [{"AlarmName": "metric", "StateValue": "OK"}],
        "CompositeAlarms": [{"AlarmName": "composite", "StateValue": "ALARM"}],
    }
    asked = {
        "AlarmNames": ["metric", "composite"],
        "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
        "MaxRecords": 100,
    }
    stub.add_response("describe_alarms", answer, asked)
    assert Alarms(client).states(["metric", "composite"]) == {"metric": "OK", "composite": "ALARM"}


@pytest.mark.parametrize(("code", "expected"), [("Throttling", ThrottledError), ("AccessDenied", DeniedError)])
def test_refusals_name_the_service(
    stubbed: Callable[[str], tuple[Any, Stubber]], code: str, expected: type[Exception]
) -> None:
    client, stub = stubbed("cloudwatch")
    stub.add_client_error("describe_alarms", code)
    with pytest.raises(expected, match="Amazon CloudWatch"):
        Alarms(client).states(["a"])
