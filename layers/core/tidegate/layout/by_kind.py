"""How a deployment is laid out: its fleet, its way and its balancers, by the kind of deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tidegate.gateways.errors import BalancerFault
from tidegate.layout.fleets import fleet_of
from tidegate.layout.one_instance import instance_plan
from tidegate.layout.two_fleets import blue_green_plan, moved_selection, options_of, traffic_back_plan
from tidegate.model.deployment import ROLLBACK_CREATOR, ErrorCode, is_blue_green
from tidegate.rollout.plan import Plan, plan
from tidegate.rollout.traffic import cannot_be_balanced
from tidegate.rollout.way import Zonal, in_place_stages

if TYPE_CHECKING:
    from tidegate.model.balancers import Balancer
    from tidegate.runtime import Runtime

Deployment = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """The plan of a deployment, and the balancers that control its instances' traffic.

    ``selection``: what the group is to select once the deployment has succeeded (`two_fleets.moved_selection`).
    """

    plan: Plan
    balancers: Sequence[Balancer] = ()
    selection: Mapping[str, Any] | None = None


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
        The group's instances cannot be found, or it has no blue/green options though its style asks for them.
    """
    if "scaling" in deployment:
        balancers = _balancers_of(deployment, group["info"], runtime)
        return Layout(instance_plan(deployment, runtime, balanced=bool(balancers)), balancers)
    if "trafficBackOf" in deployment:
        return _behind(_balancers_of(deployment, group["info"], runtime), traffic_back_plan(deployment, runtime))
    if is_blue_green(deployment):
        options_of(deployment)
        balancers = _balancers_of(deployment, group["info"], runtime)
        made = _behind(balancers, blue_green_plan(deployment, group, runtime))
        return replace(made, selection=moved_selection(deployment, group))
    return _in_place(deployment, group, runtime)


def _behind(balancers: Sequence[Balancer], plan: Plan) -> Layout:
    """A plan with its balancers, which must take all of its instances."""
    if unfit := cannot_be_balanced(plan.ledger, plan.roster):
        raise BalancerFault(ErrorCode.ELB_INVALID_INSTANCE, unfit)
    return Layout(plan, balancers)


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
        only=deployment.get("newcomers"),
        stages=in_place_stages(
            deployment["events"],
            runtime.settings.stage_limit_of(deployment),
            balanced=bool(balancers),
            balancer_limit=runtime.settings.balancer,
        ),
        zonal=_zonal_of(deployment),
        most=runtime.settings.max_instances,
    )
    return _behind(balancers, made)


def _balancers_of(deployment: Deployment, info: Mapping[str, Any], runtime: Runtime) -> list[Balancer]:
    """The balancers that control the traffic of a deployment's instances; none where its style is without."""
    if (deployment.get("deploymentStyle") or {}).get("deploymentOption") != "WITH_TRAFFIC_CONTROL":
        return []
    return runtime.balancers.find(deployment.get("loadBalancerInfo") or info.get("loadBalancerInfo"))


def _zonal_of(deployment: Deployment) -> Zonal | None:
    """The zones' rules, where the configuration has them; a rollback hurries over all zones at once."""
    config = deployment.get("zonal")
    return Zonal.of(config) if config and deployment["creator"] != ROLLBACK_CREATOR else None
