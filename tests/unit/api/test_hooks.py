"""Answers to lifecycle hooks through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import ALICE, Refused, World

from tidegate.store.hooks import Hooks


@pytest.fixture
def deployment_id(shop: World) -> str:
    """A deployment to Lambda that waits for the hook ``run-1``."""
    found = shop.deploy()
    shop.services.deployments.amend(found, {"computePlatform": "Lambda"})
    Hooks(shop.table).open(found, "run-1", event="BeforeAllowTraffic", now=shop.now)
    return found


def answer(world: World, deployment_id: str, status: str = "Succeeded", run: str = "run-1") -> dict[str, Any]:
    given = {"deploymentId": deployment_id, "lifecycleEventHookExecutionId": run, "status": status}
    return world.call("PutLifecycleEventHookExecutionStatus", **given)


def refused(world: World, deployment_id: str, **given: str) -> str:
    with pytest.raises(Refused) as caught:
        answer(world, deployment_id, **given)
    return caught.value.code


@pytest.mark.parametrize("status", ["Succeeded", "Failed"])
def test_an_answer_is_recorded_and_wakes_the_deployment(shop: World, deployment_id: str, status: str) -> None:
    assert answer(shop, deployment_id, status) == {"lifecycleEventHookExecutionId": "run-1"}
    known = Hooks(shop.table).all_of(deployment_id)
    assert list(known) == ["run-1"]
    assert known["run-1"]["event"] == "BeforeAllowTraffic"
    assert known["run-1"]["answer"] == {"status": status, "time": shop.now, "by": ALICE}
    assert shop.signals.sent == [deployment_id]


def test_the_first_answer_counts(shop: World, deployment_id: str) -> None:
    answer(shop, deployment_id, "Failed")
    shop.now += 1
    for status in ("Succeeded", "Failed"):
        assert refused(shop, deployment_id, status=status) == "LifecycleEventAlreadyCompletedException"
    assert Hooks(shop.table).all_of(deployment_id)["run-1"]["answer"]["status"] == "Failed"
    assert shop.signals.sent == [deployment_id]


def test_an_answer_that_the_client_below_repeats_is_one(shop: World, deployment_id: str) -> None:
    hooks = Hooks(shop.table)
    first = hooks.answer(deployment_id, "run-1", status="Succeeded", now=1.5, by="me")
    assert hooks.answer(deployment_id, "run-1", status="Succeeded", now=1.5, by="me") == first


def test_opening_again_keeps_the_answer(shop: World, deployment_id: str) -> None:
    answer(shop, deployment_id)
    again = Hooks(shop.table).open(deployment_id, "run-1", event="BeforeAllowTraffic", now=shop.now + 9)
    assert again["answer"]["status"] == "Succeeded"


def test_ids_that_are_not_known(shop: World, deployment_id: str) -> None:
    for run in ("run-2", "", "x" * 513, "é" * 400):
        assert refused(shop, deployment_id, run=run) == "InvalidLifecycleEventHookExecutionIdException"
    assert shop.signals.sent == []


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Skipped", "Unknown", "succeeded"])
def test_statuses_that_are_no_answer(shop: World, deployment_id: str, status: str) -> None:
    assert refused(shop, deployment_id, status=status) == "InvalidLifecycleEventHookExecutionStatusException"


def test_a_status_is_needed(shop: World, deployment_id: str) -> None:
    with pytest.raises(Refused) as caught:
        shop.call(
            "PutLifecycleEventHookExecutionStatus", deploymentId=deployment_id, lifecycleEventHookExecutionId="run-1"
        )
    assert caught.value.code == "InvalidLifecycleEventHookExecutionStatusException"


def test_servers_have_no_such_hooks(shop: World) -> None:
    assert refused(shop, shop.deploy()) == "UnsupportedActionForDeploymentTypeException"
    assert refused(shop, "d-ZZZZZZZZZ") == "DeploymentDoesNotExistException"
    assert refused(shop, "nonsense") == "InvalidDeploymentIdException"


def test_an_answer_after_the_deployment_has_ended_is_too_late(shop: World, deployment_id: str) -> None:
    shop.end(deployment_id, "Failed")
    assert refused(shop, deployment_id) == "LifecycleEventAlreadyCompletedException"
    assert refused(shop, deployment_id, run="run-2") == "InvalidLifecycleEventHookExecutionIdException"
    assert "answer" not in Hooks(shop.table).all_of(deployment_id)["run-1"]


def test_an_answer_counts_though_the_deployment_cannot_be_woken(shop: World, deployment_id: str) -> None:
    shop.signals.fault = RuntimeError("down")
    answer(shop, deployment_id)
    assert Hooks(shop.table).all_of(deployment_id)["run-1"]["answer"]["status"] == "Succeeded"
