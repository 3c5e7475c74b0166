"""An alarm that is raised at any time, and is quiet again later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.sim.users import ALARM
from tests.unit.functions.alarm_states import AlarmStates

if TYPE_CHECKING:
    from tests.sim.world import SimWorld


class SimAlarms(AlarmStates):
    """The alarms of a world."""

    def __init__(self, world: SimWorld) -> None:
        super().__init__(world)
        self._world = world
        self.put(ALARM)

    def states(self, names: Sequence[str]) -> dict[str, str]:
        if dice := self._world.chance.happens("alarm raised"):
            self._world.tell(f"the alarm {ALARM} is raised")
            self.put(ALARM, "ALARM")
            self._world.clock.at(self._world.now + dice.uniform(10, 2000), lambda: self.put(ALARM))
        found = super().states(names)
        self._world.watch.alarms_read(found)
        return found

    def _tell(self, name: str) -> None:
        body = {"source": "aws.cloudwatch", "detail": {"alarmName": name, "state": {"value": "ALARM"}}}
        self._world.events.send(lambda: self._world.events.deliver(body), f"alarm {name}")
