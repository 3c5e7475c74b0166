"""Auto Scaling groups copied, raised and deleted as a blue/green deployment does it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.local.cloud.conftest import Cloud, eventually
from tests.local.cloud.scaled_groups import Scaled
from tests.local.cloud.test_autoscaling_traffic import make_balancer

from tidegate.gateways.scaling_groups import ScalingGroups
from tidegate.model.balancers import Balancer, BalancerKind
from tidegate.model.group_copy import SUSPENDED, attached_to, carries, in_service

pytestmark = pytest.mark.local

TOPIC = "arn:aws:sns:us-east-1:123456789012:scaling"
COPY = "CodeDeploy_prod_d-A1B2C3111"


@pytest.fixture
def groups(scaled: Scaled, cloud: Cloud) -> Iterator[ScalingGroups]:
    """A group with one instance behind a balancer, a policy, a scheduled action and a notification."""
    scaled.create(1, TargetGroupARNs=[make_balancer(cloud, scaled.name)], HealthCheckGracePeriod=120)
    scaled.until("InService")
    given = {"AutoScalingGroupName": scaled.name}
    scaled.api.put_scaling_policy(
        **given, PolicyName="out", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1, Cooldown=60
    )
    scaled.api.put_scheduled_update_group_action(
        **given, ScheduledActionName="night", Recurrence="0 1 * * *", MinSize=1
    )
    kinds = ["autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"]
    scaled.api.put_notification_configuration(**given, TopicARN=TOPIC, NotificationTypes=kinds)
    made = ScalingGroups(scaled.api)
    yield made
    made.delete(COPY)


def found(groups: ScalingGroups, name: str) -> Any:
    row = groups.find(name)
    assert row is not None
    return row


def test_a_copy_is_like_its_source_but_empty_and_quiet_and_is_raised(scaled: Scaled, groups: ScalingGroups) -> None:
    source = found(groups, scaled.name)
    for _ in range(2):
        groups.copy(source, COPY, "d-A1B2C3111")
    copy = found(groups, COPY)
    assert (copy["MinSize"], copy["MaxSize"], copy["DesiredCapacity"], copy["Instances"]) == (0, 4, 0, [])
    for same in ("LaunchTemplate", "AvailabilityZones", "TargetGroupARNs", "HealthCheckGracePeriod"):
        assert copy[same] == source[same]
    assert {each["ProcessName"] for each in copy["SuspendedProcesses"]} == set(SUSPENDED)
    assert carries(copy, ("tidegate:managed", "true"))
    assert carries(copy, ("CodeDeployProvisioningDeploymentId", "d-A1B2C3111"))
    (policy,) = scaled.api.describe_policies(AutoScalingGroupName=COPY)["ScalingPolicies"]
    assert (policy["PolicyName"], policy["ScalingAdjustment"], policy["Cooldown"]) == ("out", 1, 60)
    (action,) = scaled.api.describe_scheduled_actions(AutoScalingGroupName=COPY)["ScheduledUpdateGroupActions"]
    assert (action["ScheduledActionName"], action["MinSize"]) == ("night", 1)
    told = scaled.api.describe_notification_configurations(AutoScalingGroupNames=[COPY])["NotificationConfigurations"]
    assert [each["TopicARN"] for each in told] == [TOPIC, TOPIC]

    for _ in range(2):
        groups.resize(COPY, 0, 1)
    (instance,) = eventually(lambda: in_service(found(groups, COPY)))
    (target_group,) = copy["TargetGroupARNs"]
    health = scaled.cloud.client("elbv2").describe_target_health(TargetGroupArn=target_group)
    assert instance not in [each["Target"]["Id"] for each in health["TargetHealthDescriptions"]], "no traffic by itself"
    assert groups.failure(COPY) == ("", "")


def test_a_group_is_deleted_with_its_instances_once_and_again(scaled: Scaled, groups: ScalingGroups) -> None:
    groups.copy(found(groups, scaled.name), COPY, "d-A1B2C3111")
    for _ in range(2):
        groups.delete(scaled.name)
    eventually(lambda: groups.find(scaled.name) is None)
    assert groups.find(COPY) is not None


def test_a_group_that_is_detached_has_no_traffic_nor_has_what_it_launches(
    scaled: Scaled, groups: ScalingGroups, cloud: Cloud
) -> None:
    (arn,) = found(groups, scaled.name)["TargetGroupARNs"]
    web = Balancer(BalancerKind.TARGET_GROUP, "web", arn)

    def registered() -> list[str]:
        rows = cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return [each["Target"]["Id"] for each in rows if each["TargetHealth"]["State"] != "draining"]

    eventually(lambda: registered() == in_service(found(groups, scaled.name)))
    assert attached_to(found(groups, scaled.name), [web]) == [web]
    groups.detach(scaled.name, [web])
    assert (attached_to(found(groups, scaled.name), [web]), registered()) == ([], [])
    groups.resize(scaled.name, 0, 2)
    eventually(lambda: len(in_service(found(groups, scaled.name))) == 2)
    assert registered() == []
