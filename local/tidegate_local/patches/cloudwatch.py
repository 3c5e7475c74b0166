"""CloudWatch's alarms: a change of state is told on the event bus.

Follows "Alarm events and EventBridge" of the CloudWatch user guide. moto changes a state by SetAlarmState alone, and
tells nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate_local.patches.hooks import HOOKS


def install() -> None:
    """Put this into moto."""
    from moto.cloudwatch.models import Alarm

    update_state = Alarm.update_state

    def new_update_state(self: Any, reason: str, reason_data: str, state_value: str) -> None:
        before = _state(self)
        update_state(self, reason, reason_data, state_value)
        # Setting the state that it has is no change.
        if before["value"] != state_value:
            HOOKS.emit(changed_event(self.name, self.alarm_arn, before, _state(self)))

    Alarm.update_state = new_update_state


def _state(alarm: Any) -> dict[str, str]:
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason or "",
        "timestamp": alarm.state_updated_timestamp.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000",
    }


def changed_event(name: str, arn: str, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    """The event of a change, as CloudWatch sends it; without the alarm's configuration."""
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "resources": [arn],
        "detail": {"alarmName": name, "previousState": dict(before), "state": dict(after)},
    }
