"""Auto Scaling in the hostile world: instances come and go at any time, and each wait at a hook has its answer."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.sim.hosts import SimHost
from tests.sim.ports import EXPECTED, Invocation
from tests.sim.scaling_changes import ScalingChanges, WarmPool
from tests.sim.scaling_rules import ScalingRules
from tests.sim.scenarios import Newcomer, ScalingPlan
from tests.unit.functions.hosts import Host
from tests.unit.functions.machine import Killed
from tests.unit.functions.scaling_groups import ScalingGroups
from tests.unit.functions.world import START

from tidegate.model.scaling import LAUNCH_CREATOR, TERMINATION_CREATOR, WARM_POOL, ScalingFault

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

NAME = "web"
#: What may keep functions from an answer in time. Lost events and hosts do not.
_EXCUSES = ("killed", "throttled", "slow call", "execution aborted", "taken for dead", "Auto Scaling refuses")


class SimScaling(ScalingGroups):
    """One Auto Scaling group, and what must hold of its instances.

    Attributes
    ----------
    to_come : launches and ends that are still to happen
    rules : what must hold of its instances
    """

    def __init__(self, world: SimWorld, plan: ScalingPlan) -> None:
        super().__init__(world, NAME)
        self._world, self._plan = world, plan
        self.name = NAME
        self.changes, self.pool = ScalingChanges(world, self, plan), WarmPool(world, self)
        self._deleted = False  # a hook is deleted just now
        self._answers = False  # a function answers just now; else Auto Scaling's own time-out
        self._met: dict[str, int] = {}  # by instance: faults that functions had met at the last sign of life
        self.rules = ScalingRules(world, self, plan)
        self.to_come = 0
        self.group_of: dict[str, str] = {}  # by instance
        self.refused: set[str] = set()  # calls that were
        self.resumed_late = False  # by a function that was taken for dead; the next deployment may have suspended them

    @property
    def is_open(self) -> bool:
        """Whether somebody waits, or is still to come or to leave."""
        return bool(self.to_come or any(group.waits for group in self.all.values()))

    def serve(self, instances: Sequence[str]) -> None:
        """Instances that are in service from the start."""
        for each in instances:
            self.group_of[each] = NAME
            self.all[NAME].states[each] = "InService"

    def in_service(self) -> set[str]:
        """The instances that a deployment of the fleet goes to."""
        return {each for group in self.all.values() for each, state in group.states.items() if state == "InService"}

    def state_of(self, instance_id: str) -> str:
        """The lifecycle state of an instance; those of a group that is gone are gone with it."""
        group = self.all.get(self.group_of[instance_id])
        return group.states[instance_id] if group else "Terminated"

    # --- what happens

    def come(self) -> None:
        """Launch who is to come, each in its time."""
        self.rules.note_good()
        self.changes.come()
        for each in self._plan.newcomers:
            if self._world.chance.planned(f"{each.target_id} is launched"):
                self.to_come += 1
                self._world.clock.at(START + each.at, partial(self._launched, each))
        plan = self._world.scenario.blue_green
        for target_id, after in plan.leaving if plan else ():
            if self._world.chance.planned(f"{target_id} leaves"):
                self.to_come += 1
                self._world.clock.at(START + after, partial(self._leaves, target_id))

    def _launched(self, newcomer: Newcomer) -> None:
        self.to_come -= 1
        world, target_id = self._world, newcomer.target_id
        # The group's own and, in blue/green, one that its replacement has taken over from: that one goes on too.
        names = [each for each in (*world.group()["info"]["autoScalingGroups"], NAME) if each in self.all]
        if not names:
            return  # the group has others now
        self.group_of[target_id] = names[0]
        world.tell(f"{target_id} is launched")
        online = newcomer.registers_after == 0
        tags = {"tidegate:managed": "true"}
        self._met[target_id] = self._faults()
        host = SimHost(fails=newcomer.fails, takes=newcomer.takes, online=online, tags=tags, zone="zone-a")
        if newcomer.pooled_for is None:
            self.launch(names[0], target_id, host)
        else:
            self.pool.launched(newcomer)
            self.launch(names[0], target_id, host, Origin="EC2", Destination=WARM_POOL)
        self._joined(target_id)
        if not online:
            world.unreliable.add(target_id)
        if newcomer.registers_after:
            world.clock.at(world.now + newcomer.registers_after, lambda: world.fleet.come_online(target_id))
        if newcomer.leaves_after is not None and world.chance.planned(f"{target_id} leaves"):
            self.to_come += 1
            world.clock.at(world.now + newcomer.leaves_after, lambda: self._leaves(target_id))

    def out_of_pool(self, target_id: str) -> None:
        """An instance goes from the warm pool into service."""
        self._met[target_id] = self._faults()
        self.launch(self.group_of[target_id], target_id, Origin=WARM_POOL, Destination="AutoScalingGroup")

    def launch(self, name: str, instance_id: str, host: Host | None = None, **detail: str) -> None:
        super().launch(name, instance_id, host, **detail)
        states = self.all[name].states
        if states[instance_id] == "InService" and detail.get("Destination") == WARM_POOL:
            states[instance_id] = "Warmed:Stopped"  # there is no hook to wait at
            self.pool.ready(instance_id)

    def _joined(self, target_id: str) -> None:
        if self.state_of(target_id) == "Warmed:Stopped":
            self.pool.ready(target_id)
        if self._world.copies and self.state_of(target_id) == "InService":
            self._world.copies.joined(target_id)

    def _leaves(self, target_id: str) -> None:
        self.to_come -= 1
        if self.state_of(target_id) != "Terminated":
            self.scale_in(target_id)

    def scale_in(self, target_id: str) -> None:
        """An instance is to end."""
        self._world.tell(f"{target_id} is to end")
        self._world.unreliable.add(target_id)
        self._world.leaving.add(target_id)
        self._met[target_id] = self._faults()
        pooled = self.state_of(target_id).startswith("Warmed:")
        self.end(self.group_of[target_id], target_id, **{"Origin": WARM_POOL, "Destination": "EC2"} if pooled else {})
        self._ended(target_id)

    def killed(self, target_id: str) -> None:
        """An instance was ended by other means than its group."""
        if group := self.all.get(self.group_of.get(target_id, "")):
            group.waits.pop(target_id, None)
            group.states[target_id] = "Terminated"
        self._gone(target_id)

    def _ended(self, target_id: str) -> None:
        if self.state_of(target_id) == "Terminated":
            self._gone(target_id)

    def _gone(self, target_id: str) -> None:
        world = self._world
        world.leaving.add(target_id)
        world.terminations.ended.setdefault(target_id, world.now)
        if world.scenario.blue_green:
            world.balancer.since.pop(target_id, None)
        if world.hosts[target_id].up:
            world.fleet.die(target_id, None)

    def _send(self, body: Mapping[str, Any]) -> None:
        detail = body["detail"]
        what = f"{detail['LifecycleTransition']} {detail['EC2InstanceId']}"
        self._world.events.send(lambda: self.deliver(body), what)

    def deliver(self, body: Mapping[str, Any], tries: int = 5) -> None:
        record = {"messageId": "m-1", "body": json.dumps(body)}
        function = importlib.import_module("functions.on_instance_lifecycle.app")
        self._world.current.append(Invocation("OnInstanceLifecycleFunction", self._world.now))
        try:
            again = function.run({"Records": [record]}, self._world.runtime)["batchItemFailures"]
        except (Killed, *EXPECTED):
            again = [record]
        finally:
            self._world.current.pop()
        self._world.sweep_later()  # it may have left something to it
        if again and tries > 1:
            self._world.clock.at(self._world.now + 180, lambda: self.deliver(body, tries - 1))

    # --- the port

    def _called(self, name: str) -> None:
        super()._called(name)
        for call, since, until in self._plan.refusals if self._world.current else ():
            planned = f"Auto Scaling refuses {call}"
            if call == name and since <= self._world.now - START < until and self._world.chance.planned(planned):
                fault = ScalingFault("AUTO_SCALING_IAM_ROLE_PERMISSIONS", f"{call}: no right to it")
                self.refused.add(name)
                raise fault

    def resume(self, scaling_group: str, processes: Sequence[str]) -> None:
        self.resumed_late |= self._world.current[-1].ghost
        super().resume(scaling_group, processes)

    def delete(self, scaling_group: str, name: str) -> None:
        """Who waits at a hook that is deleted is told its default (API: DeleteLifecycleHook)."""
        group = self.all.get(scaling_group)
        for instance_id in [each for each, wait in (group.waits if group else {}).items() if wait.hook == name]:
            self._deleted = True
            launching = group.states[instance_id].endswith("Pending:Wait")
            self._answer(scaling_group, instance_id, "ABANDON" if launching else "CONTINUE")
            self._deleted = False
        super().delete(scaling_group, name)

    def heartbeat(self, scaling_group: str, hook: str, instance_id: str, token: str) -> bool:
        waits = super().heartbeat(scaling_group, hook, instance_id, token)
        if waits:
            self._met[instance_id] = self._faults()
        return waits

    def complete(self, scaling_group: str, hook: str, instance_id: str, token: str, *, go_on: bool) -> bool:
        self._answers = True
        try:
            return super().complete(scaling_group, hook, instance_id, token, go_on=go_on)
        finally:
            self._answers = False

    def _answer(self, name: str, instance_id: str, answer: str) -> None:
        state = self.all[name].states[instance_id]
        launching = state.endswith("Pending:Wait")
        creator = LAUNCH_CREATOR if launching else TERMINATION_CREATOR
        place = instance_id, creator, launching and state.startswith("Warmed:")
        self._world.tell(f"{instance_id} at its hook: {answer}" + ("" if self._answers else ", for nobody answered"))
        if self._deleted:
            pass  # nobody is to answer any more
        elif not self._answers:
            self.rules.require(self._faults() > self._met[instance_id], f"{instance_id} waited, and nobody answered")
        elif launching:
            self.rules.check_launch(place, answer)
        else:
            self.rules.require(answer == "CONTINUE", f"{instance_id} leaves, and was told {answer}")
        self.rules.answered[place] = self._world.now
        super()._answer(name, instance_id, answer)
        self._joined(instance_id)
        self._ended(instance_id)

    def _faults(self) -> int:
        return sum(each.startswith(_EXCUSES) for each in self._world.chance.happened)
