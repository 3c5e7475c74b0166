"""Who is told what of real deployments: topics and the event bus, also when something stands in the way."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

pytestmark = pytest.mark.local

ALL = [
    f"{kind}{event}"
    for kind, events in (
        ("Deployment", ("Start", "Success", "Failure", "Stop", "Rollback", "Ready")),
        ("Instance", ("Start", "Success", "Failure", "Ready")),
    )
    for event in events
]
FAILING = "hooks:\n  ValidateService:\n    - location: fail.sh\n      timeout: 10\n"
GOOD_COURSE = ["CREATED", "instance IN_PROGRESS", "instance SUCCEEDED", "SUCCEEDED"]


@dataclass
class Inbox:
    """A queue that gets what a topic or a rule passes on."""

    sqs: Any
    url: str
    got: list[dict[str, Any]] = field(default_factory=list)

    @property
    def arn(self) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def look(self) -> list[dict[str, Any]]:
        """All that has come so far."""
        while True:
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            if not answer.get("Messages"):
                return self.got
            for message in answer["Messages"]:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                self.got.append(json.loads(message["Body"]))

    def until(self, holds: Callable[[list[dict[str, Any]]], bool], seconds: float = 60) -> list[dict[str, Any]]:
        """Wait until what has come is as it should be."""
        end = time.monotonic() + seconds
        while not holds(self.look()):
            assert time.monotonic() < end, self.got
            time.sleep(0.2)
        return self.got


def inbox(cloud: Any, name: str) -> Inbox:
    sqs = cloud.client("sqs")
    return Inbox(sqs, sqs.create_queue(QueueName=name)["QueueUrl"])


def subscribed(cloud: Any, name: str) -> tuple[str, Inbox]:
    """A topic, and a queue subscribed to it."""
    sns, found = cloud.client("sns"), inbox(cloud, f"topic-{name}")
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=found.arn)
    return topic, found


def trigger(topic: str, events: list[str] = ALL, name: str = "everything") -> dict[str, Any]:
    return {"triggerName": name, "triggerTargetArn": topic, "triggerEvents": events}


def statuses(got: list[dict[str, Any]], deployment: str) -> list[str]:
    """The statuses told of a deployment by a topic, in the order in which they came; a repeat counts once."""
    seen = dict.fromkeys(each["MessageAttributes"]["noticeId"]["Value"] for each in got)
    by_id = {each["MessageAttributes"]["noticeId"]["Value"]: json.loads(each["Message"]) for each in got}
    messages = [by_id[notice] for notice in seen if by_id[notice]["deploymentId"] == deployment]
    return [
        f"instance {message['instanceStatus']}" if "instanceId" in message else message["status"]
        for message in messages
    ]


def test_a_rollback_is_told_from_beginning_to_end(group: Any, cloud: Any) -> None:
    topic, mail = subscribed(cloud, "told")
    fleet = group(1, rollback=True, triggerConfigurations=[trigger(topic)])
    bus, events = inbox(cloud, "bus-told"), cloud.client("events")
    pattern = {"source": ["tidegate"], "detail": {"application": [fleet.name]}}
    events.put_rule(Name="told", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="told", Targets=[{"Id": "inbox", "Arn": bus.arn}])

    good = fleet.deploy(fleet.push("good"))
    assert fleet.wait(good)["status"] == "Succeeded"
    mail.until(lambda got: len(got) == 4)
    bus.until(lambda got: len(got) == 4)
    cloud.page("calls?reset=1")
    bad = fleet.deploy(fleet.push("bad", FAILING, {"fail.sh": "#!/bin/sh\nexit 3\n"}))
    back = fleet.wait(bad)["rollbackInfo"]["rollbackDeploymentId"]
    assert fleet.wait(back)["status"] == "Succeeded"

    mail.until(lambda got: len(got) >= 13)
    assert statuses(mail.got, good) == GOOD_COURSE
    assert statuses(mail.got, bad) == ["CREATED", "instance IN_PROGRESS", "instance FAILED", "FAILED"]
    assert statuses(mail.got, back) == [
        "CREATED", "IN_PROGRESS", "instance IN_PROGRESS", "instance SUCCEEDED", "SUCCEEDED",
    ]  # fmt: skip
    assert mail.got[0]["Subject"] == f"CREATED: AWS CodeDeploy {good} in us-east-1 to {fleet.name}"
    failed = next(m for m in (json.loads(each["Message"]) for each in mail.got) if m.get("status") == "FAILED")
    assert json.loads(failed["errorInformation"])["ErrorCode"] == "HEALTH_CONSTRAINTS"
    assert json.loads(failed["rollbackInformation"])["RollbackDeploymentId"] == back
    assert json.loads(failed["deploymentOverview"])["Failed"] == 1

    host = fleet.hosts[0]["id"]
    bus.until(lambda got: len(got) >= 12)
    details = [each["detail"] for each in bus.got]
    assert Counter((each["deploymentId"], each["state"], each.get("instanceId")) for each in details) == {
        (deployment, state, instance): 1
        for deployment, end in ((good, "SUCCESS"), (bad, "FAILURE"), (back, "SUCCESS"))
        for instance in (None, host)
        for state in ("START", end)
    }  # fmt: skip
    assert {e["detail-type"] for e in bus.got if "instanceId" in e["detail"]} == {
        "CodeDeploy Instance State-change Notification"
    }

    time.sleep(1)  # nothing more may come
    assert (len(mail.look()), len(bus.look())) == (13, 12)
    calls = cloud.page("calls")["byFunction"]["NotifySubscribersFunction"]
    assert (calls["sns"], calls["events"], calls.get("sqs", 0)) == (9, 8, 0)
    assert calls["lambda"] <= 12


def test_a_throttled_topic_and_bus_are_waited_for(group: Any, cloud: Any) -> None:
    topic, mail = subscribed(cloud, "throttled")
    fleet = group(1, triggerConfigurations=[trigger(topic)])
    cloud.page("faults", {"throttle": {"sns:PublishBatch": 5, "events:PutEvents": 3}})

    deployment = fleet.deploy(fleet.push("x"))

    assert fleet.wait(deployment)["status"] == "Succeeded"
    mail.until(lambda got: len(statuses(got, deployment)) == 4)
    assert sorted(statuses(mail.got, deployment)) == sorted(GOOD_COURSE)
    left = cloud.page("faults")["throttle"]
    assert left == {"sns:PublishBatch": 0, "events:PutEvents": 0}, "the fault must have struck"


def test_a_topic_that_is_gone_hurts_nobody_else(group: Any, cloud: Any) -> None:
    topic, mail = subscribed(cloud, "stays")
    gone = cloud.client("sns").create_topic(Name="gone")["TopicArn"]
    denied = "arn:aws-cn:sns:cn-north-1:123456789012:elsewhere"
    triggers = [trigger(gone, name="gone"), trigger(denied, ["DeploymentSuccess"], name="denied"), trigger(topic)]
    fleet = group(1, triggerConfigurations=triggers)
    cloud.client("sns").delete_topic(TopicArn=gone)
    lost = Inbox(cloud.client("sqs"), lost_queue(cloud))
    lost.look()

    deployment = fleet.deploy(fleet.push("x"))

    assert fleet.wait(deployment)["status"] == "Succeeded"
    mail.until(lambda got: len(got) >= 4)
    assert statuses(mail.got, deployment) == GOOD_COURSE
    lost.until(lambda got: len(got) >= 5)
    told = Counter((each["to"], each["reason"].partition(":")[0], each["deployment_id"]) for each in lost.got)
    assert told == {(gone, "NotFound", deployment): 4, (denied, "AccessDeniedException", deployment): 1}

    # Made anew, it gets what it has missed once people move it back.
    again, late = subscribed(cloud, "gone")
    assert again == gone
    undelivered = lost.url.replace("LostNotices", "UndeliveredNotices")
    for each in [each for each in lost.got if each["to"] == gone]:
        cloud.client("sqs").send_message(QueueUrl=undelivered, MessageBody=json.dumps(each))
    late.until(lambda got: len(statuses(got, deployment)) == 4)


@pytest.mark.parametrize(
    ("function", "after", "times"),
    [
        ("FinishDeploymentFunction", "dynamodb:TransactWriteItems", 2),
        ("PickBatchFunction", "dynamodb:TransactWriteItems", 1),
        ("NotifySubscribersFunction", "sns:PublishBatch", 1),
    ],
    ids=["the_end", "a_batch", "the_telling"],
)
def test_a_handler_killed_after_its_commit_loses_nothing(
    group: Any, cloud: Any, function: str, after: str, times: int
) -> None:
    topic, mail = subscribed(cloud, f"killed-{function}")
    fleet = group(1, triggerConfigurations=[trigger(topic)])
    cloud.page("faults", {"kill": {"function": function, "after": after, "times": times}})

    deployment = fleet.deploy(fleet.push("x"))

    assert fleet.wait(deployment)["status"] == "Succeeded"
    mail.until(lambda got: len(statuses(got, deployment)) == 4)
    assert statuses(mail.got, deployment) == GOOD_COURSE
    assert cloud.page("faults")["kill"]["times"] == 0, "the fault must have struck"


def test_a_stop_is_told_to_those_who_asked(group: Any, cloud: Any) -> None:
    topic, mail = subscribed(cloud, "stops")
    fleet = group(2, config="CodeDeployDefault.OneAtATime", triggerConfigurations=[trigger(topic, ["DeploymentStop"])])
    deployment = fleet.deploy(fleet.push_counting("told", "sleep 3"))
    fleet.until(deployment, lambda info: info.get("deploymentOverview", {}).get("InProgress") == 1)

    fleet.codedeploy.stop_deployment(deploymentId=deployment)

    assert fleet.wait(deployment)["status"] == "Stopped"
    (told,) = mail.until(lambda got: len(got) >= 1)
    message = json.loads(told["Message"])
    assert (message["status"], message["eventTriggerName"]) == ("STOPPED", "everything")
    assert json.loads(message["errorInformation"])["ErrorCode"] == "MANUAL_STOP"
    assert json.loads(message["deploymentOverview"]) == {
        "Succeeded": 1, "Failed": 0, "Skipped": 1, "InProgress": 0, "Pending": 0,
    }  # fmt: skip


def lost_queue(cloud: Any) -> str:
    urls = cloud.client("sqs").list_queues()["QueueUrls"]
    return next(str(url) for url in urls if "LostNotices" in url)
