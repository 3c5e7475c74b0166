"""What people change of an Auto Scaling group and its hooks meanwhile, and instances that wait in a warm pool."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from tests.sim.ports import EXPECTED
from tests.sim.scaling_rules import RULE
from tests.sim.scenarios import Newcomer, ScalingPlan
from tests.unit.functions.machine import Killed
from tests.unit.functions.scaling_groups import Group
from tests.unit.functions.world import START

from tidegate.model.scaling import ScalingFault
from tidegate.scaling.hook_settling import settle_hooks

if TYPE_CHECKING:
    from tests.sim.scaling import SimScaling
    from tests.sim.world import SimWorld

ASKS_AGAIN = 5.0
LOOKS_AGAIN = 120.0


class ScalingChanges:
    """UpdateDeploymentGroup turns the termination hook on and off; somebody removes a hook by hand.

    Attributes
    ----------
    lost : hooks that were removed by hand, and not put since
    """

    def __init__(self, world: SimWorld, scaling: SimScaling, plan: ScalingPlan) -> None:
        self._world, self._scaling, self._plan = world, scaling, plan
        self.lost: set[str] = set()

    def come(self) -> None:
        """Let it happen, each in its time."""
        self._group.suspended |= self._plan.suspended
        clock, chance = self._world.clock, self._world.chance
        for number, at in enumerate(self._plan.switched_at):
            if chance.planned(f"the termination hook is switched, {number}"):
                on = self._plan.termination_hook == bool(number % 2)
                clock.at(START + at, partial(self._switch, on))
        if self._plan.hook_lost_at is not None and chance.planned("a hook is removed by hand"):
            clock.at(START + self._plan.hook_lost_at, self._lose)

    def _switch(self, on: bool) -> None:
        """What UpdateDeploymentGroup does; who gets no answer asks again."""
        world = self._world
        try:
            world.runtime.groups.update("shop", "prod", lambda item: {**item["info"], "terminationHookEnabled": on})
            settle_hooks(world.group(), world.runtime.lifecycle_hooks, world.runtime.scaled_groups)
            world.tell(f"the termination hook is {'on' if on else 'off'}")
            self.lost.clear()
        except ScalingFault:  # UpdateDeploymentGroup says so; the sweep settles the hooks when it may
            world.tell(f"the termination hook is {'on' if on else 'off'}, and not settled")
            self.lost.clear()
        except (Killed, *EXPECTED):
            world.clock.at(world.now + ASKS_AGAIN, partial(self._switch, on))

    def _lose(self) -> None:
        name = self._scaling.name
        for hook in [each for each in self._group.hooks if "-automatic-launch-" in each]:
            self._world.tell(f"somebody removes the hook {hook}")
            self.lost.add(hook)
            self._scaling.delete(name, hook)

    @property
    def _group(self) -> Group:
        return self._scaling.all[self._scaling.name]

    def ready_for(self, processes: Iterable[str]) -> bool:
        """Whether processes are suspended."""
        return set(processes) <= self._group.suspended

    def check_end(self) -> None:
        """Each hook that the group has is there and no other one; of the processes, what others have suspended."""
        require, item = self._world.watch.require, self._world.group()
        wanted, there = set(item.get("hooks", {}).get(self._scaling.name, {}).values()), set(self._group.hooks)
        if "hooksDue" not in item:
            require(there | self.lost >= wanted >= there, RULE, f"hooks {sorted(there)}, not {sorted(wanted)}")
        suspended = self._group.suspended
        if "resume" in self._scaling.refused:
            suspended = suspended - set(self._plan.suspends)  # its deployment says that it is to be done by hand
            suspended |= self._plan.suspended & set(self._plan.suspends)
        require(suspended == self._plan.suspended, RULE, f"{suspended} are suspended, not {self._plan.suspended}")


class WarmPool:
    """Instances that are launched into a pool, are stopped there, and go into service later.

    Attributes
    ----------
    members : those that are there, or on their way
    """

    def __init__(self, world: SimWorld, scaling: SimScaling) -> None:
        self._world, self._scaling = world, scaling
        self.members: set[str] = set()

    def launched(self, newcomer: Newcomer) -> None:
        """An instance comes for the pool."""
        assert newcomer.pooled_for is not None, "others go into service"
        self.members.add(newcomer.target_id)
        self._scaling.to_come += 1
        self._world.clock.at(self._world.now + newcomer.pooled_for, partial(self._leaves, newcomer.target_id))

    def ready(self, target_id: str) -> None:
        """An instance is in the pool: it is stopped."""
        host = self._world.hosts[target_id]
        self._world.unreliable.add(target_id)
        host.up, host.lives = False, host.lives + 1

    def _leaves(self, target_id: str) -> None:
        state = self._scaling.state_of(target_id)
        if state == "Warmed:Pending:Wait":
            self._world.clock.at(self._world.now + LOOKS_AGAIN, partial(self._leaves, target_id))
            return
        self._scaling.to_come -= 1
        if state == "Warmed:Stopped":
            self._world.tell(f"{target_id} leaves the warm pool")
            self.members.discard(target_id)
            self._world.fleet.started(target_id)
            self._scaling.out_of_pool(target_id)
