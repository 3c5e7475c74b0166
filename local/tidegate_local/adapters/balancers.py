"""Elastic Load Balancing v2 over local hosts, on moto: listeners forward, target groups check health and drain.

Stands in for what moto lacks: there a registered target is healthy at once, a deregistered one gone at once, and
nothing listens. Follows the Elastic Load Balancing API reference (RegisterTargets, DeregisterTargets,
DescribeTargetHealth) and the user guides that `tidegate_local.balancing` names. Only default actions that forward are
looked at, and Classic Load Balancers stay as moto has them: registered is in service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidegate_local.balancing.forwarder import Forwarder, any_address
from tidegate_local.balancing.pool import NOT_REGISTERED, Check, Pool

_TRIES = 20
#: Where an instance that is no local host is: a network for documentation (RFC 5737), so that its checks fail.
_NOWHERE = "192.0.2.1"
_service: Balancing | None = None
_patched = False
_WORDS = {
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.NotRegistered": "Target is not registered to the target group",
    "Target.ResponseCodeMismatch": "Health checks failed with these codes: []",
    "Target.Timeout": "Request timed out",
}


class Balancing:
    """The balancers of one local cloud.

    Parameters
    ----------
    address_of
        Gives the address of an instance; None for what is no local host.
    """

    def __init__(self, address_of: Callable[[str], str | None]) -> None:
        self.address_of = address_of
        self._forwarder = Forwarder()
        self._pools: dict[str, Pool] = {}
        self._addresses: dict[str, str] = {}  # by load balancer
        self._listeners: dict[str, dict[str, Any]] = {}

    def register(self, group: Any, target_ids: list[str]) -> None:
        """Give a target group's registered targets to its pool."""
        for target_id in target_ids:
            port = int(group.targets[target_id]["Port"])
            address = self.address_of(target_id) or _NOWHERE
            self._forwarder.call(self._pool(group).register, target_id, address, port)

    def deregister(self, group: Any, target_ids: list[str]) -> None:
        """Drain targets."""
        for target_id in target_ids:
            self._forwarder.call(self._pool(group).deregister, target_id)

    def state_of(self, group: Any, target_id: str) -> tuple[str, str]:
        """State and reason of a target."""
        pool = self._pools.get(group.arn)
        found = self._forwarder.call(pool.state_of, target_id) if pool else NOT_REGISTERED
        if found[0] not in ("unused", "draining") and not self._in_use(group.arn):
            return "unused", "Target.NotInUse"
        return found

    def targets_of(self, group: Any) -> list[str]:
        """The targets of a group, those that drain among them."""
        pool = self._pools.get(group.arn)
        return list(pool.targets) if pool else []

    def open(self, listener: Any, balancer: Any) -> None:
        """Open a listener at its load balancer's own address, which becomes the balancer's DNS name."""

        def pool() -> Pool | None:
            groups = _groups_of(listener)
            return self._pools.get(groups[0]) if groups else None

        http = listener.protocol in ("HTTP", "HTTPS")
        for attempt in range(_TRIES):
            address = self._addresses.get(balancer.arn) or any_address()
            try:
                port = self._forwarder.listen(listener.arn, address, int(listener.port), pool, http)
                break
            except OSError:
                if attempt == _TRIES - 1 or balancer.arn in self._addresses:
                    raise
        self._addresses[balancer.arn] = balancer.dns_name = address
        self._listeners[listener.arn] = {
            "name": balancer.name,
            "address": f"{address}:{port}",
            "forwarder": "python",
            "listener": listener,
        }

    def close(self, listener_arn: str) -> None:
        """Close a listener."""
        self._listeners.pop(listener_arn, None)
        self._forwarder.close(listener_arn)

    def describe(self) -> list[dict[str, Any]]:
        """The listeners: where they are, and the states of their targets."""
        return [
            {
                "name": each["name"],
                "address": each["address"],
                "forwarder": each["forwarder"],
                "targets": {
                    target_id: self._forwarder.call(self._pools[arn].state_of, target_id)[0]
                    for arn in _groups_of(each["listener"])
                    if arn in self._pools
                    for target_id in list(self._pools[arn].targets)
                },
            }
            for each in list(self._listeners.values())
        ]

    def stop(self) -> None:
        """End all listeners and connections."""
        global _service
        if _service is self:
            _service = None
        for pool in self._pools.values():
            self._forwarder.call(pool.end)
        self._forwarder.stop()

    def _in_use(self, arn: str) -> bool:
        return any(arn in _groups_of(each["listener"]) for each in self._listeners.values())

    def _pool(self, group: Any) -> Pool:
        return self._pools.setdefault(group.arn, Pool(lambda: check_of(group)))


def check_of(group: Any) -> Check:
    """A target group's settings, as moto keeps them."""
    http = group.health_check_protocol in ("HTTP", "HTTPS")
    port = str(group.health_check_port or "traffic-port")
    return Check(
        path=(group.health_check_path or "/") if http else "",
        codes=codes_of((getattr(group, "matcher", None) or {}).get("HttpCode") or "200"),
        interval=float(group.health_check_interval_seconds),
        timeout=float(group.health_check_timeout_seconds),
        healthy_after=int(group.healthy_threshold_count),
        unhealthy_after=int(group.unhealthy_threshold_count),
        port=int(port) if port.isdigit() else None,
        deregistration_delay=float(group.attributes["deregistration_delay.timeout_seconds"]),
    )


def codes_of(matcher: str) -> frozenset[int]:
    """The status codes of a target group's matcher.

    >>> sorted(codes_of("200-202,301"))
    [200, 201, 202, 301]
    """
    found: set[int] = set()
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _groups_of(listener: Any) -> list[str]:
    arns: list[str] = []
    for action in listener.default_actions:
        if action.type != "forward":
            continue
        if "TargetGroupArn" in action.data:
            arns.append(action.data["TargetGroupArn"])
        weighed = action.data.get("ForwardConfig", {}).get("TargetGroups", ())
        arns += [each["TargetGroupArn"] for each in weighed if int(each.get("Weight", 1))]
    return list(dict.fromkeys(arns))


def install(address_of: Callable[[str], str | None]) -> Balancing:
    """Make moto's load balancers forward to local hosts; a second call replaces the first's."""
    global _service, _patched
    if _service is not None:
        _service.stop()
    _service = Balancing(address_of)
    if not _patched:
        _patch()
        _patched = True
    return _service


def _patch() -> None:
    from moto.elbv2 import models

    _patch_groups(models)
    _patch_listeners(models.ELBv2Backend)
    describe = models.ELBv2Backend.describe_target_health

    def new_describe(self: Any, target_group_arn: str, targets: list[dict[str, Any]]) -> Any:
        found = self.target_groups.get(target_group_arn)
        if not targets and _service is not None and found is not None and found.target_type == "instance":
            targets = [{"Id": each} for each in _service.targets_of(found)]
            if not targets:
                return []
        return describe(self, target_group_arn, targets)

    models.ELBv2Backend.describe_target_health = new_describe


def _patch_groups(models: Any) -> None:
    group = models.FakeTargetGroup
    register, deregister, health_for = group.register, group.deregister, group.health_for

    def new_register(self: Any, targets: list[dict[str, Any]]) -> None:
        instances = self.target_type == "instance"
        if instances and any(self.ec2_backend.get_instance_by_id(target["Id"]) is None for target in targets):
            raise models.InvalidTargetError()
        register(self, targets)
        if _service is not None and instances:
            _service.register(self, [target["Id"] for target in targets])

    def new_deregister(self: Any, targets: list[dict[str, Any]]) -> None:
        known = [target for target in targets if target["Id"] in self.targets]
        deregister(self, known)
        if _service is not None:
            _service.deregister(self, [target["Id"] for target in known])

    def new_health_for(self: Any, target: Mapping[str, Any], ec2_backend: Any) -> Any:
        if _service is None or self.target_type != "instance":
            return health_for(self, target, ec2_backend)
        state, reason = _service.state_of(self, target["Id"])
        kept = self.targets.get(target["Id"]) or self.deregistered_targets.get(target["Id"]) or {}
        port = target.get("Port") or kept.get("Port") or self.port
        checked = str(port) if self.health_check_port == "traffic-port" else self.health_check_port
        return models.FakeHealthStatus(target["Id"], port, checked, state, reason or None, _WORDS.get(reason))

    group.register, group.deregister, group.health_for = new_register, new_deregister, new_health_for


def _patch_listeners(backend: Any) -> None:
    create, delete, delete_balancer = backend.create_listener, backend.delete_listener, backend.delete_load_balancer

    def new_create(self: Any, *args: Any, **kwargs: Any) -> Any:
        listener = create(self, *args, **kwargs)
        if _service is not None:
            _service.open(listener, self.load_balancers[listener.load_balancer_arn])
        return listener

    def new_delete(self: Any, listener_arn: str) -> Any:
        if _service is not None:
            _service.close(listener_arn)
        return delete(self, listener_arn)

    def new_delete_balancer(self: Any, arn: str) -> None:
        balancer = self.load_balancers.get(arn)
        if balancer is not None and _service is not None:
            for listener_arn in list(balancer.listeners):
                _service.close(listener_arn)
        delete_balancer(self, arn)

    backend.create_listener, backend.delete_listener = new_create, new_delete
    backend.delete_load_balancer = new_delete_balancer
