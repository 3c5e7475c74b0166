"""The layout of a deployment that Auto Scaling started: the one instance, and its way in or out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidegate.model.scaling import Transition, of_deployment
from tidegate.rollout.plan import Candidate, Plan, plan
from tidegate.rollout.way import launch_stages, leaving_stages

if TYPE_CHECKING:
    from tidegate.runtime import Runtime


def instance_plan(deployment: Mapping[str, Any], runtime: Runtime, *, balanced: bool) -> Plan:
    """The plan for the instance that waits.

    An instance that is gone by now leaves an empty fleet: the deployment ends with NO_INSTANCES.
    """
    action = of_deployment(deployment)
    assert action is not None, "only deployments that Auto Scaling started are laid out so"
    key, value = runtime.settings.opt_in_tag
    stages = launch_stages if action.transition is Transition.LAUNCHING else leaving_stages
    return plan(
        [
            Candidate(each.instance_id, opted_in=each.tags.get(key) == value, zone=each.zone)
            for each in runtime.instances.described([action.instance_id])
        ],
        (deployment["minimum"]["type"], deployment["minimum"]["value"]),
        last_good="",
        now=runtime.clock(),
        stages=stages(
            deployment["events"],
            runtime.settings.stage_limit_of(deployment),
            balanced=balanced,
            balancer_limit=runtime.settings.balancer,
        ),
    )
