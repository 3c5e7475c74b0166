"""Decisions and installations through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import TIDEGATE, Refused, World, s3

from tidegate.model.names import revision_key
from tidegate.store.table import Put, sort_time

KEY = revision_key(s3())


def installed(world: World, deployment_id: str, target: str, now: float) -> None:
    place = f"{sort_time(now)}#{deployment_id}"
    item = {
        "PK": f"HOST#{target}",
        "SK": place,
        "GSI1PK": f"INSTALLED#shop#{KEY}",
        "GSI1SK": f"{place}#{target}",
        "GSI2PK": f"INSTALLED#{deployment_id}",
        "GSI2SK": target,
        "applicationName": "shop",
        "deploymentGroupName": "prod",
        "deploymentId": deployment_id,
        "location": s3(),
        "revisionKey": KEY,
        "result": "Succeeded",
        "startTime": now,
        "endTime": now + 2,
    }
    world.table.write(Put(item))


def report(world: World, **given: Any) -> list[tuple[str, str]]:
    found = world.call("ListInstallations", TIDEGATE, **given)["installations"]
    return [(each["targetId"], each["deploymentId"]) for each in found]


def test_decisions_in_their_order_and_in_pages(shop: World) -> None:
    deployment_id = shop.deploy()
    for number in range(101):
        decision = {
            "time": shop.now,
            "kind": "Batch",
            "code": "WINDOW",
            "reason": f"Reason {number}.",
            "facts": {"n": 1},
        }
        shop.table.write(Put({"PK": f"DEP#{deployment_id}", "SK": f"DECISION#{number:06}", **decision}))
    first = shop.call("ListDecisions", TIDEGATE, deploymentId=deployment_id)
    rest = shop.call("ListDecisions", TIDEGATE, deploymentId=deployment_id, nextToken=first["nextToken"])
    assert first["decisions"][0] == {"time": shop.now, "kind": "Batch", "code": "WINDOW", "reason": "Reason 0."}
    reasons = [each["reason"] for each in first["decisions"] + rest["decisions"]]
    assert reasons == [f"Reason {number}." for number in range(101)]
    assert "nextToken" not in rest


def test_decisions_of_what_is_not_there(world: World) -> None:
    for given, code in (
        ({"deploymentId": "d-ZZZZZZZZZ"}, "DeploymentDoesNotExistException"),
        ({"deploymentId": "d-1"}, "InvalidDeploymentIdException"),
        ({}, "DeploymentIdRequiredException"),
    ):
        with pytest.raises(Refused) as caught:
            world.call("ListDecisions", TIDEGATE, **given)
        assert caught.value.code == code


def test_the_report_by_target_by_deployment_and_by_revision(world: World) -> None:
    one, two = "d-AAAAAAAAA", "d-BBBBBBBBB"
    installed(world, one, "i-2", 100.0)
    installed(world, one, "i-1", 100.0)
    installed(world, two, "i-1", 200.5)
    assert report(world, targetId="i-1") == [("i-1", two), ("i-1", one)]
    assert report(world, deploymentId=one) == [("i-1", one), ("i-2", one)]
    assert report(world, applicationName="shop", revisionKey=KEY) == [("i-1", two), ("i-2", one), ("i-1", one)]
    assert report(world, applicationName="shop", revisionKey="0" * 40) == []
    found = world.call("ListInstallations", TIDEGATE, deploymentId=two)["installations"]
    assert found == [
        {
            "targetId": "i-1",
            "applicationName": "shop",
            "deploymentGroupName": "prod",
            "deploymentId": two,
            "location": s3(),
            "revisionKey": KEY,
            "result": "Succeeded",
            "startTime": 200.5,
            "endTime": 202.5,
        }
    ]


def test_a_long_report_is_paged(world: World) -> None:
    for number in range(130):
        installed(world, "d-AAAAAAAAA", f"i-{number:03}", 100.0)
    first = world.call("ListInstallations", TIDEGATE, deploymentId="d-AAAAAAAAA")
    rest = world.call("ListInstallations", TIDEGATE, deploymentId="d-AAAAAAAAA", nextToken=first["nextToken"])
    names = [each["targetId"] for each in first["installations"] + rest["installations"]]
    assert names == [f"i-{number:03}" for number in range(130)]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"targetId": "i-1", "deploymentId": "d-AAAAAAAAA"},
        {"applicationName": "shop"},
        {"revisionKey": KEY},
        {"targetId": "i-1", "applicationName": "shop", "revisionKey": KEY},
    ],
)
def test_the_report_asks_one_thing_at_a_time(world: World, given: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        report(world, **given)
    assert caught.value.code == "InvalidInputException"
