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
from tests.sim.scenarios import Newcomer, ScalingPlan
from tests.unit.functions.hosts import Host
from tests.unit.functions.machine import Killed
from tests.unit.functions.scaling_groups import ScalingGroups
from tests.unit.functions.world import START

from tidegate.model.deployment import FOLLOW_UP_CREATOR
from tidegate.model.scaling import LAUNCH_CREATOR, TERMINATION_CREATOR, WARM_POOL, ScalingFault

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

NAME = "web"
RULE = 10
#: What may keep functions from an answer in time. Lost events and hosts do not.
_EXCUSES = ("killed", "throttled", "slow call", "execution aborted", "taken for dead", "Auto Scaling refuses")
Place = tuple[str, str, bool]
_OF_FLEET = ("lastAttempted", "lastSuccessful", "lastGood")


class SimScaling(ScalingGroups):
    """One Auto Scaling group, and what must hold of its instances.

    Attributes
    ----------
    to_come : launches and ends that are still to happen
    made : deployments by instance, creator, and whether it is for the warm pool
    goods : the group's last good revisions, each with the time since when
    """

    def __init__(self, world: SimWorld, plan: ScalingPlan) -> None:
        super().__init__(world, NAME)
        self._world, self._plan = world, plan
        self.name = NAME
        self.changes, self.pool = ScalingChanges(world, self, plan), WarmPool(world, self)
        self._deleted = False  # a hook is deleted just now
        self._answers = False  # a function answers just now; else Auto Scaling's own time-out
        self._met: dict[str, int] = {}  # by instance: faults that functions had met at the last sign of life
        self.answered: dict[Place, float] = {}
        self.made: dict[Place, str] = {}
        self.goods: list[tuple[float, str]] = []
        self.to_come = 0
        self.group_of: dict[str, str] = {}  # by instance
        self.refused: set[str] = set()  # calls that were

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
        self._note_good()
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
            self._require(self._faults() > self._met[instance_id], f"{instance_id} waited, and nobody answered")
        elif launching:
            self._check_launch(place, answer)
        else:
            self._require(answer == "CONTINUE", f"{instance_id} leaves, and was told {answer}")
        self.answered[place] = self._world.now
        super()._answer(name, instance_id, answer)
        self._joined(instance_id)
        self._ended(instance_id)

    # --- what must hold

    def _require(self, holds: bool, what: str) -> None:
        self._world.watch.require(holds, RULE, what)

    def _faults(self) -> int:
        return sum(each.startswith(_EXCUSES) for each in self._world.chance.happened)

    def _check_launch(self, place: Place, answer: str) -> None:
        """Who goes into service, or into the pool, has the revision, if there is one yet; who failed does not."""
        instance_id, deployment_id = place[0], self.made.get(place)
        if deployment_id is None:
            good = self._good_since(self._world.current[-1].began)
            of_pool = self.made.get((instance_id, LAUNCH_CREATOR, True))
            has = "" if of_pool is None else self._world.deployment(of_pool)["revisionKey"]
            fine = answer == "CONTINUE" and ("" in good or (not place[2] and has in good))
            self._require(fine, f"{instance_id} was told {answer} without a deployment")
            return
        status = self._world.deployment(deployment_id)["status"]
        wanted = "CONTINUE" if status == "Succeeded" else "ABANDON"
        self._require(answer == wanted, f"{instance_id} was told {answer}, and {deployment_id} is {status}")
        if answer == "CONTINUE":
            truly = instance_id in self._world.watch.stories[deployment_id].succeeded
            self._require(truly, f"{instance_id} goes into service, and did not come well through {deployment_id}")

    def deployment_made(self, item: Mapping[str, Any]) -> None:
        """A deployment for one instance was made: the only one of its wait, and of a revision that is good."""
        about = item["scaling"]
        place = about["instanceId"], item["creator"], about.get("destination") == WARM_POOL
        pooled = item["creator"] == TERMINATION_CREATOR and about.get("origin") == WARM_POOL
        self._require(not pooled, f"{place[0]} leaves the pool, where it has no traffic, by {item['deploymentId']}")
        other = self.made.setdefault(place, item["deploymentId"])
        self._require(other == item["deploymentId"], f"{place} has {other}, and got {item['deploymentId']}")
        good = self._good_since(self._world.current[-1].began)
        self._require(item["revisionKey"] in good, f"{item['deploymentId']} deploys what is not the last good revision")

    def group_changed(self, new: Mapping[str, Any]) -> None:
        """The record of the group says nothing of these deployments."""
        told = {new.get("live"), *((new.get(name) or {}).get("deploymentId") for name in _OF_FLEET)}
        ours = told & set(self.made.values())
        self._require(not ours, f"{ours} of one instance stands in its group")
        self._note_good()

    def _note_good(self) -> None:
        good = (self._world.table.items["APP#shop", "GROUP#prod"].get("lastGood") or {}).get("revisionKey", "")
        if not self.goods or self.goods[-1][1] != good:
            self.goods.append((self._world.now, good))

    def _good_since(self, time: float) -> set[str]:
        """The revisions that were the last good one at any time since then."""
        before = [good for since, good in self.goods if since <= time]
        return {*before[-1:], *(good for since, good in self.goods if since > time)}

    def check_end(self) -> None:
        """Nobody waits, nothing is locked, and who has failed is gone; who is outdated got a follow-up."""
        items = self._world.table.items
        for group in self.all.values():
            self._require(not group.waits, f"{sorted(group.waits)} wait")
        locked = [key for key, item in items.items() if key[1].startswith("SCALING#") and "live" in item]
        self._require(not locked, f"{locked} are still locked")
        if not self._world.scenario.blue_green:
            self.changes.check_end()
        for place, deployment_id in self.made.items():
            (instance_id, creator, _), item = place, self._world.deployment(deployment_id)
            late = self.answered.get(place, item["createTime"]) < item["createTime"]
            code = item.get("error", {}).get("code")
            stopped = code == "MANUAL_STOP" and (
                creator == TERMINATION_CREATOR or instance_id not in self._world.leaving
            )
            self._require(not stopped, f"{deployment_id} was stopped for nothing")
            if code == "AUTO_SCALING_CONFIGURATION":
                self._require(late or instance_id in self._world.leaving, f"{instance_id} is there: {item['error']}")
            if creator == LAUNCH_CREATOR and item["status"] != "Succeeded" and not late:
                state = self.state_of(instance_id)
                self._require(state == "Terminated", f"{deployment_id} is {item['status']}, and {instance_id} {state}")
        self._check_follow_ups()

    def _check_follow_ups(self) -> None:
        deployments = [self._world.deployment(each) for each in self._world.table.courses]
        launches = [each for each in deployments if each["creator"] == LAUNCH_CREATOR]
        follows = [each for each in deployments if each["creator"] == FOLLOW_UP_CREATOR]
        if self._world.scenario.blue_green:
            self._require(not follows, "there are follow-ups in a blue/green group")
            return
        if self._plan.strategy == "IGNORE":
            self._require(not follows, "there are follow-ups, and newcomers are to stay as they are")
            return
        had: dict[str, set[str]] = {}
        for each in follows:
            root = each["relatedDeployments"]["autoUpdateOutdatedInstancesRootDeploymentId"]
            came = {one["scaling"]["instanceId"] for one in launches if one["completeTime"] <= each["createTime"]}
            fresh = set(each["newcomers"]) & came - had.setdefault(root, set())
            told = f"{each['deploymentId']} follows {root} for {each['newcomers']}"
            self._require(fresh == set(each["newcomers"]) and bool(fresh), told)
            had[root] |= fresh
        for launch in launches:
            self._check_up_to_date(launch, deployments)

    def _check_up_to_date(self, launch: Mapping[str, Any], deployments: list[dict[str, Any]]) -> None:
        """A newcomer with an older revision than the last good one is a target of a deployment of that one.

        Unless it has something else by now: what a user has put on it later stays.
        """
        good, instance_id = self._world.group()["lastGood"], launch["scaling"]["instanceId"]
        if launch["status"] != "Succeeded" or launch["revisionKey"] == good["revisionKey"]:
            return
        if launch["deploymentId"] != self.made.get((instance_id, LAUNCH_CREATOR, False)):
            return  # what it got for the pool was looked at when it left the pool
        if self.state_of(instance_id) != "InService":
            return
        stories = self._world.watch.stories
        others = [each for each in deployments if "scaling" not in each and each["deploymentId"] in stories]
        installed = [each for each in others if each.get("deploymentMode") != "RESTART"]
        if any(instance_id in stories[each["deploymentId"]].succeeded for each in installed):
            return
        ours = [each["deploymentId"] for each in others if each["revisionKey"] == good["revisionKey"]]
        brought = any(instance_id in stories[each].fleet for each in ours)
        if self.refused:  # a follow-up may have ended before it had a fleet
            brought = brought or any(instance_id in each.get("newcomers", ()) for each in deployments)
        self._require(brought, f"{instance_id} has {launch['location']}, and nothing followed {good['deploymentId']}")
