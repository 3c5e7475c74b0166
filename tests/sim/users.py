"""What people do: ask for deployments, stop them, ask for one too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.sim.ports import EXPECTED
from tests.sim.scenarios import BlueGreenPlan, Wish
from tests.unit.functions.blue_green import GREEN_FILTERS
from tests.unit.functions.blue_green import STYLE as BLUE_GREEN_STYLE
from tests.unit.functions.machine import Killed

from tidegate.store.errors import DeploymentCompletedError, DeploymentGroupBusyError, NotWaitingError

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

STYLE = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
INFO = {"targetGroupInfoList": [{"name": "web"}]}
ALARM = "errors"


class Users:
    """The users of a world; their calls are answered, or they ask again."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self.stops: dict[str, float] = {}
        self.waiting = 0  # wishes that are not granted yet
        self.made: dict[str, Wish] = {}

    def come(self) -> None:
        """Ask for what the scenario has, each in its time."""
        wishes = self._world.scenario.wishes[: 1 if self._world.scenario.blue_green else None]
        for number, wish in enumerate(wishes, 1):
            if number == 1 or self._world.chance.planned(f"deployment {number} is asked for"):
                self.waiting += 1
                self._world.clock.at(self._world.now + wish.at, lambda wish=wish, n=number: self._ask(wish, n))

    def _ask(self, wish: Wish, number: int, tries: int = 400) -> None:
        world = self._world
        group = world.group()
        plan = world.scenario.blue_green
        try:
            # What is asked for once only, and got no answer, is looked for first.
            deployment_id = world.first_asked_for() if plan else ""
            deployment_id = deployment_id or world.deploy(
                wish.key, plan.minimum if plan else wish.minimum, **self._settings(wish, group)
            )
        except DeploymentGroupBusyError as error:
            world.watch.refused(str(error))
            if tries:
                world.clock.at(world.now + 97, lambda: self._ask(wish, number, tries - 1))
            else:
                self.waiting -= 1
            return
        except (Killed, *EXPECTED):
            world.clock.at(world.now + 5, lambda: self._ask(wish, number, tries))
            return
        self.waiting -= 1
        self.made[deployment_id] = wish
        world.tell(f"{deployment_id} is asked for: {wish}")
        if plan and plan.continued_after is not None and world.chance.planned("the deployment is continued"):
            world.clock.at(world.now + plan.continued_after, lambda: self._continue(deployment_id))
        if wish.stop_after is not None and world.chance.planned(f"deployment {number} is stopped"):
            world.clock.at(world.now + wish.stop_after, lambda: self.stop(deployment_id, wish.stop_rolls_back))

    def _continue(self, deployment_id: str) -> None:
        """What ContinueDeployment does; who gets no answer, or is too early, asks again."""
        world = self._world
        try:
            world.runtime.deployments.request_continue(deployment_id, "READY_WAIT")
            world.runtime.signals.signal(deployment_id)
        except DeploymentCompletedError:
            return
        except (Killed, NotWaitingError, *EXPECTED):
            world.clock.at(world.now + 60, lambda: self._continue(deployment_id))

    def _settings(self, wish: Wish, group: dict[str, Any]) -> dict[str, Any]:
        more: dict[str, Any] = {
            "autoRollback": {"enabled": bool(wish.rolls_back_on), "events": list(wish.rolls_back_on)},
            "updateOutdatedInstancesOnly": wish.outdated_only,
            "deploymentGroupId": self._world.group_id,
        }
        if self._world.scenario.balanced:
            more |= {"deploymentStyle": STYLE, "loadBalancerInfo": INFO}
        if plan := self._world.scenario.blue_green:
            return {name: more[name] for name in ("autoRollback", "deploymentGroupId")} | _blue_green(plan)
        if wish.zonal:
            more["zonal"] = wish.zonal
        if self._world.scenario.scaling and self._world.scenario.scaling.suspends:
            processes = list(self._world.scenario.scaling.suspends)
            more["ec2DeploymentOptions"] = {"autoScalingGroupProcessesToSuspend": processes}
        if wish.watches_alarm:
            more["alarms"] = {"names": [ALARM], "ignorePollFailure": False}
        good = group.get("lastGood", {}).get("deploymentId", "")
        if wish.restart and good in self.made:
            more |= {"deploymentMode": "RESTART", "restartOf": good}
        return more

    def stop(self, deployment_id: str, rolls_back: bool | None) -> None:
        """What StopDeployment does; who gets no answer asks again."""
        world = self._world
        try:
            item = world.runtime.deployments.request_stop(
                deployment_id, now=world.now, auto_rollback=rolls_back, by="alice"
            )
            if self.stops.setdefault(deployment_id, world.now) == world.now:
                world.tell(f"{deployment_id} is to stop")
                world.watch.to_stop(deployment_id, item)
            world.runtime.signals.signal(deployment_id)
        except DeploymentCompletedError:
            return
        except (Killed, *EXPECTED):
            world.clock.at(world.now + 1, lambda: self.stop(deployment_id, rolls_back))


def _blue_green(plan: BlueGreenPlan) -> dict[str, Any]:
    ready = {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0}
    if plan.ready is not None:
        ready = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": plan.ready}
    end: dict[str, Any] = {"action": "KEEP_ALIVE"}
    if plan.terminate is not None:
        end = {"action": "TERMINATE", "terminationWaitTimeInMinutes": plan.terminate}
    targets = {"targetInstances": {"tagFilters": GREEN_FILTERS}} if plan.copy is None else {}
    return {
        **targets,
        "deploymentStyle": BLUE_GREEN_STYLE,
        "loadBalancerInfo": INFO,
        "blueGreenDeploymentConfiguration": {
            "deploymentReadyOption": ready,
            "terminateBlueInstancesOnDeploymentSuccess": end,
            "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP" if plan.copy else "DISCOVER_EXISTING"},
        },
    }
