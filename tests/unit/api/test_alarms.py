"""Alarms in the API: kept with groups, given to deployments, overridden by a call."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.group_cases import alarms
from tests.unit.api.world import World


def watched(shop: World, **given: Any) -> Any:
    return shop.services.deployments.get(shop.deploy(group="g", **given)).get("alarms")


@pytest.fixture
def watching(shop: World) -> World:
    shop.group("g", **alarms("errors", "latency", enabled=True))
    return shop


def test_a_group_shows_its_alarms(watching: World) -> None:
    info = watching.call("GetDeploymentGroup", applicationName="shop", deploymentGroupName="g")["deploymentGroupInfo"]
    assert info["alarmConfiguration"] == {"enabled": True, "alarms": [{"name": "errors"}, {"name": "latency"}]}


def test_a_deployment_watches_its_groups_alarms_of_then(watching: World) -> None:
    first = watching.deploy(group="g")
    watching.call(
        "UpdateDeploymentGroup", applicationName="shop", currentDeploymentGroupName="g", alarmConfiguration={}
    )
    kept = watching.services.deployments.get(first)["alarms"]
    assert kept == {"names": ["errors", "latency"], "ignorePollFailure": False}
    assert "alarms" not in watching.info(first), "the API has no such member"
    watching.end(first)
    assert watched(watching) is None


OFF = {"enabled": False}
OWN = {"enabled": True, "ignorePollAlarmFailure": True, "alarms": [{"name": "own"}]}


@pytest.mark.parametrize(("override", "expected"), [(OFF, None), (OWN, {"names": ["own"], "ignorePollFailure": True})])
def test_a_call_may_have_other_alarms_or_none_and_shows_them(
    watching: World, override: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    deployed = watching.deploy(group="g", overrideAlarmConfiguration=override)
    assert watching.services.deployments.get(deployed).get("alarms") == expected
    assert watching.info(deployed)["overrideAlarmConfiguration"] == override
