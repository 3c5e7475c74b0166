"""How blue/green deployments to servers are laid out: originals and replacement, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidegate.gateways.errors import FleetFault
from tidegate.layout.fleets import fleet_of
from tidegate.model.deployment import BLUE, ErrorCode
from tidegate.model.group_copy import Provisioning, copies
from tidegate.model.selection import selectors_of, selectors_of_targets
from tidegate.rollout.blue_green import Stages, plan_blue_green, plan_traffic_back
from tidegate.rollout.plan import Plan
from tidegate.rollout.way import BlueGreen
from tidegate.store.ledgers import Loaded

if TYPE_CHECKING:
    from tidegate.runtime import Runtime

Deployment = Mapping[str, Any]


def blue_green_plan(deployment: Deployment, group: Mapping[str, Any], runtime: Runtime) -> Plan:
    """The plan over the group's instances and those that replace them.

    Raises
    ------
    FleetFault
        The group has no blue/green options.
    """
    health = runtime.targets.health(deployment["deploymentGroupId"])
    return plan_blue_green(
        fleet_of(replacement_of(deployment), health, runtime),
        fleet_of(originals_of(deployment, group), health, runtime),
        _minimum(deployment),
        BlueGreen.of(options_of(deployment)),
        _stages(deployment, runtime),
        last_good=(group.get("lastGood") or {}).get("revisionKey", ""),
        now=runtime.clock(),
        most=runtime.settings.max_instances,
    )


def traffic_back_plan(deployment: Deployment, runtime: Runtime) -> Plan:
    """The plan of a rollback: over the fleets of the deployment that is rolled back, as far as they still exist."""
    failed = deployment["trafficBackOf"]
    loaded = runtime.ledgers.load(failed) or Loaded.nothing()
    roster = runtime.ledgers.roster(failed, loaded.ledger.roster)
    originals = [member.target_id for member in roster.members if member.label == BLUE]
    left = runtime.terminations.left(originals)
    gone = [each for each in originals if each not in left]
    stages = _stages(deployment, runtime)
    return plan_traffic_back(loaded.ledger, roster, gone, _minimum(deployment), stages, runtime.clock())


def options_of(deployment: Deployment) -> Mapping[str, Any]:
    """The blue/green options of a deployment.

    Raises
    ------
    FleetFault
        It has none.
    """
    options: Mapping[str, Any] | None = deployment.get("blueGreenDeploymentConfiguration")
    if not options:
        message = (
            "The deployment group's style is BLUE_GREEN, and it has no blueGreenDeploymentConfiguration. Give it one "
            "by UpdateDeploymentGroup and deploy again."
        )
        raise FleetFault(ErrorCode.MISSING_BLUE_GREEN_DEPLOYMENT_CONFIGURATION, message)
    return options


def replacement_of(deployment: Deployment) -> dict[str, Any]:
    """What selects the replacement instances: what the deployment names, or the copy that was made for it."""
    if copied := Provisioning.of(deployment):
        return {"autoScalingGroups": [copied.copy]}
    return selectors_of_targets(deployment.get("targetInstances") or {})


def originals_of(deployment: Deployment, group: Mapping[str, Any]) -> Mapping[str, Any]:
    """What selects the originals. A copy replaces its Auto Scaling group, and nothing else that the group selects."""
    if copied := Provisioning.of(deployment):
        return {"autoScalingGroups": [copied.source]}
    found: Mapping[str, Any] = group["info"]
    return found


def moved_selection(deployment: Deployment, group: Mapping[str, Any]) -> dict[str, Any]:
    """What the group selects now, and what it is to select once the deployment has succeeded."""
    now, later = selectors_of(group["info"]), replacement_of(deployment)
    return {"from": now, "to": {**now, **later} if copies(deployment) else later}


def _minimum(deployment: Deployment) -> tuple[str, int]:
    return deployment["minimum"]["type"], deployment["minimum"]["value"]


def _stages(deployment: Deployment, runtime: Runtime) -> Stages:
    settings = runtime.settings
    return Stages(deployment["events"], settings.stage_limit_of(deployment), settings.balancer)
