"""Auto Scaling groups as wholes: copied, resized and deleted (AWS: "Amazon EC2 Auto Scaling API reference")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from tidegate.gateways.errors import FleetFault, error_code
from tidegate.gateways.scaling_refusals import Refusals
from tidegate.model.balancers import Balancer, BalancerKind
from tidegate.model.deployment import ErrorCode
from tidegate.model.group_copy import ACTION, POLICY, SUSPENDED, copy_of, taken

_THERE: Final = "AlreadyExists"
_ABSENT: Final = "not found"
#: Balancers by Auto Scaling's word (API: TrafficSourceIdentifier), and how many a call takes.
_TYPES: Final = {BalancerKind.TARGET_GROUP: "elbv2", BalancerKind.CLASSIC: "elb"}
_MOST_SOURCES: Final = 10
#: How Auto Scaling words that a launch failed for want of room (AWS: "Troubleshoot Auto Scaling: instance launch").
_NO_ROOM: Final = ("limit", "quota", "sufficient")  # "insufficient", "do not have sufficient"
_REFUSALS: Final = Refusals(
    FleetFault,
    denied="Allow it in the policies of the account. A launch template needs ec2:RunInstances, ec2:CreateTags and, for "
    "its instance profile, iam:PassRole; the stack's parameter InstanceRoleArns names the roles that may be passed.",
    invalid=ErrorCode.AUTOSCALING_VALIDATION_ERROR,
    remedy="Mend the Auto Scaling group, its launch template above all, and deploy again.",
)


class ScalingGroups:
    """The account's Auto Scaling groups."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def find(self, name: str) -> Mapping[str, Any] | None:
        """A group as DescribeAutoScalingGroups tells it."""
        with _REFUSALS.told(f"describing the Auto Scaling group {name}"):
            rows = self._client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return rows[0] if rows else None

    def copy(self, source: Mapping[str, Any], name: str, deployment_id: str) -> None:
        """Make a copy without instances, with the source\'s policies, scheduled actions and notifications.

        Repeated after it died half-way, it makes what is missing; what is there is written again as it is.
        """
        with _REFUSALS.told(f"copying the Auto Scaling group {source['AutoScalingGroupName']} as {name}"):
            try:
                self._client.create_auto_scaling_group(**copy_of(source, name, deployment_id))
            except ClientError as error:
                if error_code(error) != _THERE:
                    raise
            self._client.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=list(SUSPENDED))
            self._copy_settings(source["AutoScalingGroupName"], name)

    def _copy_settings(self, source: str, name: str) -> None:
        for policy in self._pages("describe_policies", "ScalingPolicies", AutoScalingGroupName=source):
            self._client.put_scaling_policy(AutoScalingGroupName=name, **taken(policy, POLICY))
        for action in self._pages(
            "describe_scheduled_actions", "ScheduledUpdateGroupActions", AutoScalingGroupName=source
        ):
            self._client.put_scheduled_update_group_action(AutoScalingGroupName=name, **taken(action, ACTION))
        topics: dict[str, list[str]] = {}
        for each in self._pages(
            "describe_notification_configurations", "NotificationConfigurations", AutoScalingGroupNames=[source]
        ):
            topics.setdefault(each["TopicARN"], []).append(each["NotificationType"])
        for topic, kinds in topics.items():
            self._client.put_notification_configuration(
                AutoScalingGroupName=name, TopicARN=topic, NotificationTypes=kinds
            )

    def _pages(self, operation: str, member: str, **given: Any) -> Sequence[Mapping[str, Any]]:
        return [row for page in self._client.get_paginator(operation).paginate(**given) for row in page[member]]

    def resize(self, name: str, minimum: int, desired: int) -> None:
        """Let a group have so many instances, and so many at least."""
        with _REFUSALS.told(f"giving the Auto Scaling group {name} the size {desired}"):
            self._client.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=minimum, DesiredCapacity=desired)

    def failure(self, name: str) -> tuple[str, str]:
        """The error code and the sentence of the last activity of a group, where it failed; empty where it did not."""
        with _REFUSALS.told(f"describing what the Auto Scaling group {name} does"):
            rows = self._client.describe_scaling_activities(AutoScalingGroupName=name, MaxRecords=1)["Activities"]
        if not rows or rows[0]["StatusCode"] != "Failed":
            return "", ""
        message = str(rows[0].get("StatusMessage", "")) or str(rows[0].get("Description", ""))
        no_room = any(word in message.lower() for word in _NO_ROOM)
        code = ErrorCode.RESOURCE_LIMIT_EXCEEDED if no_room else ErrorCode.AUTO_SCALING_CONFIGURATION
        return code, message

    def detach(self, name: str, balancers: Sequence[Balancer]) -> None:
        """Take all instances of a group out of balancers that it is attached to; what it launches stays out too."""
        sources = [{"Identifier": each.key, "Type": _TYPES[each.kind]} for each in balancers]
        with _REFUSALS.told(f"detaching the Auto Scaling group {name} from its load balancers"):
            for i in range(0, len(sources), _MOST_SOURCES):
                some = sources[i : i + _MOST_SOURCES]
                self._client.detach_traffic_sources(AutoScalingGroupName=name, TrafficSources=some)

    def delete(self, name: str) -> None:
        """Delete a group and end its instances; one that is gone, or going, is fine."""
        with _REFUSALS.told(f"deleting the Auto Scaling group {name}"):
            try:
                self._client.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
            except ClientError as error:
                gone = error_code(error) == "ValidationError" and _ABSENT in str(error)
                if not gone and error_code(error) != "ScalingActivityInProgress":
                    raise
