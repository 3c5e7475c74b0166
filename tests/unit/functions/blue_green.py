"""Two fleets behind a target group in virtual time, and what a user does with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.unit.functions.machine import Killed
from tests.unit.functions.target_groups import TargetGroup
from tests.unit.functions.world import Account, hosts

STYLE = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
INFO = {"targetGroupInfoList": [{"name": "web"}]}
ON_ANY_END = {"enabled": True, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"]}
GREEN_TAGS = {"Fleet": "green", "tidegate:managed": "true"}
GREEN_FILTERS = [{"Key": "Fleet", "Value": "green", "Type": "KEY_AND_VALUE"}]


class Terminations:
    """EC2's side of the end of instances: it takes ``takes`` seconds; ``protected`` ones are refused."""

    def __init__(self, account: Account, takes: float = 40) -> None:
        self.account, self.takes = account, takes
        self.ended: dict[str, float] = {}
        self.protected: set[str] = set()
        self.calls: list[tuple[str, ...]] = []

    def end(self, ids: Sequence[str]) -> dict[str, str]:
        self.calls.append(tuple(ids))
        for each in ids:
            if each not in self.protected:
                self.ended.setdefault(each, self.account.now + self.takes)
                self.account.hosts[each].online = False
        return {each: "The instance is protected from termination." for each in ids if each in self.protected}

    def left(self, ids: Sequence[str]) -> dict[str, str]:
        return {each: "running" for each in ids if self.ended.get(each, self.account.now + 1) > self.account.now}


class Mortal:
    """A port in one of whose calls the process dies once, before or after its effect; ``died`` notes it."""

    def __init__(self, port: Any, call: str, died: list[str], *, before: bool) -> None:
        self._port, self._call, self._died, self._before = port, call, died, before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name != self._call:
            return found

        def call(*args: Any, **given: Any) -> Any:
            if self._died:
                return found(*args, **given)
            self._died.append(name)
            if not self._before:
                found(*args, **given)
            raise Killed(name)

        return call


class TwoFleets:
    """Originals that run ``v1.zip`` and have the traffic, and replacement instances that have nothing."""

    def __init__(self, blue: int = 3, green: int = 3, **env: str) -> None:
        everyone = hosts(blue + green)
        self.blue, self.green = list(everyone)[:blue], list(everyone)[blue:]
        for each in self.green:
            everyone[each].tags = GREEN_TAGS
        self.account = Account(everyone, **env)
        self.balancer = TargetGroup(self.account)
        self.terminations = Terminations(self.account)
        self.account.ports |= {"balancers": self.balancer, "terminations": self.terminations}
        self.account.wrap(lambda _name, port: port)
        self.balancer.since.clear()
        if blue:
            self.first = self.account.deploy("v1.zip", ("HOST_COUNT", 0))
            self.account.run()
            self.balancer.since |= dict.fromkeys(self.blue, 0.0)
        self.balancer.fewest = blue

    def start(
        self,
        key: str = "v2.zip",
        minimum: tuple[str, int] = ("HOST_COUNT", 0),
        ready: int | None = None,
        terminate: int | None = None,
        **more: Any,
    ) -> str:
        """Create a blue/green deployment; the waits are minutes."""
        options: dict[str, Mapping[str, Any]] = {
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0},
            "terminateBlueInstancesOnDeploymentSuccess": {"action": "KEEP_ALIVE"},
            "greenFleetProvisioningOption": {"action": "DISCOVER_EXISTING"},
        }
        if ready is not None:
            options["deploymentReadyOption"] = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": ready}
        if terminate is not None:
            options["terminateBlueInstancesOnDeploymentSuccess"] = {
                "action": "TERMINATE",
                "terminationWaitTimeInMinutes": terminate,
            }
        given = {
            "deploymentStyle": STYLE,
            "loadBalancerInfo": INFO,
            "blueGreenDeploymentConfiguration": options,
            "targetInstances": {"tagFilters": GREEN_FILTERS},
            **more,
        }
        return self.account.deploy(key, minimum, **{name: value for name, value in given.items() if value is not None})

    def deploy(self, *args: Any, **more: Any) -> str:
        """Create one and walk it to its end, with what it starts."""
        deployed = self.start(*args, **more)
        self.account.run()
        return deployed

    def when(self, status: str, happens: Any, after: float = 100) -> None:
        """Let something happen so many seconds after the newest deployment has come to a status."""
        seen: list[str] = []

        def look(name: str, state: Any) -> None:
            deployment_id = state["deploymentId"]
            if name == "AwaitProgress" and not seen and self.account.deployment(deployment_id)["status"] == status:
                seen.append(deployment_id)
                self.account.clock.at(self.account.now + after, lambda: happens(deployment_id))

        self.account.before = look

    def when_originals_wait(self, happens: Any, after: float = 100) -> None:
        """Let something happen so many seconds after the termination wait has begun."""
        seen: list[str] = []

        def look(_name: str, state: Any) -> None:
            item = self.account.deployment(state["deploymentId"])
            if not seen and item.get("instanceTerminationWaitTimeStarted"):
                seen.append(state["deploymentId"])
                self.account.clock.at(self.account.now + after, lambda: happens(state["deploymentId"]))

        self.account.before = look

    def proceed(self, deployment_id: str, wait: str = "READY_WAIT") -> None:
        """What ContinueDeployment does."""
        self.account.runtime.deployments.request_continue(deployment_id, wait)
        self.account.runtime.signals.signal(deployment_id)

    def orders_of(self, deployment_id: str) -> list[Mapping[str, Any]]:
        """What its hosts were told."""
        published = self.account.orders.published.items()
        return [order for key, (order, _) in published if key.startswith(f"orders/{deployment_id}/")]

    def serving(self) -> list[str]:
        """Who is registered and healthy."""
        return sorted(each for each in self.balancer.since if self.balancer.is_healthy(each))

    def events(self, deployment_id: str, target_id: str) -> dict[str, str]:
        found = self.account.targets(deployment_id)[target_id]["lifecycleEvents"]
        return {each["lifecycleEventName"]: each["status"] for each in found}

    def labels(self, deployment_id: str) -> dict[str, str]:
        return {each: item["instanceLabel"] for each, item in self.account.targets(deployment_id).items()}
