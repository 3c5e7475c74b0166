"""An Auto Scaling group of a test in the local cloud, and the queue that its events arrive in."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.local.cloud.conftest import Cloud, eventually

LAUNCH, TERMINATE = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
_NUMBERS = itertools.count(1)


@dataclass
class Scaled:
    """One Auto Scaling group, and the queue that its events arrive in."""

    cloud: Cloud
    name: str
    queue: str

    @property
    def api(self) -> Any:
        return self.cloud.client("autoscaling")

    def create(self, desired: int, hooks: list[dict[str, Any]] | None = None, **options: Any) -> None:
        ec2 = self.cloud.client("ec2")
        ec2.create_launch_template(
            LaunchTemplateName=self.name,
            LaunchTemplateData={
                "ImageId": "ami-00000000000000001",
                "InstanceType": "t3.micro",
                "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "From", "Value": "template"}]}],
            },
        )
        self.api.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            MinSize=0,
            MaxSize=4,
            DesiredCapacity=desired,
            LaunchTemplate={"LaunchTemplateName": self.name, "Version": "$Latest"},
            LifecycleHookSpecificationList=hooks or [],
            Tags=[
                {"Key": "tidegate:managed", "Value": "true", "PropagateAtLaunch": True},
                {"Key": "Kept", "Value": "here", "PropagateAtLaunch": False},
            ],
            **{"AvailabilityZones": ["us-east-1a", "us-east-1b"], **options},
        )

    def group(self) -> dict[str, Any]:
        (found,) = self.api.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        return dict(found)

    def states(self) -> dict[str, str]:
        return {each["InstanceId"]: each["LifecycleState"] for each in self.group()["Instances"]}

    def until(self, *states: str) -> list[str]:
        """Wait until the group has instances in exactly these states; their ids, in that order."""
        wanted = sorted(states)

        def look() -> list[str] | None:
            found = self.states()
            if sorted(found.values()) != wanted:
                return None
            return sorted(found, key=lambda each: states.index(found[each]))

        if not states:
            eventually(lambda: not self.states())
            return []
        return eventually(look)

    def desire(self, number: int) -> None:
        self.api.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=number)

    def events(self, number: int) -> list[dict[str, Any]]:
        """The details of that many events, in the order they came."""
        got: list[dict[str, Any]] = []
        client = self.cloud.client("sqs")

        def look() -> bool:
            answer = client.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                client.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                event = json.loads(message["Body"])
                got.append({"type": event["detail-type"], "resources": event["resources"], **event["detail"]})
            return len(got) >= number

        eventually(look)
        return got

    def complete(self, hook: str, result: str, **which: str) -> None:
        self.api.complete_lifecycle_action(
            LifecycleHookName=hook, AutoScalingGroupName=self.name, LifecycleActionResult=result, **which
        )

    def running(self, instance_id: str) -> bool:
        return any(host["id"] == instance_id for host in self.cloud.local("hosts")[1])


def hook(name: str = "hook", transition: str = LAUNCH, **members: Any) -> dict[str, Any]:
    return {
        "LifecycleHookName": name,
        "LifecycleTransition": transition,
        "HeartbeatTimeout": 600,
        "DefaultResult": "ABANDON",
        **members,
    }


def scaled_group(cloud: Cloud) -> Iterator[Scaled]:
    """A group that is not made yet; when the test is over it is gone."""
    name = f"group-{next(_NUMBERS)}"
    queue = cloud.client("sqs").create_queue(QueueName=f"{name}-events")["QueueUrl"]
    pattern = {"source": ["aws.autoscaling"], "detail": {"AutoScalingGroupName": [name]}}
    cloud.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    target = f"arn:aws:sqs:us-east-1:123456789012:{name}-events"
    cloud.client("events").put_targets(Rule=name, Targets=[{"Id": "1", "Arn": target}])
    made = Scaled(cloud, name, queue)
    yield made
    cloud.client("events").remove_targets(Rule=name, Ids=["1"])
    cloud.client("events").delete_rule(Name=name)
    if made.api.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]:
        made.api.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        eventually(lambda: not made.api.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"])
