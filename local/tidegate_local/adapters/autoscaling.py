"""Amazon EC2 Auto Scaling over local hosts, on moto.

Stands in for what moto lacks: there instances are in service at once, hooks hold nothing, suspended processes go on,
and no event is sent. The behaviour itself is in `tidegate_local.autoscaling`; operations that moto does not know are in
`tidegate_local.adapters.autoscaling_operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, autoscaling_backends

from tidegate_local.adapters import autoscaling_operations, autoscaling_settings
from tidegate_local.adapters.scaling_services import GROUP_TAG, MotoServices
from tidegate_local.adapters.ssm import ACCOUNT, REGION
from tidegate_local.autoscaling import AutoScaling, requests
from tidegate_local.autoscaling.ports import Hosts

_service: AutoScaling | None = None
_patched = False


def install(hosts: Hosts, emit: Callable[[Mapping[str, Any]], None], client: Callable[[str], Any]) -> AutoScaling:
    """Make moto's Auto Scaling groups launch local hosts; a second call replaces the first's.

    Parameters
    ----------
    emit
        Puts an event on the default bus.
    client
        Makes the administrator's client of a service.

    Returns
    -------
    AutoScaling : stop it when the local cloud ends
    """
    global _service, _patched
    if _service is not None:
        _service.stop()
    _service = AutoScaling(hosts, MotoServices(lambda: autoscaling_backends[ACCOUNT][REGION], emit, client), ACCOUNT)
    if not _patched:
        _patch_groups()
        _patch_instances()
        _patch_processes()
        autoscaling_settings.patch_names()
        autoscaling_operations.install(running)
        _patched = True
    return _service


def running() -> AutoScaling:
    """The groups of the local cloud of this process."""
    if _service is None:
        raise RuntimeError("Auto Scaling is not installed: call install(hosts, emit, client) first")
    return _service


def _patch_groups() -> None:
    group = FakeAutoScalingGroup

    def set_capacity(self: Any, new_capacity: int | None) -> None:
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity
        running().reconcile(self)

    def replace(self: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
        """`reconcile` launches."""
        del self, count_needed, propagated_tags

    group.set_desired_capacity, group.replace_autoscaling_group_instances = set_capacity, replace
    # DescribeAutoScalingGroups does not show the warm pool's.
    group.traffic_sources = property(autoscaling_settings.sources)
    group.instances = property(lambda self: [each for each in self.instance_states if not each.warm])
    create, update = AutoScalingBackend.create_auto_scaling_group, AutoScalingBackend.update_auto_scaling_group

    def new_create(self: Any, name: str, **kwargs: Any) -> Any:
        if name in self.autoscaling_groups:
            raise AutoscalingClientError(
                "AlreadyExists",
                f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
            )
        _check_size(kwargs["min_size"], kwargs["max_size"], kwargs.get("desired_capacity"))
        return create(self, name=name, **kwargs)

    def new_update(self: Any, name: str, **kwargs: Any) -> Any:
        found = self.autoscaling_groups.get(name)
        if found is not None:
            low = kwargs["min_size"] if kwargs.get("min_size") is not None else found.min_size
            high = kwargs["max_size"] if kwargs.get("max_size") is not None else found.max_size
            _check_size(low, high, kwargs.get("desired_capacity"))
            if kwargs.get("desired_capacity") is None:
                kwargs["desired_capacity"] = min(max(found.desired_capacity, low), high)
        return update(self, name=name, **kwargs)

    def set_desired(self: Any, group_name: str, desired_capacity: int | None) -> None:
        requests.set_desired(running(), self.autoscaling_groups[group_name], int(desired_capacity or 0))

    AutoScalingBackend.create_auto_scaling_group, AutoScalingBackend.update_auto_scaling_group = new_create, new_update
    AutoScalingBackend.set_desired_capacity = set_desired


def _check_size(low: int, high: int, desired: int | None) -> None:
    if int(low) > int(high):
        raise AutoscalingClientError("ValidationError", f"Max bound, {high}, must be greater than min bound, {low}")
    if desired is not None and not int(low) <= int(desired) <= int(high):
        raise AutoscalingClientError(
            "ValidationError",
            f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}",
        )


def _patch_instances() -> None:
    backend = AutoScalingBackend
    backend.attach_instances, backend.detach_instances = _attach, _detach
    backend.enter_standby_instances, backend.exit_standby_instances = _enter_standby, _exit_standby
    backend.terminate_instance, backend.set_instance_health = _terminate, _set_health
    backend.notify_terminate_instances = _terminated
    _patch_balancers()


def _attach(self: Any, group_name: str, instance_ids: list[str]) -> None:
    instances = [self.ec2_backend.get_instance(each) for each in instance_ids]
    requests.attach(running(), self.autoscaling_groups[group_name], instances)
    self.ec2_backend.create_tags(instance_ids, {GROUP_TAG: group_name})


def _detach(self: Any, group_name: str, instance_ids: list[str], should_decrement: bool) -> Any:
    def forget(instance_id: str) -> None:
        self.ec2_backend.delete_tags([instance_id], {GROUP_TAG: group_name})

    return requests.detach(running(), self.autoscaling_groups[group_name], instance_ids, should_decrement, forget)


def _enter_standby(self: Any, group_name: str, instance_ids: list[str], should_decrement: bool) -> Any:
    return requests.enter_standby(running(), self.autoscaling_groups[group_name], instance_ids, should_decrement)


def _exit_standby(self: Any, group_name: str, instance_ids: list[str]) -> Any:
    return requests.exit_standby(running(), self.autoscaling_groups[group_name], instance_ids)


def _terminate(self: Any, instance_id: str, should_decrement: bool) -> Any:
    del self
    return requests.terminate(running(), instance_id, should_decrement)


def _set_health(self: Any, instance_id: str, health_status: str) -> None:
    del self
    requests.set_health(running(), requests.member_of(running(), instance_id), health_status)


def _terminated(self: Any, instance_ids: list[str]) -> None:
    """Somebody has ended instances: the health check finds that, unless HealthCheck is suspended."""
    for group in list(self.autoscaling_groups.values()):
        for member in list(group.instance_states):
            if member.instance_id in instance_ids and "HealthCheck" not in group._suspended_processes:
                requests.set_health(running(), member, "Unhealthy")


def _patch_balancers() -> None:
    backend = AutoScalingBackend

    def nothing(self: Any, group_name: str) -> None:
        """Instances are registered when they come into service, and taken out when they leave it."""
        del self, group_name

    def attach_to(self: Any, group_name: str, kept: str, given: list[str]) -> None:
        group = self.autoscaling_groups[group_name]
        setattr(group, kept, list(dict.fromkeys([*getattr(group, kept), *given])))
        if "AddToLoadBalancer" not in group._suspended_processes:
            serving = [each.instance_id for each in group.instance_states if each.lifecycle_state == "InService"]
            running().services.register(group, serving)

    def attach_groups(self: Any, group_name: str, target_group_arns: list[str]) -> None:
        attach_to(self, group_name, "target_group_arns", target_group_arns)

    def attach_classic(self: Any, group_name: str, load_balancer_names: list[str]) -> None:
        attach_to(self, group_name, "load_balancer_names", load_balancer_names)

    backend.update_attached_elbs = backend.update_attached_target_groups = nothing
    backend.attach_load_balancer_target_groups, backend.attach_load_balancers = attach_groups, attach_classic


def _patch_processes() -> None:
    resume, pool = AutoScalingBackend.resume_processes, AutoScalingBackend.put_warm_pool

    def new_resume(self: Any, group_name: str, scaling_processes: list[str]) -> None:
        resume(self, group_name, scaling_processes)
        requests.replace_unhealthy(running(), self.autoscaling_groups[group_name])

    def new_pool(self: Any, group_name: str, **kwargs: Any) -> None:
        pool(self, group_name, **kwargs)
        running().reconcile(self.autoscaling_groups[group_name])

    AutoScalingBackend.resume_processes, AutoScalingBackend.put_warm_pool = new_resume, new_pool
