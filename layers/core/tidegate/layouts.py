"""How a deployment is laid out: its fleet, its way and its balancers, by the kind of deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidegate.fleets import fleet_of
from tidegate.gateways.errors import BalancerFault
from tidegate.instance_layout import instance_plan
from tidegate.model.deployment import ROLLBACK_CREATOR, ErrorCode
from tidegate.rollout.plan import Plan, plan
from tidegate.rollout.traffic import cannot_be_balanced
from tidegate.rollout.way import Zonal, in_place_stages

if TYPE_CHECKING:
    from tidegate.model.balancers import Balancer
    from tidegate.runtime import Runtime

Deployment = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """The plan of a deployment, and the balancers that control its instances' traffic."""

    plan: Plan
    balancers: Sequence[Balancer] = ()


def laid_out(deployment: Deployment, group: Mapping[str, Any], runtime: Runtime) -> Layout:
    """Read the fleet as it is now and lay out the deployment.

    Parameters
    ----------
    deployment : its item
    group : its group's item

    Raises
    ------
    BalancerFault
        The group's balancers, or the instances behind them, cannot be used.
    FleetFault
        The group's instances cannot be found.
    """
    if "scaling" in deployment:
        balancers = _balancers_of(deployment, group["info"], runtime)
        return Layout(instance_plan(deployment, runtime, balanced=bool(balancers)), balancers)
    return _in_place(deployment, group, runtime)


def _in_place(deployment: Deployment, group: Mapping[str, Any], runtime: Runtime) -> Layout:
    """All instances that the group selects, on the instances that they are."""
    balancers = _balancers_of(deployment, group["info"], runtime)
    health = runtime.targets.health(deployment["deploymentGroupId"])
    made = plan(
        fleet_of(group["info"], health, runtime),
        (deployment["minimum"]["type"], deployment["minimum"]["value"]),
        last_good=(group.get("lastGood") or {}).get("revisionKey", ""),
        now=runtime.clock(),
        outdated_for=deployment["revisionKey"] if deployment.get("updateOutdatedInstancesOnly") else "",
        stages=in_place_stages(
            deployment["events"],
            runtime.settings.stage_limit_of(deployment),
            balanced=bool(balancers),
            balancer_limit=runtime.settings.balancer,
        ),
        zonal=_zonal_of(deployment),
        most=runtime.settings.max_instances,
    )
    if unfit := cannot_be_balanced(made.ledger, made.roster):
        raise BalancerFault(ErrorCode.ELB_INVALID_INSTANCE, unfit)
    return Layout(made, balancers)


def _balancers_of(deployment: Deployment, info: Mapping[str, Any], runtime: Runtime) -> list[Balancer]:
    """The balancers that control the traffic of a deployment's instances; none where its style is without."""
    if (deployment.get("deploymentStyle") or {}).get("deploymentOption") != "WITH_TRAFFIC_CONTROL":
        return []
    return runtime.balancers.find(deployment.get("loadBalancerInfo") or info.get("loadBalancerInfo"))


def _zonal_of(deployment: Deployment) -> Zonal | None:
    """The zones' rules, where the configuration has them; a rollback hurries over all zones at once."""
    config = deployment.get("zonal")
    return Zonal.of(config) if config and deployment["creator"] != ROLLBACK_CREATOR else None
