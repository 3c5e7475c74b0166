"""Applications, groups, configurations and revisions over either table."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.store.applications import Applications
from tidegate.store.configs import PREDEFINED, Configs
from tidegate.store.errors import (
    ApplicationExistsError,
    ApplicationNotFoundError,
    DeploymentConfigExistsError,
    DeploymentConfigInUseError,
    DeploymentConfigNotFoundError,
    DeploymentGroupBusyError,
    DeploymentGroupExistsError,
    DeploymentGroupNotFoundError,
    RevisionNotFoundError,
    TableBusyError,
)
from tidegate.store.groups import Groups, group_key
from tidegate.store.revisions import Revisions
from tidegate.store.table import Item, Table, Update

ONE = "CodeDeployDefault.OneAtATime"


def config(name: str = "mine", config_id: str = "c1") -> dict[str, Any]:
    return {"deploymentConfigName": name, "deploymentConfigId": config_id, "createTime": 1}


def info(group: str = "prod", config_name: str = ONE, **more: Any) -> dict[str, Any]:
    return {"applicationName": "shop", "deploymentGroupName": group, "deploymentConfigName": config_name, **more}


@pytest.fixture
def groups(table: Table) -> Groups:
    Applications(table).create("shop", application_id="a1", platform="Server", now=1.5)
    return Groups(table)


def test_an_application_is_made_once(table: Table) -> None:
    store = Applications(table)
    made = store.create("shop", application_id="a1", platform="Server", now=1.5, tags=[{"Key": "k", "Value": "v"}])
    assert store.get("shop") == made
    with pytest.raises(ApplicationExistsError):
        store.create("shop", application_id="a2", platform="Server", now=2)
    assert store.get("shop")["applicationId"] == "a1"


def test_a_creation_whose_answer_was_lost_may_be_repeated(table: Table) -> None:
    store = Applications(table)
    store.create("shop", application_id="a1", platform="Server", now=1)
    store.create("shop", application_id="a1", platform="Server", now=1)
    Configs(table).create(config())
    Configs(table).create(config())


def test_applications_by_name(table: Table) -> None:
    store = Applications(table)
    for name in ("b", "a", "c"):
        store.create(name, application_id=name, platform="Server", now=1)
    assert [item["applicationName"] for item in store.page(limit=10).items] == ["a", "b", "c"]
    assert [item["applicationName"] for item in store.get_many(["c", "a", "c"])] == ["c", "a"]
    with pytest.raises(ApplicationNotFoundError, match="nobody"):
        store.get_many(["a", "nobody"])
    store.delete("a")
    store.delete("a")
    with pytest.raises(ApplicationNotFoundError):
        store.get("a")


def test_a_group_needs_its_application_and_configuration(table: Table, groups: Groups) -> None:
    with pytest.raises(ApplicationNotFoundError):
        groups.create("g", {**info(), "applicationName": "nobody"})
    with pytest.raises(DeploymentConfigNotFoundError):
        groups.create("g", info(config_name="mine"))
    groups.create("g", info())
    with pytest.raises(DeploymentGroupExistsError):
        groups.create("g2", info())
    assert groups.get("shop", "prod")["deploymentGroupId"] == "g"


def test_groups_by_name(groups: Groups) -> None:
    for name in ("b", "a"):
        groups.create(f"id-{name}", info(name))
    assert [item["info"]["deploymentGroupName"] for item in groups.page("shop").items] == ["a", "b"]
    groups.delete("shop", "a")
    groups.delete("shop", "a")
    with pytest.raises(DeploymentGroupNotFoundError):
        groups.get("shop", "a")


def test_a_change_keeps_what_deployments_left_in_the_group(table: Table, groups: Groups) -> None:
    groups.create("g", info(weight=1.5, list=[{"Key": "a"}]))
    table.write(Update(group_key("shop", "prod"), set={"live": "d-1", "targetRevision": {"revisionType": "S3"}}))
    groups.update("shop", "prod", lambda item: {**item["info"], "role": "new"})
    found = groups.get("shop", "prod")
    assert found["info"] == info(weight=1.5, list=[{"Key": "a"}], role="new")
    assert (found["live"], found["targetRevision"]) == ("d-1", {"revisionType": "S3"})


def test_a_change_is_made_again_on_what_someone_else_left(groups: Groups) -> None:
    groups.create("g", info())
    raced: list[bool] = []

    def change(item: Item) -> dict[str, Any]:
        if not raced:
            raced.append(True)
            groups.update("shop", "prod", lambda other: {**other["info"], "theirs": 1})
        return {**item["info"], "mine": 1}

    groups.update("shop", "prod", change)
    assert groups.get("shop", "prod")["info"] == info(theirs=1, mine=1)


def test_a_change_that_never_comes_through_is_given_up(groups: Groups) -> None:
    groups.create("g", info())
    turns = iter(range(100))

    def change(item: Item) -> dict[str, Any]:
        groups.update("shop", "prod", lambda other: {**other["info"], "theirs": next(turns)})
        return {**item["info"], "mine": 1}

    with pytest.raises(TableBusyError):
        groups.update("shop", "prod", change)


def test_a_group_is_renamed_with_all_it_holds(table: Table, groups: Groups) -> None:
    groups.create("g", info())
    groups.create("g2", info("taken"))
    table.write(Update(group_key("shop", "prod"), set={"lastAttempted": {"deploymentId": "d-1"}}))
    with pytest.raises(DeploymentGroupExistsError, match="taken"):
        groups.update("shop", "prod", lambda item: {**item["info"], "deploymentGroupName": "taken"})
    groups.update("shop", "prod", lambda item: {**item["info"], "deploymentGroupName": "live"})
    found = groups.get("shop", "live")
    assert (found["deploymentGroupId"], found["lastAttempted"]) == ("g", {"deploymentId": "d-1"})
    with pytest.raises(DeploymentGroupNotFoundError):
        groups.get("shop", "prod")


def test_a_group_is_not_renamed_under_a_live_deployment(table: Table, groups: Groups) -> None:
    groups.create("g", info())
    table.write(Update(group_key("shop", "prod"), set={"live": "d-1"}))
    with pytest.raises(DeploymentGroupBusyError, match="d-1"):
        groups.update("shop", "prod", lambda item: {**item["info"], "deploymentGroupName": "other"})


def test_a_group_is_not_renamed_when_a_deployment_begins_meanwhile(table: Table, groups: Groups) -> None:
    groups.create("g", info())

    def change(item: Item) -> dict[str, Any]:
        table.write(Update(group_key("shop", "prod"), set={"live": "d-1"}))
        return {**item["info"], "deploymentGroupName": "other"}

    with pytest.raises(DeploymentGroupBusyError, match="d-1"):
        groups.update("shop", "prod", change)
    assert groups.get("shop", "prod")["live"] == "d-1"


def test_a_configuration_is_kept_while_groups_use_it(table: Table, groups: Groups) -> None:
    configs = Configs(table)
    configs.create(config())
    configs.create(config("other", "c2"))
    groups.create("g", info(config_name="mine"))
    groups.create("g2", info("second", config_name="mine"))
    with pytest.raises(DeploymentConfigInUseError, match="2 deployment group"):
        configs.delete("mine")
    groups.update("shop", "prod", lambda item: {**item["info"], "deploymentConfigName": "other"})
    groups.delete("shop", "second")
    configs.delete("mine")
    configs.delete("mine")
    with pytest.raises(DeploymentConfigNotFoundError):
        configs.get("mine")
    with pytest.raises(DeploymentConfigInUseError, match="other"):
        configs.delete("other")
    with pytest.raises(DeploymentConfigNotFoundError):
        groups.update("shop", "prod", lambda item: {**item["info"], "deploymentConfigName": "mine"})


def test_predefined_and_custom_configurations(table: Table) -> None:
    configs = Configs(table)
    configs.create(config("zeta"))
    configs.create(config("alpha", "c2"))
    with pytest.raises(DeploymentConfigExistsError):
        configs.create(config("zeta", "c3"))
    with pytest.raises(DeploymentConfigExistsError):
        configs.create(config(ONE, "c4"))
    assert configs.get("zeta")["deploymentConfigId"] == "c1"
    assert configs.get(ONE)["minimumHealthyHosts"] == {"type": "MOST_CONCURRENCY", "value": 1}
    assert configs.names() == [*sorted(PREDEFINED), "alpha", "zeta"]
    assert len(PREDEFINED) == 17


def test_a_revision_is_registered_once_and_described_anew(table: Table, groups: Groups) -> None:
    store = Revisions(table)
    place = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip", "eTag": '"e"'}}
    same = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip", "eTag": "e"}}
    store.register("shop", place, description="one", now=5)
    store.register("shop", same, description="two", now=9)
    found = store.get("shop", same)
    assert (found["location"], found["registerTime"], found["description"]) == (place, 5, "two")
    assert len(store.all_of("shop")) == 1
    with pytest.raises(ApplicationNotFoundError):
        store.register("nobody", place, description=None, now=5)
    Applications(table).delete("shop")
    with pytest.raises(RevisionNotFoundError):
        store.get("shop", place)
