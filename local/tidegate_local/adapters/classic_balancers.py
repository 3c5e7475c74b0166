"""Classic Load Balancers over local hosts, on moto: listeners forward, instances are checked and drained.

Stands in for what moto lacks: there a registered instance is in service at once, and nothing listens. Follows the
Elastic Load Balancing API reference, version 2012-06-01 (InstanceState, HealthCheck, ConnectionDraining). After each
call that may change a load balancer, what forwards is brought in line with what moto has: for each pair of a protocol
and an instance port a pool of all its instances.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from tidegate_local.balancing.health import DRAINING, HEALTHY, Check, Health
from tidegate_local.balancing.service import Balancing

_service: Balancing | None = None
_patched = False
#: Of each load balancer that forwards: its listeners, and its pools with the instances they were given.
_listeners: dict[str, dict[str, str]] = {}
_pools: dict[str, dict[str, set[str]]] = {}
_CHANGES = (
    "create_load_balancer",
    "create_load_balancer_listeners",
    "delete_load_balancer_listeners",
    "register_instances",
    "deregister_instances",
    "configure_health_check",
    "modify_load_balancer_attributes",
)
#: Of a load balancer without a health check of its own (ConfigureHealthCheck): a connection to the first port.
_INTERVAL, _TIMEOUT, _HEALTHY, _UNHEALTHY = 30, 5, 10, 2
_ABSENT = ("OutOfService", "Instance", "Instance is not currently registered with the LoadBalancer.")


def install(service: Balancing | None) -> None:
    """Make moto's Classic Load Balancers forward by a service, or be moto's again."""
    global _service, _patched
    _service = service
    _listeners.clear()
    _pools.clear()
    if not _patched:
        _patch()
        _patched = True


def check_of(balancer: Any) -> Check:
    """A load balancer's settings, as moto keeps them.

    Without connection draining what an instance has is cut at once.
    """
    draining = balancer.attributes["connection_draining"]
    delay = float(draining.get("timeout", 300)) if _true(draining.get("enabled")) else 0.0
    check = balancer.health_check
    if check is None:
        port = int(balancer.listeners[0].instance_port) if balancer.listeners else None
        return Check("", frozenset({200}), _INTERVAL, _TIMEOUT, _HEALTHY, _UNHEALTHY, port, delay)
    protocol, _, rest = check.target.partition(":")
    port_text, slash, path = rest.partition("/")
    return Check(
        path=f"/{path}" if slash and protocol in ("HTTP", "HTTPS") else "",
        interval=float(check.interval),
        timeout=float(check.timeout),
        healthy_after=int(check.healthy_threshold),
        unhealthy_after=int(check.unhealthy_threshold),
        port=int(port_text),
        deregistration_delay=delay,
    )


def state_of(found: list[Health]) -> tuple[str, str, str]:
    """State, code of the reason and description of an instance, from how its ports are (API: InstanceState).

    >>> state_of([HEALTHY, Health("initial")])
    ('OutOfService', 'ELB', 'Instance registration is still in progress.')
    """
    if not found:
        return _ABSENT
    if DRAINING in found:
        return "InService", "N/A", "Instance deregistration currently in progress."
    if all(each == HEALTHY for each in found):
        return "InService", "N/A", "N/A"
    if any(each.state == "unhealthy" for each in found):
        text = "Instance has failed at least the UnhealthyThreshold number of health checks consecutively."
        return "OutOfService", "Instance", text
    return "OutOfService", "ELB", "Instance registration is still in progress."


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _sync(service: Balancing, balancer: Any) -> None:
    """Bring what forwards in line with a load balancer."""
    name = balancer.name
    opened, pools = _listeners.setdefault(name, {}), _pools.setdefault(name, {})
    wanted = {f"classic/{name}/{each.load_balancer_port}": each for each in balancer.listeners}
    for key in opened.keys() - wanted.keys():
        service.close(key)
        del opened[key]
    for key, listener in wanted.items():
        http = listener.protocol in ("HTTP", "HTTPS")
        pool = f"classic/{name}/{'http' if http else 'tcp'}/{listener.instance_port}"
        service.pool(pool, lambda: check_of(balancer), http)
        pools.setdefault(pool, set())
        if key not in opened:
            port, routes = int(listener.load_balancer_port), [(pool, 1)]
            balancer.dns_name = service.open(key, (f"classic/{name}", name), port, routes.copy, http=http)
            opened[key] = pool
    for pool in pools.keys() - set(opened.values()):
        service.drop(pool)
        del pools[pool]
    for pool, inside in pools.items():
        _members(service, pool, inside, set(balancer.instance_ids))
    service.refresh()


def _members(service: Balancing, pool: str, inside: set[str], wanted: set[str]) -> None:
    for each in sorted(wanted - inside):
        service.register(pool, each, int(pool.rpartition("/")[2]))
    for each in sorted(inside - wanted):
        service.deregister(pool, each)
    inside.clear()
    inside.update(wanted)


def _patch() -> None:
    from moto.elb.models import ELBBackend
    from moto.elb.responses import ELBResponse

    for name in _CHANGES:
        _patch_change(ELBBackend, name)
    _patch_instances(ELBBackend)
    delete = ELBBackend.delete_load_balancer

    def new_delete(self: Any, load_balancer_name: str) -> None:
        delete(self, load_balancer_name)
        for key in _listeners.pop(load_balancer_name, {}):
            if _service is not None:
                _service.close(key)
        for pool in _pools.pop(load_balancer_name, {}):
            if _service is not None:
                _service.drop(pool)

    ELBBackend.delete_load_balancer = new_delete
    _patch_health(ELBResponse)


def _patch_change(backend: Any, name: str) -> None:
    original = getattr(backend, name)

    @wraps(original)
    def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
        answer = original(self, *args, **kwargs)
        given = kwargs.get("load_balancer_name") or kwargs.get("name") or args[0]
        balancer = self.get_load_balancer(given)
        if _service is not None and balancer is not None:
            _sync(_service, balancer)
        return answer

    setattr(backend, name, changed)


def _patch_instances(backend: Any) -> None:
    """Registering twice changes nothing, and what is no instance is refused."""
    from moto.ec2.models import ec2_backends
    from moto.elb.exceptions import ELBClientError, LoadBalancerNotFoundError

    register = backend.register_instances

    @wraps(register)
    def new_register(self: Any, load_balancer_name: str, instance_ids: Any, *args: Any, **kwargs: Any) -> Any:
        balancer = self.get_load_balancer(load_balancer_name)
        if balancer is None:
            raise LoadBalancerNotFoundError(load_balancer_name)
        new = [each for each in dict.fromkeys(instance_ids) if each not in balancer.instance_ids]
        ec2 = ec2_backends[self.account_id][self.region_name]
        for each in new:
            if ec2.get_instance_by_id(each) is None:
                raise ELBClientError("InvalidInstance", f"EC2 instance {each} could not be found.")
        return register(self, load_balancer_name, new, *args, **kwargs)

    backend.register_instances = new_register


def _patch_health(responses: Any) -> None:
    from moto.core.responses import ActionResult
    from moto.elb.exceptions import LoadBalancerNotFoundError

    describe = responses.describe_instance_health

    def new_describe(self: Any) -> Any:
        name = self._get_param("LoadBalancerName")
        if _service is None or name not in _pools:
            return describe(self)
        balancer = self.elb_backend.get_load_balancer(name)
        if balancer is None:
            raise LoadBalancerNotFoundError(name)
        found: dict[str, list[Health]] = {}
        for pool in _pools[name]:
            for each, health in _service.states(pool).items():
                found.setdefault(each, []).append(health)
        asked = [each["InstanceId"] for each in self._get_param("Instances", [])] or balancer.instance_ids
        told = {each: state_of(found.get(each, [])) for each in asked}
        states = [
            {"InstanceId": each, "State": state, "ReasonCode": reason, "Description": text}
            for each, (state, reason, text) in told.items()
        ]
        return ActionResult({"InstanceStates": states})

    responses.describe_instance_health = new_describe
