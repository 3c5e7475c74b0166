"""A target group whose targets stay unhealthy or drain slowly, as the seed has it; and the end of instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.unit.functions.blue_green import Terminations
from tests.unit.functions.target_groups import TargetGroup

if TYPE_CHECKING:
    from tests.sim.world import SimWorld


class SimTargetGroup(TargetGroup):
    """The group ``web``: what comes and goes is told to the watch."""

    def __init__(self, world: SimWorld) -> None:
        super().__init__(world)
        self._world = world
        if not world.scenario.balanced:
            self.since.clear()
        for each in world.greens:  # they have no traffic yet
            self.since.pop(each)

    def block(self, balancers: Any, ids: Sequence[str]) -> None:
        self._world.watch.traffic("BlockTraffic", ids)
        slow = self._world.chance.happens("drains slowly")
        self.drains = slow.uniform(60, 900) if slow else 20
        super().block(balancers, ids)
        self._world.watch.blocked(ids)

    def allow(self, balancers: Any, ids: Sequence[str]) -> None:
        self._world.watch.traffic("AllowTraffic", ids)
        for each in ids:
            self.sick.discard(each)
            if self._world.chance.happens("target stays unhealthy"):
                self._world.tell(f"{each} stays unhealthy in its target group")
                self.sick.add(each)
        super().allow(balancers, ids)


class SimTerminations(Terminations):
    """EC2's end of instances: who is ended is told to the watch."""

    def __init__(self, world: SimWorld) -> None:
        super().__init__(world)
        self._world = world

    def end(self, ids: Sequence[str]) -> dict[str, str]:
        self._world.watch.terminates(ids)
        refused = super().end(ids)
        for each in ids:
            if self._world.scaling and each not in refused:
                self._world.scaling.killed(each)
        return refused
