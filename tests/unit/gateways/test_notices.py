"""Topics, bus and queues: what is sent, and what becomes of what was not taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from tidegate.gateways.errors import UnavailableError
from tidegate.gateways.notices import Bus, NoticeQueues, Topics, chunks
from tidegate.model.notices import Channel, Delivery

Stubs = Callable[[str], tuple[Any, Stubber]]
TOPIC = "arn:aws:sns:us-east-1:123456789012:tidegate-a"


def to_topic(number: int = 1, topic: str = TOPIC, size: int = 1) -> Delivery:
    body = {"Subject": f"s{number}", "Message": "m" * size, "attributes": {"triggerEvent": "DeploymentStart"}}
    return Delivery(f"n-{number}", Channel.TOPIC, topic, "d-1", body)


def to_bus(number: int = 1) -> Delivery:
    body = {"Source": "tidegate", "DetailType": "t", "Resources": ["arn:r"], "Detail": {"n": number}, "Time": 1.5}
    return Delivery(f"n-{number}", Channel.BUS, "default", "d-1", body)


def test_calls_hold_ten_and_no_more_than_a_call_may() -> None:
    small = [to_topic(n) for n in range(23)]
    assert [len(part) for part in chunks(small)] == [10, 10, 3]
    large = [to_topic(n, size=100_000) for n in range(5)]
    assert [len(part) for part in chunks(large)] == [2, 2, 1]
    assert [each for part in chunks(large) for each in part] == large
    assert list(chunks([])) == []


def test_a_topic_gets_subject_message_and_attributes(cloud: Callable[[str], Any]) -> None:
    sns, sqs = cloud("sns"), cloud("sqs")
    topic = sns.create_topic(Name="told")["TopicArn"]
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:q")
    assert Topics(sns).send([to_topic(1, topic), to_topic(2, topic)]) == []
    bodies = [json.loads(m["Body"]) for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]]
    assert [(each["Subject"], each["Message"]) for each in bodies] == [("s1", "m"), ("s2", "m")]
    assert bodies[0]["MessageAttributes"] == {"triggerEvent": {"Type": "String", "Value": "DeploymentStart"}}


def test_an_ordered_topic_gets_group_and_id(stubbed: Stubs) -> None:
    client, stub = stubbed("sns")
    entry = {
        "Id": "n0", "Subject": "s1", "Message": "m", "MessageGroupId": "d-1", "MessageDeduplicationId": "n-1",
        "MessageAttributes": {"triggerEvent": {"DataType": "String", "StringValue": "DeploymentStart"}},
    }  # fmt: skip
    fifo = f"{TOPIC}.fifo"
    stub.add_response("publish_batch", {}, {"TopicArn": fifo, "PublishBatchRequestEntries": [entry]})
    assert Topics(client).send([to_topic(1, fifo)]) == []


def test_what_a_topic_did_not_take_of_a_batch(stubbed: Stubs) -> None:
    client, stub = stubbed("sns")
    failed = [
        {"Id": "n0", "Code": "Throttled", "Message": "slow", "SenderFault": False},
        {"Id": "n2", "Code": "InvalidParameter", "Message": "bad", "SenderFault": True},
    ]
    stub.add_response("publish_batch", {"Successful": [{"Id": "n1", "MessageId": "m"}], "Failed": failed})
    found = Topics(client).send([to_topic(n) for n in range(3)])
    assert [(each.delivery.notice_id, each.reason, each.passing) for each in found] == [
        ("n-0", "Throttled: slow", True),
        ("n-2", "InvalidParameter: bad", False),
    ]


@pytest.mark.parametrize(
    ("code", "status", "passing"),
    [
        ("Throttled", 429, True),
        ("ThrottledException", 400, True),
        ("KMSThrottling", 400, True),
        ("InternalError", 500, True),
        ("SomethingNew", 503, True),
        ("NotFound", 404, False),
        ("AuthorizationError", 403, False),
        ("AccessDeniedException", 400, False),
        ("KMSAccessDenied", 400, False),
        ("InvalidParameter", 400, False),
    ],
)
def test_what_passes_and_what_does_not(stubbed: Stubs, code: str, status: int, passing: bool) -> None:
    client, stub = stubbed("sns")
    stub.add_client_error("publish_batch", code, "why", http_status_code=status)
    found = Topics(client).send([to_topic(1), to_topic(2)])
    assert [(each.reason, each.passing) for each in found] == [(f"{code}: why", passing)] * 2


def test_a_service_that_cannot_be_reached_is_asked_again() -> None:
    class Gone:
        def publish_batch(self, **_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://sns")

    (found,) = Topics(Gone()).send([to_topic()])
    assert found.passing


def test_the_bus_gets_entries_with_the_time_of_the_change(stubbed: Stubs) -> None:
    client, stub = stubbed("events")
    expected = {
        "Source": "tidegate", "DetailType": "t", "Resources": ["arn:r"], "Detail": '{"n": 1}',
        "Time": datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC),
    }  # fmt: skip
    stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}, {"Entries": [expected]})
    assert Bus(client).send([to_bus()]) == []


def test_what_the_bus_did_not_take_of_a_batch(stubbed: Stubs) -> None:
    client, stub = stubbed("events")
    results = [
        {"EventId": "e"},
        {"ErrorCode": "InternalFailure", "ErrorMessage": "oops"},
        {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "no"},
    ]
    stub.add_response("put_events", {"FailedEntryCount": 2, "Entries": results})
    found = Bus(client).send([to_bus(n) for n in range(3)])
    assert [(each.delivery.notice_id, each.passing) for each in found] == [("n-1", True), ("n-2", False)]


def test_the_bus_when_it_throttles(stubbed: Stubs) -> None:
    client, stub = stubbed("events")
    stub.add_client_error("put_events", "ThrottlingException", "slow")
    assert [each.passing for each in Bus(client).send([to_bus(1), to_bus(2)])] == [True, True]


def test_the_queues_hold_what_was_not_taken(cloud: Callable[[str], Any]) -> None:
    sqs = cloud("sqs")
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("undelivered", "lost")]
    queues = NoticeQueues(sqs, *urls)
    put_off = replace(to_topic(), tried=1)
    queues.again(put_off, 0)
    queues.lose("as it was")
    again, lost = (sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] for url in urls)
    assert Delivery.from_json(again) == put_off
    assert lost == "as it was"


def test_a_queue_that_cannot_be_used_is_an_error(cloud: Callable[[str], Any]) -> None:
    with pytest.raises(UnavailableError, match="keeping an undelivered notice"):
        NoticeQueues(cloud("sqs"), "https://sqs.us-east-1.amazonaws.com/123456789012/none", "").again(to_topic(), 1)
    with pytest.raises(UnavailableError, match="not set"):
        NoticeQueues(cloud("sqs"), "", "").lose("x")
