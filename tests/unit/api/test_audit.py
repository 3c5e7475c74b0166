"""Who did what: every change leaves a record, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import ALICE, CODEDEPLOY, ROLE, TIDEGATE, Refused, World, s3

from tidegate.api import ApiRequest, handle, service_models
from tidegate.api.audit import shortened
from tidegate.store.errors import TableBusyError
from tidegate.store.memory import MemoryTable

DAY = "2025-11-24"


def changes(world: World, **given: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.call("ListChanges", TIDEGATE, **given)["changes"]
    return found


def prepared(world: World) -> str:
    world.call("CreateApplication", applicationName="shop")
    world.call("CreateDeploymentGroup", applicationName="shop", deploymentGroupName="prod", serviceRoleArn=ROLE)
    made = world.call("CreateDeployment", applicationName="shop", deploymentGroupName="prod", revision=s3())
    return str(made["deploymentId"])


class Counted(World):
    """Requests with ids and times of their own."""

    def call(self, operation: str, service: str = CODEDEPLOY, **given: Any) -> dict[str, Any]:
        self.now += 1
        return super().call(operation, service, **given)


@pytest.fixture
def world() -> World:
    return Counted()


def test_each_change_says_who_what_and_when(world: World) -> None:
    deployment_id = prepared(world)
    world.call("StopDeployment", deploymentId=deployment_id)
    found = changes(world, applicationName="shop")
    assert [each["operation"] for each in found] == [
        "StopDeployment",
        "CreateDeployment",
        "CreateDeploymentGroup",
        "CreateApplication",
    ]
    assert {each["caller"] for each in found} == {ALICE}
    assert {each["requestId"] for each in found} == {"req-1"}
    times = [each["time"] for each in found]
    assert times == sorted(times, reverse=True)
    stopped, created = found[:2]
    for each in (stopped, created):
        assert each["deploymentId"] == deployment_id
        assert (each["applicationName"], each["deploymentGroupName"]) == ("shop", "prod")
    assert stopped["parameters"] == {"deploymentId": deployment_id}
    assert '"bucket":"releases"' in created["parameters"]["revision"]


def test_changes_are_found_by_caller_and_by_day(world: World) -> None:
    prepared(world)
    world.call("CreateApplication", applicationName="bank")
    assert [each["applicationName"] for each in changes(world, callerArn=ALICE)] == ["bank", "shop", "shop", "shop"]
    assert len(changes(world, day=DAY)) == len(changes(world)) == 4
    assert changes(world, day="2025-11-23") == changes(world, callerArn=f"{ALICE}x") == []
    assert [each["applicationName"] for each in changes(world, applicationName="bank")] == ["bank"]
    last = changes(world)[0]["time"]
    assert len(changes(world, timeRange={"start": last})) == len(changes(world, timeRange={"end": last - 2.5})) == 1


def test_what_changes_nothing_leaves_nothing(world: World) -> None:
    prepared(world)
    before = world.table.query(f"CHANGES#{DAY}").items
    world.call("GetApplication", applicationName="shop")
    world.call("ListDeployments")
    world.call("BatchGetApplications", applicationNames=["shop"])
    for operation, given in (
        ("CreateApplication", {"applicationName": "shop"}),
        ("CreateApplication", {"applicationName": "no/name"}),
        ("CreateDeployment", {"applicationName": "shop", "deploymentGroupName": "prod", "revision": s3()}),
        ("StopDeployment", {"deploymentId": "d-ZZZZZZZZZ"}),
    ):
        with pytest.raises(Refused):
            world.call(operation, **given)
    assert world.table.query(f"CHANGES#{DAY}").items == before


def test_a_call_that_writes_often_leaves_one_record(world: World) -> None:
    world.call("CreateApplication", applicationName="shop")
    for name in ("a", "b", "c"):
        world.call("CreateDeploymentGroup", applicationName="shop", deploymentGroupName=name, serviceRoleArn=ROLE)
        world.call("RegisterApplicationRevision", applicationName="shop", revision=s3(key=f"{name}.zip"))
    world.call("DeleteApplication", applicationName="shop")
    found = changes(world, applicationName="shop")
    assert [each["operation"] for each in found].count("DeleteApplication") == 1
    assert len(found) == 8


def test_a_change_without_an_application_is_found_by_day_and_caller(world: World) -> None:
    world.call(
        "CreateDeploymentConfig",
        deploymentConfigName="Half",
        minimumHealthyHosts={"type": "FLEET_PERCENT", "value": 50},
    )
    (found,) = changes(world)
    assert (found["operation"], found.get("applicationName")) == ("CreateDeploymentConfig", None)
    assert found["parameters"]["deploymentConfigName"] == "Half"
    assert changes(world, callerArn=ALICE) == [found]


class Failing(MemoryTable):
    """Loses the first transaction that holds a record."""

    failed = False

    def write(self, *writes: Any) -> None:
        if not self.failed and len(writes) > 1:
            self.failed = True
            raise TableBusyError("busy")
        super().write(*writes)


def test_change_and_record_come_together_or_not_at_all() -> None:
    world = Counted(table=Failing())
    with pytest.raises(Refused, match="ThrottlingException"):
        world.call("CreateApplication", applicationName="shop")
    assert world.call("ListApplications")["applications"] == []
    assert changes(world) == []
    world.call("CreateApplication", applicationName="shop")
    assert len(changes(world)) == 1


def test_pages_go_through_all_changes(world: World) -> None:
    for number in range(230):
        world.call("CreateApplication", applicationName=f"a{number:03}")
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = world.call("ListChanges", TIDEGATE, day=DAY, **token)
        assert len(page["changes"]) <= 100
        names += [each["applicationName"] for each in page["changes"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert names == [f"a{number:03}" for number in reversed(range(230))]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"applicationName": "a", "callerArn": ALICE}, "InvalidInputException"),
        ({"applicationName": "a", "day": DAY}, "InvalidInputException"),
        ({"day": "yesterday"}, "ValidationException"),
        ({"timeRange": {"start": 2, "end": 1}}, "InvalidTimeRangeException"),
        ({"nextToken": "x"}, "InvalidNextTokenException"),
    ],
)
def test_bad_questions_are_refused(world: World, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        changes(world, **given)
    assert caught.value.code == code


def test_parameters_are_short_and_hold_no_secrets() -> None:
    operation = service_models.codedeploy().operation_model("CreateDeployment")
    kept = shortened(
        operation.input_shape,
        {
            "applicationName": "shop",
            "description": "d" * 256,
            "ignoreApplicationStopFailures": False,
            "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": "pass: x", "sha256": "ab"}},
        },
    )
    assert kept["description"] == "d" * 199 + "…"
    assert kept["ignoreApplicationStopFailures"] == "false"
    assert kept["revision"] == '{"revisionType":"AppSpecContent","appSpecContent":{"sha256":"ab"}}'
    assert "pass" not in str(kept)


def test_a_request_without_a_caller_or_an_id_is_recorded_too() -> None:
    world = World()
    response = handle(ApiRequest("POST", "/CreateApplication/shop", {}, b"{}"), world.services)
    assert response.status == 200
    (found,) = changes(world)
    assert found["requestId"] == response.headers["x-amzn-RequestId"]
    assert found["caller"] == ""
