"""CloudWatch's events of alarms: what is added to moto. No cloud is started."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.cloudwatch.models import Alarm
from tests.alarms import put_alarm, set_alarm

from tidegate_local.patches import cloudwatch
from tidegate_local.patches.hooks import HOOKS


def test_a_change_of_state_is_an_event_and_setting_the_same_state_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_DATA_PATH", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    told: list[Any] = []
    monkeypatch.setattr(HOOKS, "emit", told.append)
    # Set to what it is, so that it is so again after the test.
    monkeypatch.setattr(Alarm, "update_state", Alarm.update_state)
    cloudwatch.install()
    with mock_aws():
        client = boto3.client("cloudwatch", region_name="us-east-1")
        put_alarm(client, "errors", "OK")
        told.clear()
        for _ in range(2):
            set_alarm(client, "errors", "ALARM", "many errors")
    (event,) = told
    assert (event["source"], event["detail-type"]) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert event["resources"] == ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors"]
    detail = event["detail"]
    assert (detail["alarmName"], detail["previousState"]["value"]) == ("errors", "OK")
    assert (detail["state"]["value"], detail["state"]["reason"]) == ("ALARM", "many errors")
