"""Conflicting calls at the same time: one runs whole between any two table calls of the other, or the other dies there.

Whatever happens, each call succeeds or is refused by an error that it models, and what is kept afterwards is sound.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from tests.contract.store.tables import new_dynamo_table
from tests.unit.api.world import ROLE, Refused, World, s3

from tidegate.api import service_models
from tidegate.model.deployment import TERMINAL
from tidegate.store.application_items import is_open
from tidegate.store.memory import MemoryTable
from tidegate.store.table import Item, Put, Table

PLACE = "arn:aws:codedeploy:us-east-1:123456789012"
MINIMUM = {"type": "HOST_COUNT", "value": 1}
NAMES = ("shop", "store", "other")
COMMON = {"ThrottlingException"}
VERBS = ("get", "get_many", "query", "count", "write", "write_many", "update_returning")


class DiedError(BaseException):
    """The caller is gone."""


class Interleaved:
    """A table at whose n-th call (from 0) something else happens first."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._calls = 0
        self._at, self._then = -1, lambda: None

    def before(self, call: int, then: Callable[[], Any]) -> None:
        self._calls, self._at, self._then = 0, call, then

    @property
    def reached(self) -> bool:
        return self._calls > self._at

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self._table, verb)
        if verb not in VERBS:
            return real

        def run(*args: Any, **named: Any) -> Any:
            number, self._calls = self._calls, self._calls + 1
            if number == self._at:
                self._then()
            return real(*args, **named)

        return run


def worlds(table: Table) -> tuple[World, World, Interleaved]:
    """The same account twice: through the table itself, and through one that can be interrupted."""
    table.write_many([Put(item) for item in beginning()])
    slow = Interleaved(table)
    first, second = World(table=table), World(table=slow)  # type: ignore[arg-type]
    first._drawn, second._drawn = 100, 500
    return first, second, slow


@cache
def beginning() -> list[Item]:
    """What is there before the calls."""
    world = World(ids=["d-LIVE00001"])
    world.shop()
    world.call("CreateApplication", applicationName="other")
    for name in ("mine", "idle"):
        world.call("CreateDeploymentConfig", deploymentConfigName=name, minimumHealthyHosts=MINIMUM)
    world.group("live", deploymentConfigName="mine")
    world.call("RegisterApplicationRevision", applicationName="shop", revision=s3("v0.zip"))
    world.deploy(group="live")
    places = ("APP#shop", "APP#other", "CONFIG#mine", "CONFIG#idle", "DEP#d-LIVE00001")
    return [item for place in places for item in world.table.query(place).items]


def group_call(operation: str, group: str, **given: Any) -> Callable[[World], Any]:
    name = "currentDeploymentGroupName" if operation == "UpdateDeploymentGroup" else "deploymentGroupName"
    return lambda world: world.call(operation, applicationName="shop", **{name: group}, **given)


def call(operation: str, **given: Any) -> Callable[[World], Any]:
    return lambda world: world.call(operation, **given)


CALLS: dict[str, Callable[[World], Any]] = {
    "CreateApplication": call("CreateApplication", applicationName="store"),
    "DeleteApplication": call("DeleteApplication", applicationName="shop"),
    "UpdateApplication": call("UpdateApplication", applicationName="shop", newApplicationName="store"),
    "UpdateApplication-other": call("UpdateApplication", applicationName="other", newApplicationName="store"),
    "CreateDeploymentGroup": group_call(
        "CreateDeploymentGroup", "fresh", serviceRoleArn=ROLE, deploymentConfigName="idle"
    ),
    "UpdateDeploymentGroup": group_call("UpdateDeploymentGroup", "live", deploymentConfigName="idle"),
    "UpdateDeploymentGroup-back": group_call(
        "UpdateDeploymentGroup", "live", deploymentConfigName="CodeDeployDefault.AllAtOnce"
    ),
    "UpdateDeploymentGroup-rename": group_call("UpdateDeploymentGroup", "prod", newDeploymentGroupName="fresh"),
    "DeleteDeploymentGroup": group_call("DeleteDeploymentGroup", "prod"),
    "DeleteDeploymentGroup-live": group_call("DeleteDeploymentGroup", "live"),
    "DeleteDeploymentConfig": call("DeleteDeploymentConfig", deploymentConfigName="idle"),
    "CreateDeploymentConfig": call("CreateDeploymentConfig", deploymentConfigName="fresh", minimumHealthyHosts=MINIMUM),
    "CreateDeployment": group_call("CreateDeployment", "prod", revision=s3("v2.zip")),
    "RegisterApplicationRevision": call("RegisterApplicationRevision", applicationName="shop", revision=s3("v3.zip")),
    "TagResource": call("TagResource", ResourceArn=f"{PLACE}:application:shop", Tags=[{"Key": "k", "Value": "v"}]),
    "TagResource-group": call(
        "TagResource", ResourceArn=f"{PLACE}:deploymentgroup:shop/prod", Tags=[{"Key": "k", "Value": "v"}]
    ),
    "UntagResource": call("UntagResource", ResourceArn=f"{PLACE}:application:shop", TagKeys=["k"]),
    "StopDeployment": call("StopDeployment", deploymentId="d-LIVE00001"),
    "the end of a deployment": lambda world: world.end("d-LIVE00001"),
}


def outcome(name: str, world: World) -> str:
    """Empty where the call succeeded, else the error, which must be one that the operation models."""
    try:
        CALLS[name](world)
    except Refused as caught:
        refused = caught
    else:
        return ""
    modelled = service_models.codedeploy().operation_model(name.partition("-")[0]).error_shapes
    assert refused.code in {shape.name for shape in modelled} | COMMON, (name, refused)
    return refused.code.removesuffix("Exception")


def applications(table: Table) -> dict[str, Item]:
    found = {name: table.get((f"APP#{name}", "APP")) for name in NAMES}
    return {name: item for name, item in found.items() if item is not None}


def assert_sound(world: World) -> None:
    """Nothing is left that belongs to nothing; locks, references and lists agree."""
    table = world.table
    for name in NAMES:
        world.services.applications.settle(name)
    known = applications(table)
    assert all(is_open(item) and "renamedFrom" not in item for item in known.values())
    assert world.call("ListApplications")["applications"] == sorted(known)
    groups: dict[str, Item] = {}
    for name in NAMES:
        inside = [item for item in table.query(f"APP#{name}").items if item["SK"] != "APP"]
        assert not inside or name in known, inside
        for item in inside:
            if item["SK"].startswith("GROUP#"):
                assert item["info"]["applicationName"] == name
                assert item["SK"] == f"GROUP#{item['info']['deploymentGroupName']}"
                assert item["deploymentGroupId"] not in groups
                groups[item["deploymentGroupId"]] = item
    assert_configs(table, groups)
    assert_locks(table, groups)


def assert_configs(table: Table, groups: dict[str, Item]) -> None:
    used: dict[str, set[str]] = {}
    for group_id, group in groups.items():
        used.setdefault(group["info"]["deploymentConfigName"], set()).add(group_id)
    for name in ("mine", "idle", "fresh"):
        item = table.get((f"CONFIG#{name}", "CONFIG"))
        assert (item or {}).get("groups", set()) == used.get(name, set()), name


def assert_locks(table: Table, groups: dict[str, Item]) -> None:
    deployments = {item["deploymentId"]: item for item in table.query("DEPS", index="GSI2").items}
    for group in groups.values():
        if "live" in group:
            live = deployments[group["live"]]
            assert live["status"] not in TERMINAL
            assert live["deploymentGroupId"] == group["deploymentGroupId"]
            assert live["applicationName"] == group["info"]["applicationName"]
            assert live["deploymentGroupName"] == group["info"]["deploymentGroupName"]
    for deployment in deployments.values():
        if deployment["status"] not in TERMINAL and deployment["deploymentGroupId"] in groups:
            assert groups[deployment["deploymentGroupId"]]["live"] == deployment["deploymentId"]


def interleave(new_table: Callable[[], Table], slow_name: str, quick_name: str) -> set[tuple[str, str]]:
    """All outcomes of a call within which another one runs, at each of its table calls."""
    seen = set()
    for number in range(60):
        first, second, slow = worlds(new_table())
        quick: list[str] = []
        slow.before(number, lambda world=first, told=quick: told.append(outcome(quick_name, world)))
        answer = outcome(slow_name, second)
        if not slow.reached:
            return seen
        assert_sound(first)
        seen.add((answer, quick[0]))
    raise AssertionError(f"{slow_name} makes more than 60 table calls")


@pytest.mark.parametrize("quick", CALLS)
@pytest.mark.parametrize("slow", CALLS)
def test_any_two_calls_leave_what_is_sound(slow: str, quick: str) -> None:
    assert interleave(MemoryTable, slow, quick)


BOTH = [
    ("DeleteApplication", "CreateDeploymentGroup"),
    ("CreateDeploymentGroup", "DeleteApplication"),
    ("UpdateApplication", "CreateDeployment"),
    ("the end of a deployment", "UpdateApplication"),
    ("UpdateDeploymentGroup", "DeleteDeploymentConfig"),
]


@pytest.mark.parametrize(("slow", "quick"), BOTH, ids=[" within ".join(reversed(pair)) for pair in BOTH])
def test_the_database_does_as_its_twin(dynamodb: Any, slow: str, quick: str) -> None:
    assert interleave(lambda: new_dynamo_table(dynamodb), slow, quick) == interleave(MemoryTable, slow, quick)


#: Which of two wins: the outcomes (of the slow call, of the quick one) that there can be.
WINNERS = [
    ("CreateApplication", "CreateApplication", {("ApplicationAlreadyExists", "")}),
    ("CreateDeploymentGroup", "CreateDeploymentGroup", {("DeploymentGroupAlreadyExists", "")}),
    ("CreateDeploymentConfig", "CreateDeploymentConfig", {("DeploymentConfigAlreadyExists", "")}),
    ("CreateDeployment", "CreateDeployment", {("DeploymentLimitExceeded", "")}),
    (
        "UpdateApplication",
        "UpdateApplication-other",
        {("ApplicationAlreadyExists", ""), ("", "ApplicationAlreadyExists")},
    ),
    ("CreateApplication", "UpdateApplication", {("ApplicationAlreadyExists", "")}),
    ("UpdateDeploymentGroup-rename", "CreateDeploymentGroup", {("DeploymentGroupAlreadyExists", "")}),
    (
        "CreateDeploymentGroup",
        "DeleteApplication",
        {("ApplicationDoesNotExist", "")},
    ),
    (
        "DeleteApplication",
        "CreateDeploymentGroup",
        {("", ""), ("", "ApplicationDoesNotExist")},
    ),
    ("RegisterApplicationRevision", "DeleteApplication", {("ApplicationDoesNotExist", "")}),
    ("CreateDeployment", "DeleteDeploymentGroup", {("DeploymentGroupDoesNotExist", "")}),
    (
        "CreateDeployment",
        "DeleteApplication",
        {("ApplicationDoesNotExist", ""), ("DeploymentGroupDoesNotExist", "")},
    ),
    ("DeleteDeploymentConfig", "UpdateDeploymentGroup", {("DeploymentConfigInUse", "")}),
    ("UpdateDeploymentGroup", "DeleteDeploymentConfig", {("DeploymentConfigDoesNotExist", "")}),
    ("UpdateDeploymentGroup", "the end of a deployment", {("", "")}),
    ("the end of a deployment", "UpdateDeploymentGroup", {("", "")}),
    ("the end of a deployment", "UpdateApplication", {("", "")}),
]


@pytest.mark.parametrize(("slow", "quick", "outcomes"), WINNERS, ids=[f"{w[1]} within {w[0]}" for w in WINNERS])
def test_one_of_two_wins(slow: str, quick: str, outcomes: set[tuple[str, str]]) -> None:
    assert interleave(MemoryTable, slow, quick) == outcomes


@pytest.mark.parametrize(
    "dies", ["CreateApplication", "DeleteApplication", "UpdateApplication", "CreateDeploymentGroup"]
)
def test_one_who_dies_half_way_is_finished_by_whoever_comes_next(dies: str) -> None:
    for number in range(60):
        first, second, slow = worlds(MemoryTable())

        def die() -> None:
            raise DiedError

        slow.before(number, die)
        try:
            outcome(dies, second)
        except DiedError:
            # Before anybody settles anything: what is half done is not to be seen.
            names = first.call("ListApplications")["applications"]
            assert sorted(names) in (["other", "shop"], ["other"], ["other", "store"], ["other", "shop", "store"])
            for name in names:
                first.call("ListDeploymentGroups", applicationName=name)
            assert outcome("CreateApplication", first) in ("", "ApplicationAlreadyExists")
            assert_sound(first)
            outcome(dies, first)
            assert_sound(first)
            continue
        break
    assert number > 1


def test_nothing_of_a_deleted_application_comes_back_with_its_name() -> None:
    for number in range(60):
        first, second, slow = worlds(MemoryTable())

        def die() -> None:
            raise DiedError

        slow.before(number, die)
        try:
            outcome("DeleteApplication", second)
        except DiedError:
            closed = "shop" not in first.call("ListApplications")["applications"]
            if closed:
                first.call("CreateApplication", applicationName="shop")
                assert first.call("ListDeploymentGroups", applicationName="shop")["deploymentGroups"] == []
                assert first.call("ListApplicationRevisions", applicationName="shop")["revisions"] == []
            continue
        break
    assert number > 5
