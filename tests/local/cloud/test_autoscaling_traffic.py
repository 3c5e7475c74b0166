"""Auto Scaling groups behind load balancers, with warm pools, with lost events, and where nothing can be launched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.local.cloud.conftest import Cloud, eventually
from tests.local.cloud.scaled_groups import LAUNCH, TERMINATE, Scaled, hook

pytestmark = pytest.mark.local


def make_balancer(cloud: Cloud, name: str) -> str:
    """A load balancer with one listener and one target group that any answer of port 8080 makes healthy; its ARN."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
    (group,) = elb.create_target_group(
        Name=name,
        Protocol="TCP",
        Port=8080,
        VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
        TargetType="instance",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
    )["TargetGroups"]
    arn = str(group["TargetGroupArn"])
    balancer = elb.create_load_balancer(Name=name, Type="network", Subnets=subnets)["LoadBalancers"][0]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="TCP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    return arn


def registered(cloud: Cloud, arn: str) -> set[str]:
    rows = cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return {row["Target"]["Id"] for row in rows if row["TargetHealth"]["State"] not in ("unused", "draining")}


def classic_members(cloud: Cloud, name: str) -> set[str]:
    (row,) = cloud.client("elb").describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
    return {each["InstanceId"] for each in row["Instances"]}


def test_instances_have_traffic_from_the_end_of_launch_hooks_to_the_begin_of_termination_hooks(
    scaled: Scaled, cloud: Cloud
) -> None:
    arn = make_balancer(cloud, scaled.name)
    cloud.client("elb").create_load_balancer(
        LoadBalancerName=scaled.name,
        Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 8080}],
        AvailabilityZones=["us-east-1a"],
    )
    hooks = [hook("in"), hook("out", TERMINATE)]
    scaled.create(1, hooks, TargetGroupARNs=[arn], LoadBalancerNames=[scaled.name])
    (instance_id,) = scaled.until("Pending:Wait")
    eventually(lambda: scaled.running(instance_id))
    assert registered(cloud, arn) == classic_members(cloud, scaled.name) == set()
    scaled.complete("in", "CONTINUE", InstanceId=instance_id)
    scaled.until("InService")
    assert registered(cloud, arn) == classic_members(cloud, scaled.name) == {instance_id}
    scaled.desire(0)
    scaled.until("Terminating:Wait")
    assert registered(cloud, arn) == classic_members(cloud, scaled.name) == set()
    scaled.complete("out", "CONTINUE", InstanceId=instance_id)
    scaled.until()


def test_without_add_to_load_balancer_an_instance_gets_no_traffic(scaled: Scaled, cloud: Cloud) -> None:
    arn = make_balancer(cloud, scaled.name)
    scaled.create(0, TargetGroupARNs=[arn])
    scaled.api.suspend_processes(AutoScalingGroupName=scaled.name, ScalingProcesses=["AddToLoadBalancer"])
    scaled.desire(1)
    scaled.until("InService")
    assert registered(cloud, arn) == set()


def warm(scaled: Scaled) -> dict[str, str]:
    rows = scaled.api.describe_warm_pool(AutoScalingGroupName=scaled.name)["Instances"]
    return {row["InstanceId"]: row["LifecycleState"] for row in rows}


def agent(cloud: Cloud, instance_id: str) -> Any:
    found = cloud.client("ssm").describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [instance_id]}])
    return found["InstanceInformationList"][0]["PingStatus"]


def test_a_warm_pool_is_filled_through_hooks_and_gives_its_instances_to_the_group(scaled: Scaled, cloud: Cloud) -> None:
    scaled.create(0, [hook()])
    scaled.api.put_warm_pool(AutoScalingGroupName=scaled.name, MaxGroupPreparedCapacity=1)
    (instance_id,) = eventually(lambda: [each for each, state in warm(scaled).items() if state.endswith(":Wait")])
    assert warm(scaled) == {instance_id: "Warmed:Pending:Wait"}
    assert scaled.states() == {}
    (event,) = scaled.events(1)
    assert (event["LifecycleTransition"], event["Origin"], event["Destination"]) == (LAUNCH, "EC2", "WarmPool")
    eventually(lambda: scaled.running(instance_id))
    scaled.complete("hook", "CONTINUE", InstanceId=instance_id)
    eventually(lambda: warm(scaled) == {instance_id: "Warmed:Stopped"})
    assert agent(cloud, instance_id) == "ConnectionLost"
    scaled.events(1)

    scaled.desire(1)
    assert scaled.until("Pending:Wait") == [instance_id]
    (event,) = scaled.events(1)
    assert (event["LifecycleTransition"], event["Origin"]) == (LAUNCH, "WarmPool")
    assert event["Destination"] == "AutoScalingGroup"
    assert agent(cloud, instance_id) == "Online"
    scaled.complete("hook", "CONTINUE", InstanceId=instance_id)
    scaled.until("InService")
    assert warm(scaled) == {}


def test_a_pool_that_reuses_takes_instances_back_when_fewer_are_wanted(scaled: Scaled) -> None:
    scaled.create(1)
    (instance_id,) = scaled.until("InService")
    scaled.api.put_warm_pool(
        AutoScalingGroupName=scaled.name,
        MaxGroupPreparedCapacity=1,
        PoolState="Running",
        InstanceReusePolicy={"ReuseOnScaleIn": True},
    )
    scaled.desire(0)
    eventually(lambda: warm(scaled) == {instance_id: "Warmed:Running"})
    assert scaled.running(instance_id)
    scaled.api.delete_warm_pool(AutoScalingGroupName=scaled.name, ForceDelete=True)
    eventually(lambda: not scaled.running(instance_id))


def test_events_can_be_lost_and_doubled_and_instances_wait_all_the_same(scaled: Scaled, cloud: Cloud) -> None:
    cloud.faults(events={"lose": 1})
    scaled.create(1, [hook()])
    (first,) = scaled.until("Pending:Wait")
    cloud.faults(events={"double": 1})
    scaled.desire(2)
    scaled.until("Pending:Wait", "Pending:Wait")
    events = scaled.events(2)
    assert {event["EC2InstanceId"] for event in events} == set(scaled.states()) - {first}
    assert len(events) == 2


def test_a_hooks_queue_is_told_too(scaled: Scaled, cloud: Cloud) -> None:
    client = cloud.client("sqs")
    url = client.create_queue(QueueName=f"{scaled.name}-hook")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:123456789012:{scaled.name}-hook"
    scaled.create(1, [hook(NotificationTargetARN=arn, RoleARN="arn:aws:iam::123456789012:role/any")])
    (instance_id,) = scaled.until("Pending:Wait")
    got: list[dict[str, Any]] = []

    def look() -> bool:
        answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        got.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return len(got) >= 2

    eventually(look)
    assert [each["Event"] for each in got if "Event" in each] == ["autoscaling:TEST_NOTIFICATION"]
    assert [each["EC2InstanceId"] for each in got if "EC2InstanceId" in each] == [instance_id]


def test_an_instance_that_cannot_be_launched_is_said_and_tried_again(scaled: Scaled, cloud: Cloud) -> None:
    (subnet, *_) = cloud.client("ec2").describe_subnets()["Subnets"]
    scaled.create(1, VPCZoneIdentifier=subnet["SubnetId"], AvailabilityZones=[subnet["AvailabilityZone"]])
    scaled.until("InService")
    cloud.client("ec2").delete_launch_template(LaunchTemplateName=scaled.name)
    scaled.desire(2)

    def failed() -> list[dict[str, Any]]:
        found = scaled.api.describe_scaling_activities(AutoScalingGroupName=scaled.name)["Activities"]
        return [each for each in found if each["StatusCode"] == "Failed"]

    eventually(lambda: len(failed()) >= 2)
    assert "launch template" in failed()[0]["StatusMessage"]
    unsuccessful = [each for each in scaled.events(3) if each["type"] == "EC2 Instance Launch Unsuccessful"]
    assert unsuccessful
