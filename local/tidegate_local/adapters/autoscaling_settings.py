"""Settings of Auto Scaling groups that moto does not keep, or keeps for one group alone.

Follows PutNotificationConfiguration, PutScalingPolicy, PutScheduledUpdateGroupAction, AttachTrafficSources and
CreateAutoScalingGroup of the Amazon EC2 Auto Scaling API reference. They are kept for who copies a group: no
notification is sent, nothing is scheduled, and no metric is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.autoscaling.models import AutoScalingBackend
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

#: Given at creation, shown by DescribeAutoScalingGroups.
_KEPT = {
    "DefaultInstanceWarmup": "default_instance_warmup",
    "MaxInstanceLifetime": "max_instance_lifetime",
    "Context": "context",
    "DesiredCapacityType": "desired_capacity_type",
    "InstanceMaintenancePolicy": "instance_maintenance_policy",
}


def keep(response: AutoScalingResponse, group: Any) -> None:
    """Keep what CreateAutoScalingGroup was given besides what moto keeps."""
    for member, attribute in _KEPT.items():
        setattr(group, attribute, response._get_param(member))
    _attach(group, response._get_param("TrafficSources", []))


def _group_of(response: AutoScalingResponse) -> Any:
    return response.autoscaling_backend.autoscaling_groups[response._get_param("AutoScalingGroupName")]


# -- traffic sources --------------------------------------------------------------------------------------------------


def sources(group: Any) -> list[dict[str, str]]:
    """The load balancers of a group, as traffic sources."""
    targets = [{"Identifier": arn, "Type": "elbv2"} for arn in group.target_group_arns or ()]
    return targets + [{"Identifier": name, "Type": "elb"} for name in group.load_balancer_names or ()]


def _split(given: list[dict[str, str]]) -> tuple[list[str], list[str]]:
    """ARNs of target groups, and names of Classic Load Balancers."""
    targets = [each["Identifier"] for each in given if each["Identifier"].startswith("arn:")]
    return targets, [each["Identifier"] for each in given if not each["Identifier"].startswith("arn:")]


def _attach(group: Any, given: list[dict[str, str]]) -> None:
    targets, classic = _split(given)
    backend = group.autoscaling_backend
    if targets:
        backend.attach_load_balancer_target_groups(group.name, targets)
    if classic:
        backend.attach_load_balancers(group.name, classic)


def attach_traffic_sources(response: AutoScalingResponse) -> ActionResult:
    """AttachTrafficSources."""
    _attach(_group_of(response), response._get_param("TrafficSources", []))
    return EmptyResult()


def detach_traffic_sources(response: AutoScalingResponse) -> ActionResult:
    """DetachTrafficSources."""
    group = _group_of(response)
    targets, classic = _split(response._get_param("TrafficSources", []))
    if targets:
        response.autoscaling_backend.detach_load_balancer_target_groups(group.name, targets)
    if classic:
        response.autoscaling_backend.detach_load_balancers(group.name, classic)
    return EmptyResult()


def describe_traffic_sources(response: AutoScalingResponse) -> ActionResult:
    """DescribeTrafficSources."""
    kind = response._get_param("TrafficSourceType")
    found = [{**each, "State": "Added"} for each in sources(_group_of(response)) if kind in (None, each["Type"])]
    return ActionResult({"TrafficSources": found})


# -- notifications ----------------------------------------------------------------------------------------------------


def put_notification_configuration(response: AutoScalingResponse) -> ActionResult:
    """PutNotificationConfiguration: kept for who copies a group; nothing is sent."""
    kinds, topic = response._get_param("NotificationTypes", []), response._get_param("TopicARN")
    _notifications(_group_of(response))[topic] = list(kinds)
    return EmptyResult()


def delete_notification_configuration(response: AutoScalingResponse) -> ActionResult:
    """DeleteNotificationConfiguration."""
    _notifications(_group_of(response)).pop(response._get_param("TopicARN"), None)
    return EmptyResult()


def describe_notification_configurations(response: AutoScalingResponse) -> ActionResult:
    """DescribeNotificationConfigurations."""
    names = response._get_param("AutoScalingGroupNames", [])
    found = [
        {"AutoScalingGroupName": group.name, "TopicARN": topic, "NotificationType": kind}
        for group in response.autoscaling_backend.autoscaling_groups.values()
        if not names or group.name in names
        for topic, kinds in _notifications(group).items()
        for kind in kinds
    ]
    return ActionResult({"NotificationConfigurations": found})


def _notifications(group: Any) -> dict[str, list[str]]:
    if not hasattr(group, "tidegate_notifications"):
        group.tidegate_notifications = {}
    kept: dict[str, list[str]] = group.tidegate_notifications
    return kept


# -- policies and schedules: their names are a group's own -------------------------------------------------------------


_put_scaling_policy: Callable[[AutoScalingResponse], Any] = AutoScalingResponse.put_scaling_policy


def put_scaling_policy(response: AutoScalingResponse) -> ActionResult:
    """PutScalingPolicy, which moto answers with a member that clients do not know."""
    return ActionResult({"PolicyARN": _put_scaling_policy(response)._result["PolicyArn"], "Alarms": []})


def delete_policy(response: AutoScalingResponse) -> ActionResult:
    """DeletePolicy, by name or ARN."""
    kept = response.autoscaling_backend.policies
    for key in _policies_of(response):
        del kept[key]
    return EmptyResult()


def execute_policy(response: AutoScalingResponse) -> ActionResult:
    """ExecutePolicy, by name or ARN."""
    for key in _policies_of(response):
        response.autoscaling_backend.policies[key].execute()
    return EmptyResult()


def _policies_of(response: AutoScalingResponse) -> list[str]:
    group, wanted = response._get_param("AutoScalingGroupName"), response._get_param("PolicyName")
    return [
        key
        for key, policy in response.autoscaling_backend.policies.items()
        if wanted in (policy.name, policy.arn) and group in (None, policy.auto_scaling_group_name)
    ]


def patch_names() -> None:
    """Keep policies and scheduled actions by group and name, where moto keeps them by name."""
    put_policy, put_action = (
        AutoScalingBackend.put_scaling_policy,
        AutoScalingBackend.put_scheduled_update_group_action,
    )
    delete_action = AutoScalingBackend.delete_scheduled_action

    def new_policy(self: Any, name: str, **kwargs: Any) -> Any:
        policy = put_policy(self, name=name, **kwargs)
        self.policies[f"{kwargs['as_name']}/{name}"] = self.policies.pop(name)
        return policy

    def new_action(self: Any, name: str, **kwargs: Any) -> Any:
        action = put_action(self, name=name, **kwargs)
        plain = kwargs["scheduled_action_name"]
        self.scheduled_actions[f"{name}/{plain}"] = self.scheduled_actions.pop(plain)
        return action

    def new_delete(self: Any, auto_scaling_group_name: str, scheduled_action_name: str) -> None:
        key = f"{auto_scaling_group_name}/{scheduled_action_name}"
        if key in self.scheduled_actions:
            del self.scheduled_actions[key]
        else:  # moto's error
            delete_action(self, auto_scaling_group_name, scheduled_action_name)

    AutoScalingBackend.put_scaling_policy, AutoScalingBackend.put_scheduled_update_group_action = new_policy, new_action
    AutoScalingBackend.delete_scheduled_action = new_delete


OPERATIONS: tuple[Callable[[AutoScalingResponse], ActionResult], ...] = (
    attach_traffic_sources,
    detach_traffic_sources,
    describe_traffic_sources,
    put_notification_configuration,
    delete_notification_configuration,
    describe_notification_configurations,
    put_scaling_policy,
    delete_policy,
    execute_policy,
)
