"""CloudWatch alarms: the states of those that a deployment watches (CloudWatch API: DescribeAlarms)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidegate.gateways.errors import GatewayError, translated

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient


class AlarmsUnreadError(GatewayError):
    """A deployment's alarms cannot be read, for longer than the retries last; says why, with the remedy."""


class Alarms:
    """The alarms of the account and Region."""

    def __init__(self, client: CloudWatchClient) -> None:
        self._client = client

    def states(self, names: Sequence[str]) -> dict[str, str]:
        """State by name of metric and composite alarms; those that do not exist are left out.

        Parameters
        ----------
        names : at most 100 of them; a deployment watches 10 at most

        Raises
        ------
        GatewayError
        """
        with translated("reading alarms from Amazon CloudWatch"):
            # Without the types, composite alarms are left out.
            found = self._client.describe_alarms(
                AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=100
            )
        return {
            alarm["AlarmName"]: alarm["StateValue"]
            for alarm in (*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ()))
        }
