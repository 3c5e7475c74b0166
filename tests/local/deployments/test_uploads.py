"""Push to deploy, whole: an object is put, and hosts have it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.local


def until(look: Callable[[], Any], seconds: float = 90) -> Any:
    """Wait until there is something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.3)
    return found


def test_uploads_reach_hosts_and_the_newest_wins(group: Any, cloud: Any) -> None:
    fleet = group(1, tags=[{"Key": "tidegate:follow", "Value": "s3://uploads/here/"}])
    s3, sqs, events = fleet.s3, cloud.client("sqs"), cloud.client("events")
    s3.create_bucket(Bucket="uploads")
    s3.put_bucket_notification_configuration(
        Bucket="uploads", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    url = sqs.create_queue(QueueName="refused")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="refused", EventPattern=json.dumps({"detail-type": ["Tidegate Upload Refused"]}))
    events.put_targets(Rule="refused", Targets=[{"Id": "inbox", "Arn": arn}])

    def put(key: str, text: str) -> None:
        s3.put_object(Bucket="uploads", Key=key, Body=fleet.archive({"appspec.yml": fleet.appspec(), "file.txt": text}))

    def deployments() -> list[str]:
        return list(
            fleet.codedeploy.list_deployments(applicationName=fleet.name, deploymentGroupName="group")["deployments"]
        )

    put("here/1.bin", "one")
    first = until(deployments)[-1]
    put("here/2.bin", "two")
    put("here/3.bin", "three")
    s3.put_object(Bucket="uploads", Key="here/junk.zip", Body=b"junk")
    s3.put_object(Bucket="uploads", Key="unknown-application/1.zip", Body=b"junk")
    assert fleet.wait(first)["status"] == "Succeeded"
    until(lambda: fleet.files() == ["three"])
    fleet.wait(deployments()[0])
    assert fleet.codedeploy.get_deployment(deploymentId=deployments()[0])["deploymentInfo"]["creator"] == "user"

    told: dict[str, str] = {}

    def refused() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            assert event["source"] == "tidegate"
            told[event["detail"]["key"]] = event["detail"]["code"]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(told) == 2

    until(refused, 30)
    assert told == {"here/junk.zip": "NotABundle", "unknown-application/1.zip": "ApplicationDoesNotExistException"}
    revisions = fleet.codedeploy.list_application_revisions(applicationName=fleet.name)["revisions"]
    assert {each["s3Location"]["key"] for each in revisions} == {"here/1.bin", "here/2.bin", "here/3.bin"}
