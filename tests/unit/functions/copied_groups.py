"""Auto Scaling groups that can be copied, in virtual time; what is wrong with them can be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from tests.unit.functions.blue_green import TwoFleets
from tests.unit.functions.hosts import Host
from tests.unit.functions.scaling_groups import Group, ScalingGroups
from tests.unit.functions.target_groups import WEB
from tests.unit.functions.world import Account

from tidegate.gateways.errors import FleetFault
from tidegate.model.balancers import Balancer
from tidegate.model.group_copy import SUSPENDED, copy_of


class CopiedGroups:
    """The port ``scaling_groups``. Instances are in service ``launches`` seconds after a group is raised.

    Attributes
    ----------
    never : so many of the instances of a copy do not come
    says : code and sentence of the last activity, where it failed
    refuses : the fault with which a copy is refused
    fails : revision keys whose deployment fails on its instances
    """

    def __init__(self, account: Account, launches: float = 50) -> None:
        self.account, self.launches = account, launches
        self.rows: dict[str, dict[str, Any]] = {}
        self.never = 0
        self.says = ("", "")
        self.refuses: FleetFault | None = None
        self.calls: list[tuple[str, str]] = []
        self.offline = False
        self.fails: frozenset[str] = frozenset()

    def add(self, name: str, *instances: str, opted_in: bool = True, **more: Any) -> None:
        """A group of hosts that are there."""
        tags = [{"Key": "tidegate:managed", "Value": "true", "PropagateAtLaunch": True}] if opted_in else []
        size = len(instances)
        self.rows[name] = {
            "AutoScalingGroupName": name,
            "LaunchTemplate": {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "web", "Version": "$Latest"},
            "MinSize": min(1, size),
            "MaxSize": 2 * size,
            "DesiredCapacity": size,
            "AvailabilityZones": ["us-east-1a"],
            "Tags": tags,
            "Instances": [],
            **more,
        }
        for each in instances:
            self._serve(name, each)

    def find(self, name: str) -> Mapping[str, Any] | None:
        return self.rows.get(name)

    def copy(self, source: Mapping[str, Any], name: str, deployment_id: str) -> None:
        self.calls.append(("copy", name))
        if self.refuses is not None:
            raise self.refuses
        if name not in self.rows:
            hooks: ScalingGroups = self.account.ports["lifecycle_hooks"]
            hooks.all[name] = Group(suspended=set(SUSPENDED))
            self.rows[name] = {**copy_of(source, name, deployment_id), "Instances": []}
            self.account.fleet.scaling_groups[name] = {}

    def resize(self, name: str, minimum: int, desired: int) -> None:
        self.calls.append(("raise", name))
        row = self.rows[name]
        coming = max(0, desired - row["DesiredCapacity"])
        row |= {"MinSize": minimum, "DesiredCapacity": desired}
        for number in range(coming - self.never if coming else 0):
            instance_id = f"i-{crc32(name.encode()):09x}{number:08x}"
            self.account.clock.at(self.account.now + self.launches, lambda each=instance_id: self._launched(name, each))

    def detach(self, name: str, balancers: Sequence[Balancer]) -> None:
        if not balancers:
            return
        self.calls.append(("detach", name))
        row = self.rows[name]
        for each in balancers:
            row["TargetGroupARNs"].remove(each.key)
            self.account.ports["balancers"].block([each], [one["InstanceId"] for one in row["Instances"]])

    def join(self, name: str, instance_id: str) -> None:
        """An instance is launched with the old revision, and has traffic where its group is attached."""
        self.account.hosts[instance_id] = Host(revision="v1.zip", tags={"tidegate:managed": "true"})
        self._serve(name, instance_id)
        if self.rows[name].get("TargetGroupARNs"):
            self.account.ports["balancers"].allow([WEB], [instance_id])

    def failure(self, name: str) -> tuple[str, str]:
        return self.says

    def delete(self, name: str) -> None:
        self.calls.append(("delete", name))
        row = self.rows.pop(name, None)
        self.account.ports["lifecycle_hooks"].all.pop(name, None)
        for each in (row or {}).get("Instances", ()):
            self.account.ports["terminations"].end([each["InstanceId"]])

    def _launched(self, name: str, instance_id: str) -> None:
        self.account.hosts[instance_id] = Host(
            fails=self.fails, tags={"tidegate:managed": "true"}, online=not self.offline
        )
        self._serve(name, instance_id)

    def _serve(self, name: str, instance_id: str) -> None:
        self.rows[name]["Instances"].append({"InstanceId": instance_id, "LifecycleState": "InService"})
        self.account.fleet.scaling_groups.setdefault(name, {})[instance_id] = "InService"


class Scaled(TwoFleets):
    """Originals of the Auto Scaling group ``web``."""

    def __init__(self, blue: int = 3, **env: str) -> None:
        super().__init__(blue, 0, **env)
        self.groups = CopiedGroups(self.account)
        self.hooks = ScalingGroups(self.account, "web")
        self.groups.add("web", *self.blue)
        self.account.ports |= {"scaling_groups": self.groups, "lifecycle_hooks": self.hooks}
        self.account.wrap(lambda _name, port: port)
        self.select({"ec2TagFilters": [], "autoScalingGroups": ["web"]})

    def select(self, selectors: dict[str, Any]) -> None:
        self.account.runtime.groups.update("shop", "prod", lambda item: {**item["info"], **selectors})

    def start_options(self, provision: str, terminate: int | None) -> dict[str, Any]:
        """Blue/green options without a ready wait; ``terminate`` minutes after which the originals end."""
        end: dict[str, Any] = {"action": "KEEP_ALIVE"}
        if terminate is not None:
            end = {"action": "TERMINATE", "terminationWaitTimeInMinutes": terminate}
        return {
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
            "terminateBlueInstancesOnDeploymentSuccess": end,
            "greenFleetProvisioningOption": {"action": provision},
        }

    def start(self, *args: Any, **more: Any) -> str:
        options = self.start_options("COPY_AUTO_SCALING_GROUP", more.pop("terminate", None))
        given = {"targetInstances": None, "blueGreenDeploymentConfiguration": options}
        return super().start(*args, **(given | more))

    def copied(self, deployment_id: str) -> list[str]:
        row = self.groups.rows[f"CodeDeploy_prod_{deployment_id}"]
        return sorted(each["InstanceId"] for each in row["Instances"])
