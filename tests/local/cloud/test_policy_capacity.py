"""What calls of EC2 and Auto Scaling need: all of it, and no more, by groups, instances and their tags."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tidegate_local.policy.client_hooks import Authoriser
from tidegate_local.policy.evaluate import Statement
from tidegate_local.policy.place import Place
from tidegate_local.policy.requests import needs

PLACE = Place("123456789012", "us-east-1")
GROUP = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/"
ROLE = "arn:aws:iam::123456789012:role/r"
INSTANCES = "arn:aws:ec2:us-east-1:123456789012:instance/"


def allow(actions: str | list[str], resource: str, **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def judged(*statements: Statement, tags: dict[str, str] | None = None) -> Authoriser:
    return Authoriser(ROLE, statements, PLACE, lambda _: tags or {})


@pytest.mark.parametrize(
    ("service", "operation", "params", "action"),
    [
        ("autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroupNames": ["web"]}, "DescribeAutoScalingGroups"),
        ("ec2", "DescribeInstances", {"InstanceIds": ["i-1"]}, "DescribeInstances"),
    ],
)
def test_looks_have_no_resource(service: str, operation: str, params: dict[str, Any], action: str) -> None:
    assert needs(service, operation, params, PLACE) == [(f"{service}:{action}", "*")]


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("CompleteLifecycleAction", {"AutoScalingGroupName": "web"}),
        ("PutLifecycleHook", {"AutoScalingGroupName": "web"}),
        ("SuspendProcesses", {"AutoScalingGroupName": "web"}),
        ("CreateAutoScalingGroup", {"AutoScalingGroupName": "web", "LaunchConfigurationName": "c"}),
        ("CreateOrUpdateTags", {"Tags": [{"ResourceId": "web", "Key": "k"}]}),
    ],
)
def test_a_call_on_a_group_needs_that_group(operation: str, params: dict[str, Any]) -> None:
    judged(allow(f"autoscaling:{operation}", GROUP + "web")).check("autoscaling", operation, params)
    for statement in (allow(f"autoscaling:{operation}", GROUP + "other"), allow("autoscaling:Other", "*")):
        with pytest.raises(ClientError, match=f"autoscaling:{operation} on resource: .*autoScalingGroupName/web"):
            judged(statement).check("autoscaling", operation, params)


def test_an_instance_alone_needs_all_groups() -> None:
    call = ("autoscaling", "TerminateInstanceInAutoScalingGroup", {"InstanceId": "i-1"})
    judged(allow("autoscaling:TerminateInstanceInAutoScalingGroup", GROUP + "*")).check(*call)
    with pytest.raises(ClientError):
        judged(allow("autoscaling:TerminateInstanceInAutoScalingGroup", GROUP + "web")).check(*call)


def test_a_group_of_a_launch_template_needs_what_its_instances_need() -> None:
    template = {"LaunchTemplateName": "t", "Version": "1"}
    call = ("autoscaling", "CreateAutoScalingGroup", {"AutoScalingGroupName": "web", "LaunchTemplate": template})
    group = allow("autoscaling:CreateAutoScalingGroup", GROUP + "web")
    run, tag = allow("ec2:RunInstances", "*"), allow("ec2:CreateTags", INSTANCES + "*")
    judged(group, run, tag).check(*call)
    for missing, left in (
        ("ec2:RunInstances", (group, tag)),
        ("ec2:CreateTags", (group, run)),
    ):
        with pytest.raises(ClientError, match=f"not authorized to perform: {missing}"):
            judged(*left).check(*call)


def test_a_groups_tags_decide() -> None:
    call = ("autoscaling", "DeleteAutoScalingGroup", {"AutoScalingGroupName": "web", "ForceDelete": True})
    condition = {"StringLike": {"autoscaling:ResourceTag/CodeDeployProvisioningDeploymentId": "d-*"}}
    statement = allow("autoscaling:DeleteAutoScalingGroup", "*", Condition=condition)
    judged(statement, tags={"CodeDeployProvisioningDeploymentId": "d-1"}).check(*call)
    for tags in ({}, {"CodeDeployProvisioningDeploymentId": "other"}, {"other": "d-1"}):
        with pytest.raises(ClientError, match="DeleteAutoScalingGroup"):
            judged(statement, tags=tags).check(*call)


def test_tags_given_at_creation_decide() -> None:
    params = {"AutoScalingGroupName": "web", "Tags": [{"Key": "Made", "Value": "d-1"}]}
    statement = allow(
        "autoscaling:CreateAutoScalingGroup", "*", Condition={"StringLike": {"aws:RequestTag/Made": "d-*"}}
    )
    judged(statement).check("autoscaling", "CreateAutoScalingGroup", params)
    with pytest.raises(ClientError):
        judged(statement).check("autoscaling", "CreateAutoScalingGroup", params | {"Tags": []})


@pytest.mark.parametrize("params", [{"InstanceIds": ["i-1", "i-2"]}, {"InstanceId.1": "i-1", "InstanceId.2": "i-2"}])
def test_instances_are_ended_only_where_each_may_be(params: dict[str, Any]) -> None:
    assert needs("ec2", "TerminateInstances", params, PLACE) == [
        ("ec2:TerminateInstances", f"{INSTANCES}i-1"),
        ("ec2:TerminateInstances", f"{INSTANCES}i-2"),
    ]


def test_an_instances_tags_decide() -> None:
    call = ("ec2", "TerminateInstances", {"InstanceIds": ["i-1"]})
    condition = {"StringEquals": {"ec2:ResourceTag/tidegate:managed": "true"}}
    statement = allow("ec2:TerminateInstances", INSTANCES + "*", Condition=condition)
    judged(statement, tags={"tidegate:managed": "true"}).check(*call)
    with pytest.raises(ClientError, match="instance/i-1"):
        judged(statement).check(*call)
