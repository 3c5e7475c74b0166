"""On-premises instances in the hostile world: registered by name, reached as nodes, and deregistered at any time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.sim.scenarios import HostPlan
from tests.unit.functions.world import START

from tidegate.model.nodes import Node
from tidegate.store.onpremises import OnPremisesInstances

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

TAG = "boxes"


class Boxes:
    """The on-premises instances of a world.

    Attributes
    ----------
    names : by node id
    registered : since when, by name
    deregistered : since when, by name
    """

    def __init__(self, world: SimWorld) -> None:
        self._world, self._store = world, OnPremisesInstances(world.table)
        self.names: dict[str, str] = {}
        self.registered: dict[str, float] = {}
        self.deregistered: dict[str, float] = {}
        plans = [plan for plan in world.scenario.hosts if plan.box is not None]
        for plan in plans:
            self._register(plan)
        if plans:
            chosen = [{"Key": "Fleet", "Value": TAG, "Type": "KEY_AND_VALUE"}]
            selected = {"onPremisesInstanceTagFilters": chosen}
            world.runtime.groups.update("shop", "prod", lambda item: {**item["info"], **selected})

    def _register(self, plan: HostPlan) -> None:
        box, name = plan.box, plan.target_id
        assert box is not None, "only on-premises instances are registered"
        arn = f"arn:aws:codedeploy:us-east-1:123456789012:instance/{name}_0123456789"
        identity = {"iamSessionArn": f"arn:aws:sts::123456789012:assumed-role/hosts/{name}"}
        self.registered[name] = START - box.registered
        self._store.register(name, arn=arn, identity=identity, now=self.registered[name])
        self._store.change_tags([name], lambda _: {"Fleet": TAG})
        for node_id in box.node_ids:
            self.names[node_id] = name
            self._world.fleet.nodes.append(Node(node_id, name, opted_in=plan.opted_in, online=True))

    def come(self) -> None:
        """Deregister who is to go, each in its time."""
        for plan in self._world.scenario.hosts:
            if plan.box is None or plan.box.deregistered_at is None:
                continue
            if self._world.chance.planned(f"{plan.target_id} is deregistered"):
                self._world.clock.at(START + plan.box.deregistered_at, partial(self._goes, plan))

    def _goes(self, plan: HostPlan) -> None:
        world, name = self._world, plan.target_id
        world.tell(f"{name} is deregistered")
        self._store.deregister(name, now=world.now)
        self.deregistered[name] = world.now
        if plan.box is not None and plan.box.goes_away and world.hosts[plan.node_id].up:
            world.fleet.die(plan.node_id, None)
