"""Copies of Auto Scaling groups in the hostile world, and what must be so of them and of their originals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.sim.hosts import SimHost
from tests.sim.scaling import NAME, SimScaling
from tests.sim.scenarios import BlueGreenPlan, CopyPlan
from tests.unit.functions.blue_green import GREEN_FILTERS
from tests.unit.functions.copied_groups import CopiedGroups
from tests.unit.functions.target_groups import WEB

from tidegate.gateways.errors import FleetFault
from tidegate.model.balancers import Balancer

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

RULE = 11


class SimCopies(CopiedGroups):
    """The port ``scaling_groups``: a copy is refused, or its instances come late, or never, as the seed has it.

    Attributes
    ----------
    made : the copies, with the deployments that made them
    ended : groups that were deleted, or emptied
    """

    def __init__(self, world: SimWorld, plan: BlueGreenPlan, scaling: SimScaling) -> None:
        copy = plan.copy
        super().__init__(world, launches=copy.launches if copy else 50)
        self._world, self._plan, self._scaling = world, plan, scaling
        self.made: dict[str, str] = {}
        self.ended: list[str] = []
        originals = [each.target_id for each in world.scenario.hosts if each.target_id not in world.greens]
        self._initial = set(originals)
        scaling.serve(originals)
        attached = {"TargetGroupARNs": [WEB.key]} if plan.attached else {}
        self.add(NAME, *originals, opted_in=copy is None or copy.tagged, **attached)
        if copy is not None:
            self.never, self.says = copy.never, (copy.says, "Launching failed." if copy.says else "")
            if copy.refused:
                self.refuses = FleetFault(copy.refused, "copying the Auto Scaling group web: no")

    # --- the port

    def find(self, name: str) -> Mapping[str, Any] | None:
        row, group = self.rows.get(name), self._scaling.all.get(name)
        if row is None or group is None:
            return None
        there = [(each, state) for each, state in group.states.items() if state != "Terminated"]
        return {**row, "Instances": [{"InstanceId": each, "LifecycleState": state} for each, state in there]}

    def detach(self, name: str, balancers: Sequence[Balancer]) -> None:
        self._require(name == NAME, f"{name} is detached from its balancers")
        if balancers:
            self._world.tell(f"{name} is detached from its balancers")
            self.rows[name]["TargetGroupARNs"] = []
            for each in self._scaling.all[name].states:
                self._world.balancer.since.pop(each, None)

    def copy(self, source: Mapping[str, Any], name: str, deployment_id: str) -> None:
        self._require(name == f"CodeDeploy_prod_{deployment_id}", f"{deployment_id} makes {name}")
        self._require(self._copy is not None, f"{deployment_id} copies a group, and nobody asked for it")
        super().copy(source, name, deployment_id)
        if self.made.setdefault(name, deployment_id) == deployment_id:
            self._world.tell(f"{name} is there")
        # What is in service there is what its lifecycle says.
        self._world.fleet.scaling_groups[name] = self._scaling.all[name].states

    def resize(self, name: str, minimum: int, desired: int) -> None:
        self._world.tell(f"{name} gets {desired} instances")
        less = desired < self.rows[name]["DesiredCapacity"]
        super().resize(name, minimum, desired)
        if less:
            self._empty(name)

    def delete(self, name: str) -> None:
        if name in self.rows:
            self._world.tell(f"{name} is deleted")
            self._empty(name, at_once=True)
            del self._scaling.all[name], self.rows[name]

    def _empty(self, name: str, *, at_once: bool = False) -> None:
        """All instances of a group end; those of the deployment's originals may."""
        self._require(name == NAME, f"{name} is emptied, or deleted")
        self.ended.append(name)
        states = self._scaling.all[name].states
        leaving = ("Terminated",) if at_once else ("Terminated", "Terminating:Wait")
        left = [each for each, state in states.items() if state not in leaving]
        story = self._world.watch.stories[self._world.current[-1].deployment_id]
        self._world.watch.terminates([each for each in left if each in story.fleet])
        for each in left:
            if at_once:
                self._world.unreliable.add(each)
                self._scaling.killed(each)
            else:
                self._scaling.scale_in(each)

    # --- what happens

    @property
    def _copy(self) -> CopyPlan | None:
        return self._plan.copy

    def joined(self, instance_id: str) -> None:
        """An instance has come into service; a group that is attached to balancers registers it."""
        name = self._scaling.group_of[instance_id]
        if self.rows[name].get("TargetGroupARNs"):
            self._world.balancer.since.setdefault(instance_id, self._world.now + self._world.balancer.heals)

    def _launched(self, name: str, instance_id: str) -> None:
        world, copy = self._world, self._copy
        assert copy is not None, "only copies launch instances here"
        if name not in self.rows:
            return
        how = copy.instances[len(self.rows[name]["Instances"]) % len(copy.instances)]
        tags = {"tidegate:managed": "true"}
        online = how.registers_after == 0
        host = SimHost(fails=how.fails, takes=how.takes, online=online, tags=tags, zone="zone-a")
        world.hosts[instance_id] = host
        world.tell(f"{instance_id} is in service in {name}")
        if not online:
            world.unreliable.add(instance_id)
        if how.registers_after:
            world.clock.at(world.now + how.registers_after, lambda: world.fleet.come_online(instance_id))
        self._scaling.group_of[instance_id] = name
        self._serve(name, instance_id)

    # --- what must hold

    def _require(self, holds: bool, what: str) -> None:
        self._world.watch.require(holds, RULE, what)

    def check_fleets(self, deployment_id: str, green: set[str], blue: set[str]) -> None:
        """The originals are the group's; the replacement, where it is copied, the copy's: as many, and all of them."""
        stay = {each for each, group in self._scaling.group_of.items() if group == NAME} & self._initial
        missing = stay - self._world.leaving - blue
        self._require(not missing, f"{missing} are no originals of {deployment_id}")
        wrong = {each for each in blue if self._scaling.group_of[each] != NAME}
        self._require(not wrong, f"{wrong} are originals of {deployment_id}")
        if self._copy is not None:
            row = self.find(f"CodeDeploy_prod_{deployment_id}") or {}
            made = {each["InstanceId"] for each in row["Instances"]}
            what = (
                f"{deployment_id} has {len(green)} of {len(self._initial)} replacement instances, and {len(made)} came"
            )
            self._require(green == made and len(made) == len(self._initial), what)

    def codes(self) -> set[str]:
        """Ends that Auto Scaling can bring about."""
        if self._copy is None:
            return set()
        return {"AUTO_SCALING_CONFIGURATION", self._copy.refused, self._copy.says} - {""}

    def check_end(self) -> None:
        """The group selects who has the traffic; copies stay; nothing stays suspended; originals end as was asked."""
        world = self._world
        asked_for = world.first_asked_for()
        moved = bool(asked_for) and world.deployment(asked_for)["status"] == "Succeeded"
        info, hooks = world.group()["info"], world.group().get("hooks", {})
        selected = info["autoScalingGroups"], info["ec2TagFilters"]
        wanted: tuple[Any, Any] = [NAME], []
        if moved:
            wanted = ([], GREEN_FILTERS) if self._copy is None else (list(self.made), [])
        self._require(selected == wanted, f"the group selects {selected}, not {wanted}")
        self._require(set(hooks) == set(wanted[0]), f"the group has hooks on {sorted(hooks)}")
        if "hooksDue" not in world.group():
            for name, group in self._scaling.all.items():
                there = set(group.hooks)
                self._require(there == set(hooks.get(name, {}).values()), f"{name} has the hooks {sorted(there)}")
        for name, group in self._scaling.all.items():
            held = {"Launch", "ReplaceUnhealthy", "AZRebalance"} if name in self.made and not moved else set()
            self._require(group.suspended == held, f"of {name} {group.suspended} is suspended, not {held}")
        self._require(len(self.made) <= 1, f"{sorted(self.made)} were made")
        gone = set(self.made) - set(self.rows)
        self._require(not gone, f"{gone} are copies, and were deleted")
        if moved:
            serving = {each for each in world.balancer.since if self._scaling.group_of.get(each) == NAME}
            serving -= world.leaving
            self._require(not serving, f"{sorted(serving)} of the original group still have traffic")
            ends = self._plan.terminate is not None
            self._require(bool(self.ended) == ends, f"of the originals, {self.ended} ended")
