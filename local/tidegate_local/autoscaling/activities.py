"""What an Auto Scaling group did and why: the activities of "DescribeScalingActivities"."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

_KEPT = 500


class Activities:
    """The latest activities, with the names under which the API shows them."""

    def __init__(self) -> None:
        self._all: list[dict[str, Any]] = []

    def __iter__(self) -> Any:
        """The newest first."""
        return iter(self._all)

    def begin(self, group: Any, description: str, cause: str) -> dict[str, Any]:
        """Begin an activity of a group."""
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "AutoScalingGroupName": group.name,
            "AutoScalingGroupARN": group.arn,
            "Description": description,
            "Cause": cause,
            "StartTime": now_utc(),
            "StatusCode": "InProgress",
            "Progress": 50,
            "Details": "{}",
        }
        self._all = [activity, *self._all[: _KEPT - 1]]
        return activity

    @staticmethod
    def end(activity: dict[str, Any], status: str, message: str = "") -> None:
        """End an activity that has not ended yet."""
        if activity["StatusCode"] == "InProgress":
            activity |= {"StatusCode": status, "EndTime": now_utc(), "Progress": 100}
            activity |= {"StatusMessage": message} if message else {}


def now_utc() -> datetime:
    """The time, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
