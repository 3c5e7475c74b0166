"""Deployment configurations: the predefined ones are constants, the custom ones items.

A custom configuration's item also holds ``groups``, the ids of the deployment groups that refer to it. The set is
changed in the transaction that changes the group: no configuration in use is deleted, no deleted one is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidegate.model.names import PREDEFINED_PREFIX
from tidegate.store.errors import (
    ConditionFailedError,
    DeploymentConfigExistsError,
    DeploymentConfigInUseError,
    DeploymentConfigLimitError,
    DeploymentConfigNotFoundError,
)
from tidegate.store.table import Absent, AttributeAbsent, Delete, Key, Present, Put, Table, Update

DEFAULT_CONFIG: Final = "CodeDeployDefault.OneAtATime"
INDEX: Final = "GSI1"
PARTITION: Final = "CONFIGS"
#: Custom configurations in one account and Region (AWS: "CodeDeploy quotas").
MOST: Final = 200
#: The predefined configurations are as old as the API itself: 2014-10-06.
_PREDEFINED_TIME: Final = 1412553600


def config_key(name: str) -> Key:
    """Key of a custom configuration's item."""
    return f"CONFIG#{name}", "CONFIG"


def is_predefined(name: str) -> bool:
    """Whether the name is one of AWS's own, which need no item."""
    return name in PREDEFINED


def config_use(name: str, group_id: str) -> list[Update]:
    """The writes that tell a configuration that a group refers to it; none for a predefined one."""
    if is_predefined(name):
        return []
    return [Update(config_key(name), add_to_set={"groups": {group_id}}, condition=Present())]


def config_release(name: str, group_id: str) -> list[Update]:
    """The writes that tell a configuration that a group no longer refers to it."""
    if is_predefined(name):
        return []
    return [Update(config_key(name), remove_from_set={"groups": {group_id}}, condition=Present())]


class Configs:
    """The deployment configurations of the account."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(self, info: Mapping[str, Any]) -> None:
        """Record a custom configuration.

        Parameters
        ----------
        info
            ``DeploymentConfigInfo`` as the API shows it.

        Raises
        ------
        DeploymentConfigExistsError
            The name is taken.
        DeploymentConfigLimitError
            There are as many as there may be. Counted before, so that callers at the same time may go over it.
        """
        name = info["deploymentConfigName"]
        pk, sk = config_key(name)
        item = {"PK": pk, "SK": sk, "GSI1PK": PARTITION, "GSI1SK": name, "info": dict(info)}
        if is_predefined(name):
            raise DeploymentConfigExistsError(name)
        if self._table.count(PARTITION, index=INDEX) >= MOST and self._table.get((pk, sk)) is None:
            raise DeploymentConfigLimitError(MOST)
        try:
            self._table.write(Put(item, Absent()))
        except ConditionFailedError as error:
            taken = error.item["info"]["deploymentConfigId"] if error.item else None
            if taken != info["deploymentConfigId"]:
                raise DeploymentConfigExistsError(name) from None

    def get(self, name: str) -> dict[str, Any]:
        """Read ``DeploymentConfigInfo`` of a predefined or custom configuration.

        Raises
        ------
        DeploymentConfigNotFoundError
            There is none of this name.
        """
        if is_predefined(name):
            return dict(PREDEFINED[name])
        item = self._table.get(config_key(name))
        if item is None:
            raise DeploymentConfigNotFoundError(name)
        info: dict[str, Any] = item["info"]
        return info

    def names(self) -> list[str]:
        """All names: the predefined ones first, then the custom ones, each by name."""
        return sorted(PREDEFINED) + [item["GSI1SK"] for item in self._table.query(PARTITION, index=INDEX).items]

    def delete(self, name: str) -> None:
        """Delete a custom configuration; one that is not there is fine.

        Raises
        ------
        DeploymentConfigInUseError
            Groups refer to it.
        """
        try:
            self._table.write(Delete(config_key(name), AttributeAbsent("groups")))
        except ConditionFailedError as error:
            groups = error.item["groups"] if error.item else ()
            raise DeploymentConfigInUseError(name, len(groups)) from None


def _predefined() -> dict[str, dict[str, Any]]:
    found: list[tuple[str, str, dict[str, Any]]] = []

    def server(name: str, kind: str, value: int) -> None:
        found.append((name, "Server", {"minimumHealthyHosts": {"type": kind, "value": value}}))

    def all_at_once(platform: str) -> None:
        found.append((f"{platform}AllAtOnce", platform, {"trafficRoutingConfig": {"type": "AllAtOnce"}}))

    def canary(platform: str, minutes: int) -> None:
        routing = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": minutes}}
        found.append((f"{platform}Canary10Percent{minutes}Minutes", platform, {"trafficRoutingConfig": routing}))

    def linear(platform: str, minutes: int, words: str) -> None:
        routing = {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10, "linearInterval": minutes}}
        found.append((f"{platform}Linear10PercentEvery{words}", platform, {"trafficRoutingConfig": routing}))

    # The order gives the ids, which end in the number of the configuration.
    server("OneAtATime", "MOST_CONCURRENCY", 1)
    server("HalfAtATime", "FLEET_PERCENT", 50)
    server("AllAtOnce", "HOST_COUNT", 0)
    all_at_once("Lambda")
    for minutes in (5, 10, 15, 30):
        canary("Lambda", minutes)
    for minutes, words in ((1, "1Minute"), (2, "2Minutes"), (3, "3Minutes"), (10, "10Minutes")):
        linear("Lambda", minutes, words)
    all_at_once("ECS")
    for minutes in (5, 15):
        canary("ECS", minutes)
    for minutes, words in ((1, "1Minutes"), (3, "3Minutes")):
        linear("ECS", minutes, words)
    return {
        PREDEFINED_PREFIX + name: {
            "deploymentConfigId": f"00000000-0000-0000-0000-{number:012}",
            "deploymentConfigName": PREDEFINED_PREFIX + name,
            "computePlatform": platform,
            "createTime": _PREDEFINED_TIME,
            **settings,
        }
        for number, (name, platform, settings) in enumerate(found, start=1)
    }


#: ``DeploymentConfigInfo`` of the predefined configurations (AWS: "Working with deployment configurations").
PREDEFINED: Final[Mapping[str, dict[str, Any]]] = _predefined()
