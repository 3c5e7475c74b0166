"""What of an Auto Scaling group has to be there for one who copies it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from tests.local.cloud.conftest import Cloud
from tests.local.cloud.scaled_groups import Scaled
from tests.local.cloud.test_autoscaling_traffic import make_balancer

pytestmark = pytest.mark.local


@pytest.fixture
def copied(scaled: Scaled, cloud: Cloud):
    """The group, and one more with the same launch template; the other's name."""
    scaled.create(0)
    other = f"{scaled.name}-copy"
    scaled.api.create_auto_scaling_group(
        AutoScalingGroupName=other,
        MinSize=0,
        MaxSize=0,
        LaunchTemplate={"LaunchTemplateName": scaled.name},
        AvailabilityZones=["us-east-1a"],
    )
    yield other
    scaled.api.delete_auto_scaling_group(AutoScalingGroupName=other)


def test_policies_of_one_name_belong_to_their_groups(scaled: Scaled, copied: str) -> None:
    arns = {}
    for name, change in ((scaled.name, 1), (copied, 2)):
        arns[name] = scaled.api.put_scaling_policy(
            AutoScalingGroupName=name, PolicyName="out", AdjustmentType="ChangeInCapacity", ScalingAdjustment=change
        )["PolicyARN"]
    assert arns[scaled.name] != arns[copied]
    for name, change in ((scaled.name, 1), (copied, 2)):
        (policy,) = scaled.api.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
        assert (policy["PolicyName"], policy["ScalingAdjustment"]) == ("out", change)
    scaled.api.delete_policy(AutoScalingGroupName=copied, PolicyName="out")
    assert scaled.api.describe_policies(AutoScalingGroupName=copied)["ScalingPolicies"] == []
    scaled.api.execute_policy(AutoScalingGroupName=scaled.name, PolicyName="out")
    scaled.until("InService")


def test_scheduled_actions_of_one_name_belong_to_their_groups(scaled: Scaled, copied: str) -> None:
    for name, size in ((scaled.name, 1), (copied, 2)):
        scaled.api.put_scheduled_update_group_action(
            AutoScalingGroupName=name, ScheduledActionName="night", MaxSize=size, Recurrence="0 1 * * *"
        )
    for name, size in ((scaled.name, 1), (copied, 2)):
        (action,) = scaled.api.describe_scheduled_actions(AutoScalingGroupName=name)["ScheduledUpdateGroupActions"]
        assert (action["ScheduledActionName"], action["MaxSize"]) == ("night", size)
    scaled.api.delete_scheduled_action(AutoScalingGroupName=copied, ScheduledActionName="night")
    assert scaled.api.describe_scheduled_actions(AutoScalingGroupName=copied)["ScheduledUpdateGroupActions"] == []
    with pytest.raises(ClientError, match="Scheduled action name not found"):
        scaled.api.delete_scheduled_action(AutoScalingGroupName=copied, ScheduledActionName="night")


def test_notifications_belong_to_their_groups(scaled: Scaled, copied: str) -> None:
    topic, kinds = "arn:aws:sns:us-east-1:123456789012:t", ["autoscaling:EC2_INSTANCE_LAUNCH"]
    scaled.api.put_notification_configuration(AutoScalingGroupName=scaled.name, TopicARN=topic, NotificationTypes=kinds)
    found = scaled.api.describe_notification_configurations(AutoScalingGroupNames=[scaled.name, copied])
    assert found["NotificationConfigurations"] == [
        {"AutoScalingGroupName": scaled.name, "TopicARN": topic, "NotificationType": kinds[0]}
    ]
    scaled.api.delete_notification_configuration(AutoScalingGroupName=scaled.name, TopicARN=topic)
    found = scaled.api.describe_notification_configurations(AutoScalingGroupNames=[scaled.name])
    assert found["NotificationConfigurations"] == []


def test_traffic_sources_are_target_groups_and_load_balancers(scaled: Scaled, cloud: Cloud) -> None:
    arn = make_balancer(cloud, scaled.name)
    source = {"Identifier": arn, "Type": "elbv2"}
    scaled.create(0, TrafficSources=[source], DefaultInstanceWarmup=30, MaxInstanceLifetime=86400)
    group = scaled.group()
    assert group["TargetGroupARNs"] == [arn]
    assert group["TrafficSources"] == [source]
    assert (group["DefaultInstanceWarmup"], group["MaxInstanceLifetime"]) == (30, 86400)
    scaled.api.detach_traffic_sources(AutoScalingGroupName=scaled.name, TrafficSources=[source])
    assert scaled.api.describe_traffic_sources(AutoScalingGroupName=scaled.name)["TrafficSources"] == []
    scaled.api.attach_traffic_sources(AutoScalingGroupName=scaled.name, TrafficSources=[source])
    (found,) = scaled.api.describe_traffic_sources(AutoScalingGroupName=scaled.name)["TrafficSources"]
    assert found == {**source, "State": "Added"}
