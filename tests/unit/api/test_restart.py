"""Restarts through the door: what they take from their group, and what they cannot have."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import Refused, World, s3


def restart(world: World, **given: Any) -> str:
    answer = world.call(
        "CreateDeployment", applicationName="shop", deploymentGroupName="prod", deploymentMode="RESTART", **given
    )
    return str(answer["deploymentId"])


def test_a_restart_takes_the_last_good_revision(shop: World) -> None:
    good = shop.deploy("v1.zip")
    shop.end(good)
    shop.end(shop.deploy("v2.zip"), "Failed")
    restarted = restart(shop)

    info = shop.info(restarted)
    assert (info["deploymentMode"], info["revision"]) == ("RESTART", s3("v1.zip"))
    assert "restartOf" not in info
    assert "deploymentMode" not in shop.info(good)
    assert shop.services.deployments.get(restarted)["restartOf"] == good
    assert shop.executions.started[-1] == (restarted, 1)


def test_a_restart_that_succeeded_leaves_what_is_good_as_it_is(shop: World) -> None:
    good = shop.deploy("v1.zip")
    shop.end(good)
    first = restart(shop)
    shop.end(first)
    assert shop.group_info()["lastSuccessfulDeployment"]["deploymentId"] == first
    assert shop.group_info()["targetRevision"] == s3("v1.zip")
    assert shop.services.deployments.get(restart(shop))["restartOf"] == good


def test_the_mode_that_is_the_default_may_be_named(shop: World) -> None:
    assert "deploymentMode" not in shop.info(shop.deploy(deploymentMode="STANDARD"))


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"revision": s3("v1.zip")}, "InvalidRevisionException", "'revision'"),
        (
            {"updateOutdatedInstancesOnly": True},
            "InvalidUpdateOutdatedInstancesOnlyValueException",
            "'updateOutdatedInstancesOnly'",
        ),
    ],
)
def test_a_restart_refuses_what_it_cannot_have(shop: World, given: dict[str, Any], code: str, field: str) -> None:
    shop.end(shop.deploy())
    with pytest.raises(Refused) as caught:
        restart(shop, **given)
    assert caught.value.code == code
    assert field in caught.value.message
    restart(shop, updateOutdatedInstancesOnly=False)


def test_a_restart_needs_a_deployment_that_succeeded(shop: World) -> None:
    shop.end(shop.deploy(), "Failed")
    with pytest.raises(Refused) as caught:
        restart(shop)
    assert caught.value.code == "RevisionDoesNotExistException"
    assert "Deploy a revision first" in caught.value.message
