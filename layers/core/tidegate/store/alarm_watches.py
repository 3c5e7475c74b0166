"""Which live deployments watch an alarm: CloudWatch's events carry only the alarm's name.

The items are written with the deployment and taken away with its end, each time in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tidegate.store.table import Delete, Key, Put, Table


def watches_of(deployment: Mapping[str, Any]) -> list[Put]:
    """The writes that make a new deployment findable by its alarms."""
    return [Put({"PK": pk, "SK": sk, "deploymentId": deployment["deploymentId"]}) for pk, sk in _watch_keys(deployment)]


def watches_ended(deployment: Mapping[str, Any]) -> list[Delete]:
    """The writes that take them away again."""
    return [Delete(key) for key in _watch_keys(deployment)]


def _watch_keys(deployment: Mapping[str, Any]) -> list[Key]:
    names = (deployment.get("alarms") or {}).get("names", ())
    return [(f"ALARM#{name}", f"DEP#{deployment['deploymentId']}") for name in names]


class AlarmWatches:
    """The watch items."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def deployments_of(self, alarms: Collection[str]) -> set[str]:
        """The ids of the live deployments that watch any of these alarms."""
        return {item["deploymentId"] for name in alarms for item in self._table.query(f"ALARM#{name}", "DEP#").items}
