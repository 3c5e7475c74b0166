"""SelectTargets: resolve the fleet once, order it and fix its minimum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.gateways.errors import BalancerFault
from tidegate.model.balancers import Balancer, to_items
from tidegate.model.deployment import ROLLBACK_CREATOR, ErrorCode
from tidegate.model.legs import events_of
from tidegate.model.nodes import Node
from tidegate.model.tags import selects
from tidegate.rollout.nodes import nodes_by_instance
from tidegate.rollout.plan import Candidate, plan
from tidegate.rollout.projection import pending_events
from tidegate.rollout.traffic import cannot_be_balanced
from tidegate.rollout.way import Zonal, in_place_stages
from tidegate.runtime import Runtime, State, step
from tidegate.store.errors import DeploymentGroupNotFoundError
from tidegate.store.ledgers import number_decisions
from tidegate.store.onpremises import OnPremisesInstances
from tidegate.store.table import Item
from tidegate.store.targets import Health
from tidegate.target_rows import target_row

Info = Mapping[str, Any]

_MOST_NODES = 3  # of those that answer to one name; more need not be told


def run(state: State, runtime: Runtime) -> State:
    """Write roster, ledger and the plan's reason; a fleet that cannot be deployed to closes the ledger at once."""
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return {**state, "verdict": "FENCED"}
    known = runtime.ledgers.load(state["deploymentId"])
    if known is not None and "startTime" in deployment:
        return {**state, "verdict": "ACT"}  # a later generation: the loop goes on where the ledger stands
    try:
        group = runtime.groups.of_deployment(deployment)
    except DeploymentGroupNotFoundError as error:
        fault = {"code": ErrorCode.DEPLOYMENT_GROUP_MISSING, "message": str(error)}
        return {**state, "verdict": "FINISH", "fault": fault}
    try:
        balancers = balancers_of(deployment, group["info"], runtime)
    except BalancerFault as fault:
        return {**state, "verdict": "FINISH", "fault": {"code": fault.code, "message": fault.message}}
    health = runtime.targets.health(deployment["deploymentGroupId"])
    now = runtime.clock()
    made = plan(
        [*ec2_instances(group["info"], health, runtime), *on_premises_instances(group["info"], health, runtime)],
        (deployment["minimum"]["type"], deployment["minimum"]["value"]),
        last_good=(group.get("lastGood") or {}).get("revisionKey", ""),
        now=now,
        outdated_for=deployment["revisionKey"] if deployment.get("updateOutdatedInstancesOnly") else "",
        stages=in_place_stages(
            deployment["events"],
            runtime.settings.stage_limit_of(deployment),
            balanced=bool(balancers),
            balancer_limit=runtime.settings.balancer,
        ),
        zonal=zonal_of(deployment),
    )
    if unfit := cannot_be_balanced(made.ledger, made.roster):
        fault_found = {"code": ErrorCode.ELB_INVALID_INSTANCE, "message": unfit}
        return {**state, "verdict": "FINISH", "fault": fault_found}
    deployment_id, generation = state["deploymentId"], state["generation"]
    rows = [
        target_row(runtime.settings, member, "Pending", pending_events(events_of(made.ledger.way, position)))
        for position, member in enumerate(made.roster.members)
    ]
    if known is None:
        runtime.targets.show(deployment_id, rows, now)
        ledger, decisions = number_decisions(deployment_id, made.ledger, [made.decision], now)
        runtime.ledgers.create(deployment_id, ledger, made.roster, generation, decisions)
    # Last, so that whoever sees the deployment in progress sees its targets too.
    runtime.deployments.amend(
        deployment_id,
        {
            "status": "InProgress",
            "overview": (known or made).ledger.overview,
            **({"balancers": to_items(balancers)} if balancers else {}),
        },
        generation=generation,
        once={"startTime": now},
    )
    return {**state, "verdict": "ACT"}


def balancers_of(deployment: Mapping[str, Any], group: Mapping[str, Any], runtime: Runtime) -> list[Balancer]:
    """The balancers that control the traffic of a deployment's instances; none where its style is without.

    Raises
    ------
    BalancerFault
        The group names none, or one that cannot be used.
    """
    if (deployment.get("deploymentStyle") or {}).get("deploymentOption") != "WITH_TRAFFIC_CONTROL":
        return []
    return runtime.balancers.find(deployment.get("loadBalancerInfo") or group.get("loadBalancerInfo"))


def zonal_of(deployment: Mapping[str, Any]) -> Zonal | None:
    """The zones' rules, where the configuration has them; a rollback hurries over all zones at once."""
    config = deployment.get("zonal")
    return Zonal.of(config) if config and deployment["creator"] != ROLLBACK_CREATOR else None


def ec2_instances(info: Info, health: Mapping[str, Health], runtime: Runtime) -> list[Candidate]:
    """The EC2 instances that the group's tags select."""
    key, value = runtime.settings.opt_in_tag
    found = runtime.instances.selected_by(info)
    return [
        replace(_candidate(each.instance_id, health, opted_in=each.tags.get(key) == value), zone=each.zone)
        for each in found
    ]


def on_premises_instances(info: Info, health: Mapping[str, Health], runtime: Runtime) -> list[Candidate]:
    """The registered on-premises instances that the group's tags select, with the managed nodes they are."""
    flat = info.get("onPremisesInstanceTagFilters") or ()
    lists = (info.get("onPremisesTagSet") or {}).get("onPremisesTagSetList") or ()
    if not flat and not lists:
        return []
    registered = OnPremisesInstances(runtime.table).registered()
    chosen = [item for item in registered if selects(flat, lists, item["tags"])]
    if not chosen:
        return []
    sessions = {item["instanceName"]: item.get("iamSessionArn", "") for item in registered}
    nodes = nodes_by_instance(sessions, runtime.nodes.hybrid())
    return [_on_premises(item, nodes[item["instanceName"]], health) for item in chosen]


def _on_premises(item: Item, nodes: Sequence[Node], health: Mapping[str, Health]) -> Candidate:
    name = item["instanceName"]
    # What was noted before it was registered is about another machine of this name.
    known = {name: health[name]} if name in health and health[name].time >= item["registerTime"] else {}
    found = _candidate(name, known, opted_in=len(nodes) == 1 and nodes[0].opted_in)
    ids = tuple(node.node_id for node in nodes[:_MOST_NODES])
    return replace(found, nodes=ids, suffix=item["instanceArn"].rpartition("_")[2])


def _candidate(target_id: str, health: Mapping[str, Health], *, opted_in: bool) -> Candidate:
    if target_id not in health:
        return Candidate(target_id, opted_in=opted_in)
    return Candidate(target_id, health[target_id].healthy, health[target_id].revision_key, opted_in)


handler = step(Logger(), run, cache(Runtime))
