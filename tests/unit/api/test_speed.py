"""The number of table calls does not grow with the history; nor does what they read."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import ROLE, World, s3, target_item

from tidegate.model.names import revision_key
from tidegate.store.deployment_items import OVERVIEW, with_keys
from tidegate.store.memory import MemoryTable
from tidegate.store.table import Put

COUNTED = ("get", "get_many", "query", "count", "write", "write_many", "update_returning")


class Counting(MemoryTable):
    """A table that counts its calls and the items that they read."""

    calls = 0
    items = 0
    inside = False

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in COUNTED:
            return found

        def run(*args: Any, **named: Any) -> Any:
            inner, self.inside = self.inside, True
            answer = found(*args, **named)
            self.inside = inner
            if inner:
                return answer  # a verb that is made of another one
            self.calls += 1
            self.items += len(getattr(answer, "items", ()) if name == "query" else (1,))
            return answer

        return run


@pytest.fixture(params=[10, 1000], ids=lambda many: f"{many} deployments")
def world(request: pytest.FixtureRequest) -> World:
    """A group with a history, ended deployments but for the last one; 200 targets each in the last two."""
    world = World(table=Counting())
    world.shop()
    group_id = world.group_info()["deploymentGroupId"]
    ended = [history_item(world, group_id, number) for number in range(request.param)]
    world.table.write_many([Put(item) for item in ended])
    world.now += 5000
    live = world.deploy()
    for deployment_id in (live, "d-OLD000000"):
        world.fleet(deployment_id, {f"i-{number:03}": None for number in range(200)})
        world.table.write(Put(target_item(deployment_id, "i-000", "Succeeded")))
    world.ids = [live]
    return world


def history_item(world: World, group_id: str, number: int) -> dict[str, Any]:
    return with_keys(
        {
            "deploymentId": f"d-OLD{number:06}",
            "applicationName": "shop",
            "deploymentGroupName": "prod",
            "deploymentGroupId": group_id,
            "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
            "computePlatform": "Server",
            "location": s3(),
            "revisionKey": revision_key(s3()),
            "status": "Failed" if number % 100 == 7 else "Succeeded",
            "createTime": world.now + number,
            "overview": dict.fromkeys(OVERVIEW, 0),
        }
    )


GROUP = {"applicationName": "shop", "deploymentGroupName": "prod"}
#: Operation, input, and how many calls of the table it may make.
BUDGETS: list[tuple[str, dict[str, Any], int]] = [
    ("GetDeployment", {"deploymentId": "d-OLD000000"}, 1),
    ("BatchGetDeployments", {"deploymentIds": ["d-OLD000000", "d-OLD000001"]}, 1),
    ("ListDeployments", {}, 1),
    ("ListDeployments", {"includeOnlyStatuses": ["Failed"]}, 1),
    ("ListDeployments", {"includeOnlyStatuses": ["InProgress"]}, 1),
    ("ListDeployments", {"createTimeRange": {"start": 1764000002, "end": 1764000005}}, 1),
    ("ListDeployments", {"externalId": "x"}, 0),
    ("ListDeployments", GROUP, 3),
    ("ListDeployments", {**GROUP, "includeOnlyStatuses": ["Failed"]}, 3),
    ("ListDeployments", {**GROUP, "includeOnlyStatuses": ["Created", "InProgress"]}, 3),
    ("ListDeployments", {**GROUP, "createTimeRange": {"start": 1764000002}}, 3),
    ("ListDeploymentTargets", {"deploymentId": "d-OLD000000"}, 2),
    ("ListDeploymentTargets", {"deploymentId": "d-OLD000000", "targetFilters": {"TargetStatus": ["Failed"]}}, 3),
    ("ListDeploymentInstances", {"deploymentId": "d-OLD000000"}, 2),
    ("GetDeploymentTarget", {"deploymentId": "d-OLD000000", "targetId": "i-000"}, 1),
    ("GetDeploymentGroup", GROUP, 2),
    ("CreateDeploymentGroup", {**GROUP, "deploymentGroupName": "new", "serviceRoleArn": ROLE}, 3),
    ("StopDeployment", {"deploymentId": "live"}, 3),
]


@pytest.mark.parametrize(("operation", "given", "budget"), BUDGETS, ids=[f"{b[0]}-{'-'.join(b[1])}" for b in BUDGETS])
def test_table_calls_do_not_grow_with_the_history(
    world: World, operation: str, given: dict[str, Any], budget: int
) -> None:
    table = world.table
    assert isinstance(table, Counting)
    given = {name: world.ids[0] if value == "live" else value for name, value in given.items()}
    table.calls = table.items = 0
    world.call(operation, **given)
    assert table.calls <= budget
    assert table.items <= 1010


def test_the_live_deployment_is_found_without_looking_through_the_history(world: World) -> None:
    table = world.table
    assert isinstance(table, Counting)
    table.items = 0
    wanted = {**GROUP, "includeOnlyStatuses": ["Created", "InProgress"]}
    assert world.call("ListDeployments", **wanted)["deployments"] == world.ids
    assert table.items <= 3
    for more in ({"includeOnlyStatuses": ["InProgress"]}, {"createTimeRange": {"end": world.now - 1}}):
        assert world.call("ListDeployments", **{**wanted, **more})["deployments"] == []
    world.end(world.ids[0])
    assert world.call("ListDeployments", **wanted)["deployments"] == []
