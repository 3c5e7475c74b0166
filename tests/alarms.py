"""CloudWatch alarms of tests that have a CloudWatch."""

from __future__ import annotations

from typing import Any


def put_alarm(client: Any, name: str, state: str = "") -> None:
    """Make a metric alarm, and bring it into a state where one is given."""
    client.put_metric_alarm(
        AlarmName=name,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Threshold=1,
        Namespace="app",
        MetricName="errors",
        Period=60,
        Statistic="Sum",
    )
    if state:
        set_alarm(client, name, state)


def set_alarm(client: Any, name: str, state: str, reason: str = "as the test has it") -> None:
    """Bring an alarm into a state."""
    client.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)
