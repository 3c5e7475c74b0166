"""Elastic Load Balancing's two APIs in virtual time, behind the gateway that asks them on AWS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from tests.unit.functions.world import Account

from tidegate.gateways.balancers import Balancers


@dataclass
class Members:
    """A target group or Classic Load Balancer: draining takes ``drains`` seconds, getting healthy ``heals``."""

    drains: float = 20
    heals: float = 25
    sick: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    since: dict[str, float] = field(default_factory=dict)  # registered: from when it is healthy
    draining: dict[str, float] = field(default_factory=dict)

    def add(self, ids: Sequence[str], now: float) -> None:
        for each in ids:
            self.since.setdefault(each, now + self.heals)
            self.draining.pop(each, None)

    def remove(self, ids: Sequence[str], now: float) -> None:
        for each in ids:
            if self.since.pop(each, None) is not None:
                self.draining[each] = now + self.drains

    def state(self, instance: str, now: float) -> str:
        """``healthy``, ``unhealthy``, ``draining``, or nothing."""
        if instance in self.since:
            return "healthy" if self.since[instance] <= now and instance not in self.sick else "unhealthy"
        return "draining" if self.draining.get(instance, now) > now else ""


class BalancerApis:
    """The clients of both services, for one account.

    Parameters
    ----------
    groups, classic
        Target groups and Classic Load Balancers by name; all hosts of the account are healthy in each.
    """

    def __init__(self, account: Account, groups: Sequence[str] = (), classic: Sequence[str] = ()) -> None:
        self.account = account
        self.groups = {name: Members() for name in groups}
        self.classic = {name: Members() for name in classic}
        for each in self.every:
            each.since = dict.fromkeys(account.hosts, 0.0)
        self.throttles: Counter[str] = Counter()  # calls still to be refused, by operation
        self.asked: Counter[str] = Counter()
        vars(account.runtime)["balancers"] = Balancers(lambda _service: self)

    @property
    def every(self) -> list[Members]:
        return [*self.groups.values(), *self.classic.values()]

    @property
    def info(self) -> dict[str, list[dict[str, str]]]:
        """As a deployment group names them."""
        return {
            "targetGroupInfoList": [{"name": name} for name in self.groups],
            "elbInfoList": [{"name": name} for name in self.classic],
        }

    def describe_target_groups(self, Names: Sequence[str]) -> Any:
        self._group("DescribeTargetGroups", Names[0])
        return {"TargetGroups": [{"TargetGroupArn": Names[0], "TargetType": "instance"}]}

    def register_targets(self, TargetGroupArn: str, Targets: Any) -> None:
        group, ids = self._group("RegisterTargets", TargetGroupArn), [each["Id"] for each in Targets]
        if group.refused & set(ids):
            raise _refusal("RegisterTargets", "InvalidTarget", "They are not running.")
        group.add(ids, self.account.now)

    def deregister_targets(self, TargetGroupArn: str, Targets: Any) -> None:
        group = self._group("DeregisterTargets", TargetGroupArn)
        group.remove([each["Id"] for each in Targets], self.account.now)

    def describe_target_health(self, TargetGroupArn: str) -> Any:
        group = self._group("DescribeTargetHealth", TargetGroupArn)
        states = {each: group.state(each, self.account.now) for each in {**group.since, **group.draining}}
        rows = [{"Target": {"Id": i, "Port": 80}, "TargetHealth": {"State": s}} for i, s in states.items() if s]
        return {"TargetHealthDescriptions": rows}

    def describe_load_balancers(self, LoadBalancerNames: Sequence[str]) -> Any:
        found = self._classic("DescribeLoadBalancers", LoadBalancerNames[0])
        return {"LoadBalancerDescriptions": [{"Instances": [{"InstanceId": each} for each in found.since]}]}

    def register_instances_with_load_balancer(self, LoadBalancerName: str, Instances: Any) -> None:
        found = self._classic("RegisterInstancesWithLoadBalancer", LoadBalancerName)
        ids = [each["InstanceId"] for each in Instances]
        if found.refused & set(ids):
            raise _refusal("RegisterInstancesWithLoadBalancer", "InvalidInstance", "They are in another VPC.")
        found.add(ids, self.account.now)

    def deregister_instances_from_load_balancer(self, LoadBalancerName: str, Instances: Any) -> None:
        found = self._classic("DeregisterInstancesFromLoadBalancer", LoadBalancerName)
        found.remove([each["InstanceId"] for each in Instances], self.account.now)

    def describe_instance_health(self, LoadBalancerName: str, Instances: Any) -> Any:
        found = self._classic("DescribeInstanceHealth", LoadBalancerName)
        states = {each["InstanceId"]: found.state(each["InstanceId"], self.account.now) for each in Instances}
        inside = ("healthy", "draining")  # one that drains is in service as long as it does
        rows = [{"InstanceId": i, "State": "InService" if s in inside else "OutOfService"} for i, s in states.items()]
        return {"InstanceStates": rows}

    def _group(self, operation: str, name: str) -> Members:
        return self._there(operation, self.groups.get(name), "TargetGroupNotFound")

    def _classic(self, operation: str, name: str) -> Members:
        return self._there(operation, self.classic.get(name), "AccessPointNotFound")

    def _there(self, operation: str, found: Members | None, missing: str) -> Members:
        self.asked[operation] += 1
        if self.throttles[operation]:
            self.throttles[operation] -= 1
            raise _refusal(operation, "Throttling", "Rate exceeded")
        if found is None:
            raise _refusal(operation, missing, "It is not there.")
        return found


def _refusal(operation: str, code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
