"""What is launched into an original Auto Scaling group during a blue/green deployment has no traffic afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.functions.copied_groups import Scaled
from tests.unit.functions.hosts import Host
from tests.unit.functions.target_groups import WEB

from tidegate.gateways.errors import FleetFault

LATE = "i-late"
COPY, DISCOVER = "COPY_AUTO_SCALING_GROUP", "DISCOVER_EXISTING"


def fleets_and_one_more(attached: bool = True) -> Scaled:
    """Originals of ``web``, which is attached to the balancer or not, and one more that comes once it has begun."""
    fleets = Scaled()
    fleets.groups.rows["web"]["TargetGroupARNs"] = [WEB.key] if attached else []

    def come(_deployment: str) -> None:
        fleets.groups.join("web", LATE)
        fleets.balancer.allow([WEB], [LATE])

    fleets.when("InProgress", come, after=5)
    return fleets


def deploy(
    fleets: Scaled, provision: str, terminate: int | None = None, fails: frozenset[str] = frozenset()
) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if provision == DISCOVER:
        fleets.groups.add("next", "i-next1", "i-next2")
        for each in ("i-next1", "i-next2"):
            fleets.account.hosts[each] = Host(fails=fails, tags={"tidegate:managed": "true"})
        more["targetInstances"] = {"autoScalingGroups": ["next"]}
    more["blueGreenDeploymentConfiguration"] = fleets.start_options(provision, terminate)
    deployed = fleets.start(**more)
    fleets.account.run()
    return fleets.account.deployment(deployed)


@pytest.mark.parametrize("attached", [True, False], ids=["attached", "registered by its launch deployment"])
@pytest.mark.parametrize("provision", [COPY, DISCOVER])
def test_an_original_that_came_late_has_no_traffic_after_success(provision: str, attached: bool) -> None:
    fleets = fleets_and_one_more(attached)
    deployed = deploy(fleets, provision)
    assert deployed["status"] == "Succeeded", deployed.get("error")
    assert LATE in fleets.account.hosts
    assert LATE not in fleets.account.targets(deployed["deploymentId"])
    assert {LATE, *fleets.blue} & set(fleets.balancer.since) == set()
    assert (("detach", "web") in fleets.groups.calls) == attached
    fleets.groups.join("web", "i-later")
    assert "i-later" not in fleets.balancer.since, "what the group launches afterwards has no traffic either"


def test_a_group_that_was_emptied_gives_no_traffic_to_what_it_launches_later() -> None:
    fleets = fleets_and_one_more()
    assert deploy(fleets, DISCOVER, terminate=0)["status"] == "Succeeded"
    assert fleets.groups.rows["web"]["DesiredCapacity"] == 0
    assert ("detach", "web") in fleets.groups.calls


def test_a_group_that_was_deleted_is_not_asked_again() -> None:
    fleets = fleets_and_one_more()
    assert deploy(fleets, COPY, terminate=0)["status"] == "Succeeded"
    assert ("detach", "web") not in fleets.groups.calls


def test_a_deployment_that_fails_leaves_the_originals_their_traffic() -> None:
    fleets = fleets_and_one_more()
    deployed = deploy(fleets, DISCOVER, fails=frozenset({"v2.zip"}))
    assert deployed["status"] == "Failed"
    assert {LATE, *fleets.blue} <= set(fleets.balancer.since)
    assert fleets.groups.rows["web"]["TargetGroupARNs"] == [WEB.key]


def test_a_group_that_cannot_be_detached_fails_the_deployment_and_is_named() -> None:
    fleets = fleets_and_one_more()

    def refuse(*_: Any) -> None:
        raise FleetFault("AUTO_SCALING_IAM_ROLE_PERMISSIONS", "no right to DetachTrafficSources.")

    fleets.groups.detach = refuse  # type: ignore[method-assign]
    deployed = deploy(fleets, COPY)
    assert (deployed["status"], deployed["error"]["code"]) == ("Failed", "AUTO_SCALING_IAM_ROLE_PERMISSIONS")
    assert "Detach the Auto Scaling group web" in deployed["error"]["message"]
    assert [each["code"] for each in fleets.account.decisions(deployed["deploymentId"]) if each["kind"] == "Detach"]
