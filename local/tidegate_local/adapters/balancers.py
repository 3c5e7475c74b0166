"""Elastic Load Balancing v2 over local hosts, on moto: listeners forward, target groups check health and drain.

Stands in for what moto lacks: there a registered target is healthy at once, a deregistered one gone at once, and
nothing listens. Follows the Elastic Load Balancing API reference (RegisterTargets, DeregisterTargets,
DescribeTargetHealth) and the user guides that `tidegate_local.balancing` names. Only default actions that forward are
looked at; Classic Load Balancers are in `classic_balancers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from tidegate_local.adapters import classic_balancers
from tidegate_local.balancing.health import NOT_REGISTERED, Check, Health
from tidegate_local.balancing.service import Balancing

_service: Balancing | None = None
_patched = False
_WORDS = {
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.InvalidState": "Target is in the stopped state",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.NotRegistered": "Target is not registered to the target group",
    "Target.ResponseCodeMismatch": "Health checks failed with these codes: [{code}]",
    "Target.Timeout": "Request timed out",
}


def check_of(group: Any) -> Check:
    """A target group's settings, as moto keeps them."""
    http = group.health_check_protocol in ("HTTP", "HTTPS")
    port = str(group.health_check_port or "traffic-port")
    ends = str(group.attributes.get("deregistration_delay.connection_termination.enabled", "false")) == "true"
    return Check(
        path=(group.health_check_path or "/") if http else "",
        codes=codes_of((getattr(group, "matcher", None) or {}).get("HttpCode") or "200"),
        interval=float(group.health_check_interval_seconds),
        timeout=float(group.health_check_timeout_seconds),
        healthy_after=int(group.healthy_threshold_count),
        unhealthy_after=int(group.unhealthy_threshold_count),
        port=int(port) if port.isdigit() else None,
        deregistration_delay=float(group.attributes["deregistration_delay.timeout_seconds"]),
        cuts=ends or _is_http(group),
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


def _is_http(each: Any) -> bool:
    return each.protocol in ("HTTP", "HTTPS")


def _routes_of(listener: Any) -> list[tuple[str, int]]:
    """The target groups that a listener's default action forwards to, with their weights."""
    found: dict[str, int] = {}
    for action in listener.default_actions:
        if action.type != "forward":
            continue
        weighed = action.data.get("ForwardConfig", {}).get("TargetGroups", ())
        found |= {each["TargetGroupArn"]: int(each.get("Weight", 1)) for each in weighed}
        if not weighed and "TargetGroupArn" in action.data:
            found[action.data["TargetGroupArn"]] = 1
    return [(arn, weight) for arn, weight in found.items() if weight]


def install(address_of: Callable[[str], str | None], folder: Path) -> Balancing:
    """Make moto's load balancers forward to local hosts; a second call replaces the first's.

    Parameters
    ----------
    folder
        The local cloud's.
    """
    global _service, _patched
    if _service is not None:
        _service.stop()
    _service = Balancing(address_of, folder)
    if not _patched:
        _patch()
        _patched = True
    classic_balancers.install(_service)
    return _service


def uninstall() -> None:
    """End all listeners; moto's load balancers are moto's again."""
    global _service
    if _service is not None:
        _service.stop()
    _service = None
    classic_balancers.install(None)


def _patch() -> None:
    from moto.elbv2 import models

    _patch_groups(models)
    _patch_health(models)
    _patch_listeners(models.ELBv2Backend)
    for name in ("modify_listener", "modify_target_group", "modify_target_group_attributes"):
        _patch_modify(models.ELBv2Backend, name)


def _pool_of(service: Balancing, group: Any) -> str:
    service.pool(group.arn, lambda: check_of(group), _is_http(group))
    return str(group.arn)


def _patch_groups(models: Any) -> None:
    group, backend = models.FakeTargetGroup, models.ELBv2Backend
    register, deregister, terminated = group.register, group.deregister, group.deregister_terminated_instances
    delete = backend.delete_target_group

    def new_register(self: Any, targets: list[dict[str, Any]]) -> None:
        instances = self.target_type == "instance"
        if instances and any(self.ec2_backend.get_instance_by_id(target["Id"]) is None for target in targets):
            raise models.InvalidTargetError()
        register(self, targets)
        if _service is not None and instances:
            pool = _pool_of(_service, self)
            for target in targets:
                _service.register(pool, target["Id"], int(self.targets[target["Id"]]["Port"]))

    def new_deregister(self: Any, targets: list[dict[str, Any]]) -> None:
        known = [target for target in targets if target["Id"] in self.targets]
        deregister(self, known)
        _drain(self, [target["Id"] for target in known])

    def new_terminated(self: Any, instance_ids: list[str]) -> None:
        gone = [each for each in self.targets if each in instance_ids]
        terminated(self, instance_ids)
        _drain(self, gone)

    def new_delete(self: Any, target_group_arn: str) -> Any:
        deleted = delete(self, target_group_arn)
        if _service is not None:
            _service.drop(target_group_arn)
        return deleted

    group.register, group.deregister = new_register, new_deregister
    group.deregister_terminated_instances = new_terminated
    backend.delete_target_group = new_delete


def _drain(group: Any, ids: list[str]) -> None:
    if _service is not None and group.target_type == "instance":
        pool = _pool_of(_service, group)
        for each in ids:
            _service.deregister(pool, each)


def _patch_health(models: Any) -> None:
    describe = models.ELBv2Backend.describe_target_health

    def new_describe(self: Any, target_group_arn: str, targets: list[dict[str, Any]]) -> Any:
        group = self.target_groups.get(target_group_arn)
        if _service is None or group is None or group.target_type != "instance":
            return describe(self, target_group_arn, targets)
        states = _service.states(_pool_of(_service, group))

        def row(target: Mapping[str, Any]) -> Any:
            health = states.get(target["Id"], NOT_REGISTERED)
            instance = self.ec2_backend.get_instance_by_id(target["Id"])
            if instance is not None and instance.state == "stopped" and health != NOT_REGISTERED:
                health = Health("unused", "Target.InvalidState")
            kept = group.targets.get(target["Id"]) or group.deregistered_targets.get(target["Id"]) or {}
            port = target.get("Port") or kept.get("Port") or group.port
            checked = str(port) if group.health_check_port == "traffic-port" else group.health_check_port
            text = _WORDS[health.reason].format(code=health.code) if health.reason else None
            return models.FakeHealthStatus(target["Id"], port, checked, health.state, health.reason or None, text)

        return [row(target) for target in targets or [{"Id": each} for each in states]]

    models.ELBv2Backend.describe_target_health = new_describe


def _patch_listeners(backend: Any) -> None:
    create, delete, delete_balancer = backend.create_listener, backend.delete_listener, backend.delete_load_balancer

    def new_create(self: Any, *args: Any, **kwargs: Any) -> Any:
        listener = create(self, *args, **kwargs)
        if _service is not None:
            balancer = self.load_balancers[listener.load_balancer_arn]
            for arn, _ in _routes_of(listener):
                _pool_of(_service, self.target_groups[arn])
            where, port = (balancer.arn, balancer.name), int(listener.port)
            routes = lambda: _routes_of(listener)  # noqa: E731
            balancer.dns_name = _service.open(listener.arn, where, port, routes, http=_is_http(listener))
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


def _patch_modify(backend: Any, name: str) -> None:
    """Have a change of listeners or target groups reach what forwards."""
    original = getattr(backend, name)

    @wraps(original)
    def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
        answer = original(self, *args, **kwargs)
        if _service is not None:
            for group in self.target_groups.values():
                if group.target_type == "instance":
                    _pool_of(_service, group)
            _service.refresh()
        return answer

    setattr(backend, name, changed)
