"""Auto Scaling groups whose instances are local hosts: capacity, hooks that wait, suspended processes."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.local.cloud.conftest import Cloud, eventually
from tests.local.cloud.scaled_groups import LAUNCH, TERMINATE, Scaled, hook

from tidegate_local.policy.client_hooks import node_tags

pytestmark = pytest.mark.local


def test_instances_are_local_hosts_with_the_groups_tags_spread_over_its_zones(scaled: Scaled, cloud: Cloud) -> None:
    scaled.create(2)
    ids = scaled.until("InService", "InService")
    group = scaled.group()
    assert {each["AvailabilityZone"] for each in group["Instances"]} == {"us-east-1a", "us-east-1b"}
    assert {each["LaunchTemplate"]["Version"] for each in group["Instances"]} == {"1"}
    hosts = {host["id"]: host for host in cloud.local("hosts")[1]}
    for instance_id in ids:
        assert hosts[instance_id]["tags"] == {
            "tidegate:managed": "true",
            "From": "template",
            "aws:autoscaling:groupName": scaled.name,
            "aws:ec2launchtemplate:version": "1",
            "aws:ec2launchtemplate:id": group["LaunchTemplate"]["LaunchTemplateId"],
        }
    # Rights by tags look at the group's own, not at what it propagates alone.
    tags = node_tags(cloud.client, f"autoScalingGroupName/{scaled.name}")
    assert tags == {"tidegate:managed": "true", "Kept": "here"}
    nodes = cloud.client("ssm").describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": ids}])
    assert {node["PingStatus"] for node in nodes["InstanceInformationList"]} == {"Online"}
    sent = cloud.client("ssm").send_command(
        DocumentName="AWS-RunShellScript", InstanceIds=ids, Parameters={"commands": ["hostname"]}
    )["Command"]["CommandId"]

    def ended() -> list[dict[str, Any]]:
        rows = cloud.client("ssm").list_command_invocations(CommandId=sent)["CommandInvocations"]
        return [row for row in rows if row["Status"] == "Success"] if len(rows) == 2 else []

    eventually(lambda: len(ended()) == 2)
    kinds = Counter(event["type"] for event in scaled.events(2))
    assert kinds == {"EC2 Instance Launch Successful": 2}


def test_capacity_follows_what_is_desired_and_hosts_go_with_their_instances(scaled: Scaled) -> None:
    scaled.create(1)
    (oldest,) = scaled.until("InService")
    scaled.desire(2)
    scaled.until("InService", "InService")
    scaled.desire(1)
    (left,) = scaled.until("InService")
    assert left != oldest
    assert scaled.running(left)
    assert not scaled.running(oldest)
    with pytest.raises(ClientError, match="above max value 4"):
        scaled.desire(5)
    scaled.api.update_auto_scaling_group(AutoScalingGroupName=scaled.name, MinSize=2, MaxSize=2)
    scaled.until("InService", "InService")
    assert scaled.group()["DesiredCapacity"] == 2


def test_a_launch_configuration_and_its_instance_profile(scaled: Scaled, cloud: Cloud) -> None:
    profile = f"{scaled.name}-profile"
    cloud.client("iam").create_instance_profile(InstanceProfileName=profile)
    scaled.api.create_launch_configuration(
        LaunchConfigurationName=scaled.name,
        ImageId="ami-00000000000000001",
        InstanceType="t3.micro",
        IamInstanceProfile=profile,
    )
    scaled.api.create_auto_scaling_group(
        AutoScalingGroupName=scaled.name,
        MinSize=1,
        MaxSize=1,
        LaunchConfigurationName=scaled.name,
        AvailabilityZones=["us-east-1c"],
    )
    (instance_id,) = scaled.until("InService")
    assert scaled.group()["Instances"][0]["LaunchConfigurationName"] == scaled.name
    wanted = [{"Name": "instance-id", "Values": [instance_id]}]
    (found,) = cloud.client("ec2").describe_iam_instance_profile_associations(Filters=wanted)[
        "IamInstanceProfileAssociations"
    ]
    assert found["IamInstanceProfile"]["Arn"].endswith(f"/{profile}")


def test_a_launch_hook_holds_the_instance_until_it_is_completed(scaled: Scaled) -> None:
    scaled.create(1, [hook(NotificationMetadata="a-uuid")])
    (instance_id,) = scaled.until("Pending:Wait")
    (event,) = scaled.events(1)
    token = event.pop("LifecycleActionToken")
    assert event == {
        "type": "EC2 Instance-launch Lifecycle Action",
        "resources": [scaled.group()["AutoScalingGroupARN"]],
        "AutoScalingGroupName": scaled.name,
        "LifecycleHookName": "hook",
        "EC2InstanceId": instance_id,
        "LifecycleTransition": LAUNCH,
        "NotificationMetadata": "a-uuid",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }
    # Its host boots while the hook waits.
    eventually(lambda: scaled.running(instance_id))
    with pytest.raises(ClientError, match="No active Lifecycle Action found with token x"):
        scaled.complete("hook", "CONTINUE", LifecycleActionToken="x" * 36)
    scaled.complete("hook", "CONTINUE", LifecycleActionToken=token)
    assert scaled.until("InService") == [instance_id]
    with pytest.raises(ClientError, match="No active Lifecycle Action found with instance ID"):
        scaled.complete("hook", "CONTINUE", InstanceId=instance_id)


def test_every_hook_must_continue(scaled: Scaled) -> None:
    scaled.create(1, [hook("first"), hook("second")])
    (instance_id,) = scaled.until("Pending:Wait")
    assert {event["LifecycleHookName"] for event in scaled.events(2)} == {"first", "second"}
    scaled.complete("first", "CONTINUE", InstanceId=instance_id)
    assert scaled.states() == {instance_id: "Pending:Wait"}
    scaled.complete("second", "CONTINUE", InstanceId=instance_id)
    scaled.until("InService")


def test_an_abandoned_launch_is_terminated_and_made_again(scaled: Scaled) -> None:
    scaled.create(1, [hook("first"), hook("second")])
    (first,) = scaled.until("Pending:Wait")
    eventually(lambda: scaled.running(first))
    scaled.complete("first", "ABANDON", InstanceId=first)
    second = eventually(lambda: next((each for each in scaled.states() if each != first), None))
    eventually(lambda: not scaled.running(first))
    assert scaled.until("Pending:Wait") == [second]
    for name in ("first", "second"):
        scaled.complete(name, "CONTINUE", InstanceId=second)
    scaled.until("InService")


def test_a_hook_that_nobody_answers_takes_its_default_result(scaled: Scaled) -> None:
    scaled.create(1, [hook(HeartbeatTimeout=2, DefaultResult="CONTINUE")])
    (instance_id,) = scaled.until("Pending:Wait")
    assert scaled.until("InService") == [instance_id]


def test_heartbeats_prolong_the_wait(scaled: Scaled) -> None:
    scaled.create(1, [hook(HeartbeatTimeout=2)])
    (instance_id,) = scaled.until("Pending:Wait")
    for _ in range(4):
        time.sleep(1)
        scaled.api.record_lifecycle_action_heartbeat(
            LifecycleHookName="hook", AutoScalingGroupName=scaled.name, InstanceId=instance_id
        )
    assert scaled.states() == {instance_id: "Pending:Wait"}
    replacement = eventually(lambda: next((each for each in scaled.states() if each != instance_id), None))
    assert replacement


@pytest.mark.parametrize("result", ["CONTINUE", "ABANDON"])
def test_a_termination_hook_holds_the_instance_before_it_is_gone(scaled: Scaled, result: str) -> None:
    scaled.create(1, [hook(transition=TERMINATE), hook("other", TERMINATE)])
    (instance_id,) = scaled.until("InService")
    scaled.events(1)
    scaled.api.terminate_instance_in_auto_scaling_group(InstanceId=instance_id, ShouldDecrementDesiredCapacity=True)
    scaled.until("Terminating:Wait")
    events = scaled.events(2)
    assert {event["type"] for event in events} == {"EC2 Instance-terminate Lifecycle Action"}
    assert {(event["Origin"], event["Destination"]) for event in events} == {("AutoScalingGroup", "EC2")}
    assert scaled.running(instance_id)
    scaled.complete("hook", result, InstanceId=instance_id)
    if result == "CONTINUE":
        assert scaled.states() == {instance_id: "Terminating:Wait"}
        scaled.complete("other", "CONTINUE", InstanceId=instance_id)
    # ABANDON stops the hooks that are left.
    scaled.until()
    assert not scaled.running(instance_id)


def test_suspended_processes_do_nothing_until_they_are_resumed(scaled: Scaled) -> None:
    scaled.create(1)
    (instance_id,) = scaled.until("InService")
    scaled.api.suspend_processes(AutoScalingGroupName=scaled.name, ScalingProcesses=["Launch", "Terminate"])
    scaled.desire(2)
    scaled.desire(0)
    assert scaled.states() == {instance_id: "InService"}
    scaled.api.resume_processes(AutoScalingGroupName=scaled.name, ScalingProcesses=["Terminate"])
    scaled.until()
    scaled.desire(1)
    assert scaled.states() == {}
    scaled.api.resume_processes(AutoScalingGroupName=scaled.name)
    scaled.until("InService")


def test_an_instance_that_somebody_ends_is_replaced(scaled: Scaled, cloud: Cloud) -> None:
    scaled.create(1)
    (first,) = scaled.until("InService")
    cloud.client("ec2").terminate_instances(InstanceIds=[first])
    assert not scaled.running(first)
    eventually(lambda: first not in scaled.states())
    scaled.until("InService")


def test_instances_are_detached_attached_and_put_on_standby(scaled: Scaled) -> None:
    scaled.create(2)
    first, second = scaled.until("InService", "InService")
    name = {"AutoScalingGroupName": scaled.name}
    scaled.api.detach_instances(**name, InstanceIds=[first], ShouldDecrementDesiredCapacity=True)
    assert scaled.states() == {second: "InService"}
    assert scaled.running(first)
    scaled.api.attach_instances(**name, InstanceIds=[first])
    scaled.until("InService", "InService")
    scaled.api.enter_standby(**name, InstanceIds=[first], ShouldDecrementDesiredCapacity=True)
    assert scaled.states() == {first: "Standby", second: "InService"}
    scaled.api.exit_standby(**name, InstanceIds=[first])
    scaled.until("InService", "InService")
    assert scaled.group()["DesiredCapacity"] == 2


def test_a_group_with_instances_is_deleted_only_by_force(scaled: Scaled) -> None:
    scaled.create(1, [hook(transition=TERMINATE)])
    (instance_id,) = scaled.until("InService")
    with pytest.raises(ClientError, match="ResourceInUse"):
        scaled.api.delete_auto_scaling_group(AutoScalingGroupName=scaled.name)
    scaled.api.delete_auto_scaling_group(AutoScalingGroupName=scaled.name, ForceDelete=True)
    eventually(
        lambda: not scaled.api.describe_auto_scaling_groups(AutoScalingGroupNames=[scaled.name])["AutoScalingGroups"]
    )
    assert not scaled.running(instance_id)
    with pytest.raises(ClientError, match="not found"):
        scaled.api.describe_lifecycle_hooks(AutoScalingGroupName=scaled.name)
