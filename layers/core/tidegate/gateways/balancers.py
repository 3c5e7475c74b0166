"""Target groups and Classic Load Balancers: instances taken out of them, and given back.

Follows "Integrating CodeDeploy with Elastic Load Balancing" (CodeDeploy user guide), "Register targets with your target
group" and "Configure connection draining" (Elastic Load Balancing user guides). Everything may be done twice: what is
out already is left alone, and registering again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from botocore.exceptions import ClientError

from tidegate.gateways.errors import BalancerFault, error_code, translated
from tidegate.model.balancers import Balancer, BalancerKind, names_in
from tidegate.model.deployment import ErrorCode

_MOST: Final = 100  # instances of a call
_GONE: Final = frozenset({"TargetGroupNotFound", "LoadBalancerNotFound", "AccessPointNotFound"})
_NO_INSTANCE: Final = frozenset({"InvalidTarget", "InvalidInstance", "InvalidEndPoint"})


class _Kind(Protocol):
    """What either kind of balancer can be asked."""

    def find(self, name: str) -> Balancer: ...
    def register(self, key: str, ids: Sequence[str]) -> None: ...
    def deregister(self, key: str, ids: Sequence[str]) -> None: ...
    def attached(self, key: str, ids: Sequence[str]) -> Mapping[str, str]: ...
    def unhealthy(self, key: str, ids: Sequence[str]) -> Mapping[str, str]: ...


class Balancers:
    """The balancers of the account and Region.

    Parameters
    ----------
    client
        Makes the client of a service (``elbv2``, ``elb``); only what a group uses is made.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self._kinds: dict[BalancerKind, _Kind] = {}

    def find(self, info: Mapping[str, Any] | None) -> list[Balancer]:
        """The balancers that a group's ``loadBalancerInfo`` names.

        Raises
        ------
        BalancerFault
            ``MISSING_ELB_INFORMATION`` where it names none; ``ELASTIC_LOAD_BALANCING_INVALID`` where one is not there,
            or takes no instances.
        """
        names = names_in(info)
        if not names:
            message = (
                "The deployment is WITH_TRAFFIC_CONTROL, and its deployment group names no load balancer: give the "
                "group 'loadBalancerInfo' with 'targetGroupInfoList' or 'elbInfoList', or choose "
                "WITHOUT_TRAFFIC_CONTROL."
            )
            raise BalancerFault(ErrorCode.MISSING_ELB_INFORMATION, message)
        found: list[Balancer] = []
        for kind, each in names.items():
            for name in each:
                with _told(Balancer(kind, name, name), ()):
                    found.append(self._kind(kind).find(name))
        return found

    def block(self, balancers: Iterable[Balancer], ids: Sequence[str]) -> None:
        """Begin to take instances out of all the balancers; those that are in none are left alone.

        Raises
        ------
        BalancerFault
            A balancer is gone.
        """
        for each in balancers:
            with _told(each, ids):
                self._kind(each.kind).deregister(each.key, ids)

    def allow(self, balancers: Iterable[Balancer], ids: Sequence[str]) -> None:
        """Register instances with all the balancers, with each target group's own port.

        Raises
        ------
        BalancerFault
            A balancer is gone, or does not take an instance (``ELB_INVALID_INSTANCE``).
        """
        for each in balancers:
            with _told(each, ids):
                for some in _batched(ids, _MOST):
                    self._kind(each.kind).register(each.key, some)

    def still_in(self, balancers: Iterable[Balancer], ids: Sequence[str]) -> dict[str, str]:
        """Instances that a balancer still has, or drains, with a phrase that says which; the others are out."""
        return self._ask(balancers, ids, "attached")

    def not_healthy(self, balancers: Iterable[Balancer], ids: Sequence[str]) -> dict[str, str]:
        """Instances that a balancer does not find healthy, with a phrase that says which and why."""
        return self._ask(balancers, ids, "unhealthy")

    def _ask(self, balancers: Iterable[Balancer], ids: Sequence[str], question: str) -> dict[str, str]:
        found: dict[str, list[str]] = {}
        for each in balancers:
            with _told(each, ids):
                answers: Mapping[str, str] = getattr(self._kind(each.kind), question)(each.key, ids)
            for instance_id, word in answers.items():
                found.setdefault(instance_id, []).append(f"{word} in {each}")
        return {instance_id: "; ".join(words) for instance_id, words in found.items()}

    def _kind(self, kind: BalancerKind) -> _Kind:
        if kind not in self._kinds:
            made = TargetGroups(self._client("elbv2")) if kind is BalancerKind.TARGET_GROUP else None
            self._kinds[kind] = made or Classic(self._client("elb"))
        return self._kinds[kind]


class TargetGroups:
    """Target groups of Application and Network Load Balancers, whose targets are instances."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def find(self, name: str) -> Balancer:
        """The group of that name."""
        (group,) = self._client.describe_target_groups(Names=[name])["TargetGroups"]
        if group.get("TargetType", "instance") != "instance":
            message = (
                f"The target group '{name}' has targets of the type {group['TargetType']}; a deployment to instances "
                "needs one of the type instance."
            )
            raise BalancerFault(ErrorCode.ELASTIC_LOAD_BALANCING_INVALID, message)
        return Balancer(BalancerKind.TARGET_GROUP, name, group["TargetGroupArn"])

    def register(self, key: str, ids: Sequence[str]) -> None:
        """Register instances with the group's port."""
        self._client.register_targets(TargetGroupArn=key, Targets=[{"Id": each} for each in ids])

    def deregister(self, key: str, ids: Sequence[str]) -> None:
        """Take instances out with every port they are registered with; a port has to be told to take it out."""
        targets = [row["Target"] for row in self._rows(key, ids) if row["TargetHealth"]["State"] != "draining"]
        for some in _batched(targets, _MOST):
            chosen = [{"Id": each["Id"], "Port": each["Port"]} for each in some]
            self._client.deregister_targets(TargetGroupArn=key, Targets=chosen)

    def attached(self, key: str, ids: Sequence[str]) -> dict[str, str]:
        """Those the group has or drains, with their states."""
        return {row["Target"]["Id"]: _state(row["TargetHealth"]) for row in self._rows(key, ids)}

    def unhealthy(self, key: str, ids: Sequence[str]) -> dict[str, str]:
        """Those that are healthy with none, or not with all, of their ports."""
        rows = self._rows(key, ids)
        found = dict.fromkeys(set(ids) - {row["Target"]["Id"] for row in rows}, "not registered")
        return found | {
            row["Target"]["Id"]: _state(row["TargetHealth"])
            for row in rows
            if row["TargetHealth"]["State"] != "healthy"
        }

    def _rows(self, key: str, ids: Sequence[str]) -> list[Any]:
        """All rows of the group, with whatever port; those not registered have none."""
        wanted = set(ids)
        rows = self._client.describe_target_health(TargetGroupArn=key)["TargetHealthDescriptions"]
        return [row for row in rows if row["Target"]["Id"] in wanted and not _absent(row["TargetHealth"])]


class Classic:
    """Classic Load Balancers."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def find(self, name: str) -> Balancer:
        """The balancer of that name."""
        self._members(name)
        return Balancer(BalancerKind.CLASSIC, name, name)

    def register(self, key: str, ids: Sequence[str]) -> None:
        """Register instances."""
        self._client.register_instances_with_load_balancer(LoadBalancerName=key, Instances=_instances(ids))

    def deregister(self, key: str, ids: Sequence[str]) -> None:
        """Take out those that are registered; their connections are drained."""
        inside = sorted(self._members(key) & set(ids))
        for some in _batched(inside, _MOST):
            self._client.deregister_instances_from_load_balancer(LoadBalancerName=key, Instances=_instances(some))

    def attached(self, key: str, ids: Sequence[str]) -> dict[str, str]:
        """Those registered, and those whose connections are drained: these still count as InService."""
        inside = self._members(key)
        states = self._states(key, ids)
        return {
            each: states.get(each, "registered") for each in ids if each in inside or states.get(each) == "InService"
        }

    def unhealthy(self, key: str, ids: Sequence[str]) -> dict[str, str]:
        """Those that are not registered, or not in service."""
        inside, states = self._members(key), self._states(key, ids)
        told = {each: states.get(each, "not registered") if each in inside else "not registered" for each in ids}
        return {each: word for each, word in told.items() if word != "InService"}

    def _members(self, name: str) -> set[str]:
        (row,) = self._client.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
        return {each["InstanceId"] for each in row["Instances"]}

    def _states(self, key: str, ids: Sequence[str]) -> dict[str, str]:
        """States by instance; an instance that is unknown to the service spoils a call, and is then asked alone."""
        if len(ids) > _MOST:
            return {name: state for some in _batched(ids, _MOST) for name, state in self._states(key, some).items()}
        try:
            answer = self._client.describe_instance_health(LoadBalancerName=key, Instances=_instances(ids))
        except ClientError as error:
            if error_code(error) not in _NO_INSTANCE:
                raise
            if len(ids) <= 1:
                return {}
            half = len(ids) // 2
            return self._states(key, ids[:half]) | self._states(key, ids[half:])
        return {row["InstanceId"]: row["State"] for row in answer["InstanceStates"]}


def _batched(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[i : i + size] for i in range(0, len(items), size))


def _instances(ids: Iterable[str]) -> list[dict[str, str]]:
    return [{"InstanceId": each} for each in ids]


def _absent(health: Mapping[str, str]) -> bool:
    return health["State"] == "unused" and health.get("Reason") == "Target.NotRegistered"


def _state(health: Mapping[str, str]) -> str:
    reason = health.get("Reason")
    return f"{health['State']} ({reason})" if reason else health["State"]


@contextmanager
def _told(balancer: Balancer, ids: Sequence[str]) -> Iterator[None]:
    """A balancer's refusals as faults of the deployment; throttles and the rest as every gateway's."""
    with translated(f"asking the {balancer}"):
        try:
            yield
        except ClientError as error:
            code, text = error_code(error), error.response.get("Error", {}).get("Message", "")
            if code in _GONE:
                message = f"There is no {balancer}; make it, or change the deployment group's 'loadBalancerInfo'."
                raise BalancerFault(ErrorCode.ELASTIC_LOAD_BALANCING_INVALID, message) from error
            if code in _NO_INSTANCE:
                some = ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
                message = (
                    f"The {balancer} does not take one of the instances {some}: {text} Instances must run, in a VPC "
                    "and Availability Zone of the load balancer."
                )
                raise BalancerFault(ErrorCode.ELB_INVALID_INSTANCE, message) from error
            raise
