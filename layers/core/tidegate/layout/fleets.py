"""The fleet that selectors find: EC2 instances by tags, of Auto Scaling groups, and on-premises ones, united."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tidegate.model.tags import selects
from tidegate.rollout.nodes import nodes_by_instance
from tidegate.rollout.plan import Candidate
from tidegate.store.onpremises import OnPremisesInstances

if TYPE_CHECKING:
    from tidegate.gateways.instances import Instance
    from tidegate.model.nodes import Node
    from tidegate.runtime import Runtime
    from tidegate.store.table import Item
    from tidegate.store.targets import Health

#: What says which instances: a deployment group's ``info``, or part of one.
Selectors = Mapping[str, Any]

_MOST_NODES: Final = 3  # of those that answer to one name; more need not be told


def fleet_of(selectors: Selectors, health: Mapping[str, Health], runtime: Runtime) -> list[Candidate]:
    """All instances that the selectors find, each once, with what is known of their health.

    Parameters
    ----------
    selectors : as in a deployment group: ``ec2TagFilters`` or ``ec2TagSet``, ``onPremisesInstanceTagFilters`` or
        ``onPremisesTagSet``, ``autoScalingGroups`` (names)
    health : of the group's instances, by target id (`Targets.health`)
    """
    found = [candidate(each, health, runtime) for each in runtime.instances.selected_by(selectors)]
    return [*found, *_on_premises_instances(selectors, health, runtime)]


def candidate(instance: Instance, health: Mapping[str, Health], runtime: Runtime) -> Candidate:
    """An EC2 instance with what is known of its health."""
    key, value = runtime.settings.opt_in_tag
    found = _candidate(instance.instance_id, health, opted_in=instance.tags.get(key) == value)
    return replace(found, zone=instance.zone)


def _on_premises_instances(selectors: Selectors, health: Mapping[str, Health], runtime: Runtime) -> list[Candidate]:
    """The registered on-premises instances that the tags select, with the managed nodes they are."""
    flat = selectors.get("onPremisesInstanceTagFilters") or ()
    lists = (selectors.get("onPremisesTagSet") or {}).get("onPremisesTagSetList") or ()
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
