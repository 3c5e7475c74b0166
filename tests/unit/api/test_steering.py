"""Stopping and continuing through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import ALICE, Refused, World


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ({}, {}),
        ({"autoRollbackEnabled": True}, {"autoRollback": True}),
        ({"autoRollbackEnabled": False}, {"autoRollback": False}),
    ],
)
def test_a_stop_is_recorded_and_the_deployment_woken(
    shop: World, given: dict[str, Any], recorded: dict[str, Any]
) -> None:
    deployment_id = shop.deploy()
    answer = shop.call("StopDeployment", deploymentId=deployment_id, **given)
    assert answer["status"] == "Pending"
    assert answer["statusMessage"]
    stop = shop.services.deployments.get(deployment_id)["stop"]
    assert stop == {"time": shop.now, "by": ALICE, **recorded}
    assert shop.signals.sent == [deployment_id]


def test_asking_again_says_how_far_it_is(shop: World) -> None:
    deployment_id = shop.deploy()
    shop.call("StopDeployment", deploymentId=deployment_id, autoRollbackEnabled=True)
    assert shop.call("StopDeployment", deploymentId=deployment_id)["status"] == "Pending"
    assert shop.services.deployments.get(deployment_id)["stop"]["autoRollback"] is True
    shop.end(deployment_id, "Stopped")
    assert shop.call("StopDeployment", deploymentId=deployment_id)["status"] == "Succeeded"


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Stopped"])
def test_what_has_ended_by_itself_cannot_be_stopped(shop: World, status: str) -> None:
    deployment_id = shop.deploy()
    shop.end(deployment_id, status)
    with pytest.raises(Refused) as caught:
        shop.call("StopDeployment", deploymentId=deployment_id)
    assert caught.value.code == "DeploymentAlreadyCompletedException"
    assert shop.signals.sent == []


def test_a_signal_that_fails_does_not_fail_the_stop(shop: World) -> None:
    deployment_id = shop.deploy()
    shop.signals.fault = OSError("no network")
    assert shop.call("StopDeployment", deploymentId=deployment_id)["status"] == "Pending"
    assert "stop" in shop.services.deployments.get(deployment_id)


@pytest.mark.parametrize("operation", ["StopDeployment", "ContinueDeployment", "SkipWaitTimeForInstanceTermination"])
def test_ids_that_are_wrong_or_unknown(shop: World, operation: str) -> None:
    for name, code in (("d-1", "InvalidDeploymentId"), ("d-ZZZZZZZZZ", "DeploymentDoesNotExist")):
        with pytest.raises(Refused) as caught:
            shop.call(operation, deploymentId=name)
        assert caught.value.code == f"{code}Exception"


@pytest.mark.parametrize("operation", ["ContinueDeployment", "SkipWaitTimeForInstanceTermination"])
def test_a_deployment_in_place_has_nothing_to_continue(shop: World, operation: str) -> None:
    deployment_id = shop.deploy()
    with pytest.raises(Refused) as caught:
        shop.call(operation, deploymentId=deployment_id)
    assert caught.value.code == "UnsupportedActionForDeploymentTypeException"
    shop.end(deployment_id)
    with pytest.raises(Refused) as caught:
        shop.call(operation, deploymentId=deployment_id)
    assert caught.value.code == "DeploymentAlreadyCompletedException"
