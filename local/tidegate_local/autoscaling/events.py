"""The events that Auto Scaling sends: "Amazon EC2 Auto Scaling event reference" of its user guide."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_local.autoscaling.lifecycle import LAUNCHING, TERMINATING, Action, Member

#: What DetailType says of a transition.
_ACTIONS = {LAUNCHING: "EC2 Instance-launch Lifecycle Action", TERMINATING: "EC2 Instance-terminate Lifecycle Action"}


def action_event(member: Member, action: Action, metadata: str | None) -> dict[str, Any]:
    """A hook begins to hold an instance."""
    detail = {
        "LifecycleActionToken": action.token,
        "AutoScalingGroupName": member.auto_scaling_group_name,
        "LifecycleHookName": action.hook,
        "EC2InstanceId": member.instance_id,
        "LifecycleTransition": action.transition,
        **({"NotificationMetadata": metadata} if metadata else {}),
        "Origin": member.origin,
        "Destination": member.destination,
    }
    return {
        "source": "aws.autoscaling",
        "detail-type": _ACTIONS[action.transition],
        "resources": [member.auto_scaling_group.arn],
        "detail": detail,
    }


def notification(event: Mapping[str, Any], account: str, now: datetime) -> dict[str, Any]:
    """The same as a message to a hook's notification target."""
    return {
        "AccountId": account,
        "RequestId": event["detail"]["LifecycleActionToken"],
        "Service": "AWS Auto Scaling",
        "Time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **event["detail"],
    }


def trial_notification(hook: str, group_arn: str, group_name: str, account: str, now: datetime) -> dict[str, Any]:
    """The message that tells a notification target that it is one."""
    return {
        "AccountId": account,
        "Event": "autoscaling:TEST_NOTIFICATION",
        "AutoScalingGroupARN": group_arn,
        "AutoScalingGroupName": group_name,
        "LifecycleHookName": hook,
        "Service": "AWS Auto Scaling",
        "Time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def outcome_event(
    member: Member | None, group: Any, what: str, activity: Mapping[str, Any], successful: bool
) -> dict[str, Any]:
    """An instance was launched or terminated, or could not be.

    Parameters
    ----------
    member
        None where there never was an instance.
    what
        ``Launch`` or ``Terminate``.
    """
    detail = {
        "StatusCode": activity["StatusCode"],
        "Description": activity["Description"],
        "AutoScalingGroupName": group.name,
        "ActivityId": activity["ActivityId"],
        "Details": {"Availability Zone": member.availability_zone} if member else {},
        "RequestId": activity["ActivityId"],
        "StatusMessage": activity.get("StatusMessage", ""),
        "StartTime": _text(activity["StartTime"]),
        "EndTime": _text(activity["EndTime"]),
        "EC2InstanceId": member.instance_id if member else "",
        "Cause": activity["Cause"],
        "Origin": member.origin if member else "EC2",
        "Destination": member.destination if member else "AutoScalingGroup",
    }
    resources = [group.arn]
    if member is not None:
        resources.append(
            f"arn:aws:ec2:{group.region}:{group.account_id}:instance/{member.instance_id}",
        )
    return {
        "source": "aws.autoscaling",
        "detail-type": f"EC2 Instance {what} {'Successful' if successful else 'Unsuccessful'}",
        "resources": resources,
        "detail": detail,
    }


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
