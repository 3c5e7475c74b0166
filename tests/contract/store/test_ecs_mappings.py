"""An ECS service belongs to one deployment group, over either table."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.store.applications import Applications
from tidegate.store.configs import Configs
from tidegate.store.ecs_mappings import mapping_key
from tidegate.store.errors import (
    DeploymentConfigNotFoundError,
    DeploymentGroupExistsError,
    DeploymentGroupNotFoundError,
    EcsServiceMappedError,
)
from tidegate.store.groups import Groups
from tidegate.store.table import Item, Table

ALL_AT_ONCE = "CodeDeployDefault.ECSAllAtOnce"


def info(group: str, service: str = "web", config: str = ALL_AT_ONCE) -> dict[str, Any]:
    return {
        "applicationName": "shop",
        "deploymentGroupName": group,
        "deploymentConfigName": config,
        "ecsServices": [{"clusterName": "prod", "serviceName": service}],
    }


def owner(table: Table, service: str = "web") -> str | None:
    item = table.get(mapping_key(f"prod:{service}"))
    return None if item is None else str(item["deploymentGroupId"])


@pytest.fixture
def groups(table: Table) -> Groups:
    Applications(table).create("shop", application_id="a1", platform="ECS", now=1)
    found = Groups(table)
    found.create("g1", info("one"))
    return found


def test_a_second_group_is_not_made(table: Table, groups: Groups) -> None:
    with pytest.raises(EcsServiceMappedError, match="prod:web"):
        groups.create("g2", info("two"))
    with pytest.raises(DeploymentGroupNotFoundError):
        groups.get("shop", "two")
    assert owner(table) == "g1"


def test_of_two_faults_the_groups_own_name_comes_first(groups: Groups) -> None:
    with pytest.raises(DeploymentGroupExistsError):
        groups.create("g2", info("one"))
    with pytest.raises(DeploymentConfigNotFoundError):
        groups.create("g2", info("two", config="mine"))


def test_a_service_moves_with_its_group(table: Table, groups: Groups) -> None:
    groups.create("g2", info("two", "api"))
    with pytest.raises(EcsServiceMappedError):
        groups.update("shop", "two", lambda _: info("two", "web"))
    groups.update("shop", "one", lambda _: info("renamed", "shop"))
    groups.update("shop", "two", lambda _: info("two", "web"))
    assert (owner(table), owner(table, "shop"), owner(table, "api")) == ("g2", "g1", None)


def test_a_renamed_group_keeps_its_service(table: Table, groups: Groups) -> None:
    groups.update("shop", "one", lambda _: info("renamed"))
    assert owner(table) == "g1"


def test_configuration_and_service_change_in_one(table: Table, groups: Groups) -> None:
    Configs(table).create({"deploymentConfigName": "mine", "deploymentConfigId": "c1", "createTime": 1})
    groups.update("shop", "one", lambda _: info("one", "api", "mine"))
    assert (owner(table), owner(table, "api")) == (None, "g1")
    with pytest.raises(DeploymentConfigNotFoundError):
        groups.update("shop", "one", lambda _: info("one", "web", "theirs"))
    assert (owner(table), owner(table, "api")) == (None, "g1")


def test_a_deleted_group_frees_its_service(table: Table, groups: Groups) -> None:
    groups.delete("shop", "one")
    assert owner(table) is None
    groups.create("g2", info("two"))
    groups.delete("shop", "one")
    assert owner(table) == "g2"


def test_a_service_taken_between_look_and_write_is_refused(table: Table, groups: Groups) -> None:
    groups.delete("shop", "one")
    groups.create("g1", info("one", "api"))

    def meanwhile(item: Item) -> dict[str, Any]:
        if owner(table) is None:
            groups.create("g2", info("two"))
        return info("one", "web")

    with pytest.raises(EcsServiceMappedError):
        groups.update("shop", "one", meanwhile)
    assert (owner(table), owner(table, "api")) == ("g2", "g1")
