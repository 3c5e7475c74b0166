"""What must hold of instances that Auto Scaling launches and ends, recomputed from what truly happens to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.sim.scenarios import ScalingPlan

from tidegate.model.deployment import FOLLOW_UP_CREATOR
from tidegate.model.scaling import LAUNCH_CREATOR, TERMINATION_CREATOR, WARM_POOL

if TYPE_CHECKING:
    from tests.sim.scaling import SimScaling
    from tests.sim.world import SimWorld

RULE = 10
Place = tuple[str, str, bool]
_OF_FLEET = ("lastAttempted", "lastSuccessful", "lastGood")


class ScalingRules:
    """The rules of one play.

    Attributes
    ----------
    made : deployments by instance, creator, and whether it is for the warm pool
    answered : when each was told to go on, or not to
    goods : the group's last good revisions, each with the time since when
    """

    def __init__(self, world: SimWorld, scaling: SimScaling, plan: ScalingPlan) -> None:
        self._world, self._scaling, self._plan = world, scaling, plan
        self.made: dict[Place, str] = {}
        self.answered: dict[Place, float] = {}
        self.goods: list[tuple[float, str]] = []

    def require(self, holds: bool, what: str) -> None:
        """A rule of Auto Scaling."""
        self._world.watch.require(holds, RULE, what)

    def check_launch(self, place: Place, answer: str) -> None:
        """Who goes into service, or into the pool, has the revision, if there is one yet; who failed does not."""
        instance_id, deployment_id = place[0], self.made.get(place)
        if deployment_id is None:
            good = self._good_since(self._world.current[-1].began)
            of_pool = self.made.get((instance_id, LAUNCH_CREATOR, True))
            has = "" if of_pool is None else self._world.deployment(of_pool)["revisionKey"]
            fine = answer == "CONTINUE" and ("" in good or (not place[2] and has in good))
            self.require(fine, f"{instance_id} was told {answer} without a deployment")
            return
        status = self._world.deployment(deployment_id)["status"]
        wanted = "CONTINUE" if status == "Succeeded" else "ABANDON"
        self.require(answer == wanted, f"{instance_id} was told {answer}, and {deployment_id} is {status}")
        if answer == "CONTINUE":
            truly = instance_id in self._world.watch.stories[deployment_id].succeeded
            self.require(truly, f"{instance_id} goes into service, and did not come well through {deployment_id}")

    def deployment_made(self, item: Mapping[str, Any]) -> None:
        """A deployment for one instance was made: the only one of its wait, and of a revision that is good."""
        about = item["scaling"]
        place = about["instanceId"], item["creator"], about.get("destination") == WARM_POOL
        pooled = item["creator"] == TERMINATION_CREATOR and about.get("origin") == WARM_POOL
        self.require(not pooled, f"{place[0]} leaves the pool, where it has no traffic, by {item['deploymentId']}")
        other = self.made.setdefault(place, item["deploymentId"])
        self.require(other == item["deploymentId"], f"{place} has {other}, and got {item['deploymentId']}")
        good = self._good_since(self._world.current[-1].began)
        self.require(item["revisionKey"] in good, f"{item['deploymentId']} deploys what is not the last good revision")

    def group_changed(self, new: Mapping[str, Any]) -> None:
        """The record of the group says nothing of these deployments."""
        told = {new.get("live"), *((new.get(name) or {}).get("deploymentId") for name in _OF_FLEET)}
        ours = told & set(self.made.values())
        self.require(not ours, f"{ours} of one instance stands in its group")
        self.note_good()

    def note_good(self) -> None:
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
        for group in self._scaling.all.values():
            self.require(not group.waits, f"{sorted(group.waits)} wait")
        locked = [key for key, item in items.items() if key[1].startswith("SCALING#") and "live" in item]
        self.require(not locked, f"{locked} are still locked")
        if not self._world.scenario.blue_green:
            self._scaling.changes.check_end()
        for place, deployment_id in self.made.items():
            (instance_id, creator, _), item = place, self._world.deployment(deployment_id)
            late = self.answered.get(place, item["createTime"]) < item["createTime"]
            code = item.get("error", {}).get("code")
            stopped = code == "MANUAL_STOP" and (
                creator == TERMINATION_CREATOR or instance_id not in self._world.leaving
            )
            self.require(not stopped, f"{deployment_id} was stopped for nothing")
            if code == "AUTO_SCALING_CONFIGURATION":
                self.require(late or instance_id in self._world.leaving, f"{instance_id} is there: {item['error']}")
            if creator == LAUNCH_CREATOR and item["status"] != "Succeeded" and not late:
                state = self._scaling.state_of(instance_id)
                self.require(state == "Terminated", f"{deployment_id} is {item['status']}, and {instance_id} {state}")
        self._check_follow_ups()

    def _check_follow_ups(self) -> None:
        deployments = [self._world.deployment(each) for each in self._world.table.courses]
        launches = [each for each in deployments if each["creator"] == LAUNCH_CREATOR]
        follows = [each for each in deployments if each["creator"] == FOLLOW_UP_CREATOR]
        if self._world.scenario.blue_green:
            self.require(not follows, "there are follow-ups in a blue/green group")
            return
        if self._plan.strategy == "IGNORE":
            self.require(not follows, "there are follow-ups, and newcomers are to stay as they are")
            return
        had: dict[str, set[str]] = {}
        for each in follows:
            root = each["relatedDeployments"]["autoUpdateOutdatedInstancesRootDeploymentId"]
            came = {one["scaling"]["instanceId"] for one in launches if one["completeTime"] <= each["createTime"]}
            fresh = set(each["newcomers"]) & came - had.setdefault(root, set())
            told = f"{each['deploymentId']} follows {root} for {each['newcomers']}"
            self.require(fresh == set(each["newcomers"]) and bool(fresh), told)
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
        if self._scaling.state_of(instance_id) != "InService":
            return
        stories = self._world.watch.stories
        others = [each for each in deployments if "scaling" not in each and each["deploymentId"] in stories]
        installed = [each for each in others if each.get("deploymentMode") != "RESTART"]
        if any(instance_id in stories[each["deploymentId"]].succeeded for each in installed):
            return
        ours = [each["deploymentId"] for each in others if each["revisionKey"] == good["revisionKey"]]
        brought = any(instance_id in stories[each].fleet for each in ours)
        if self._scaling.refused:  # a follow-up may have ended before it had a fleet
            brought = brought or any(instance_id in each.get("newcomers", ()) for each in deployments)
        self.require(brought, f"{instance_id} has {launch['location']}, and nothing followed {good['deploymentId']}")
