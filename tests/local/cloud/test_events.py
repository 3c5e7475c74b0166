"""Events, schedules and the queues that feed functions."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime

import pytest

from tidegate_local.adapters.events import pick, rate_seconds, scheduled_event, target_input, tidy
from tidegate_local.adapters.lambda_workers import Result
from tidegate_local.adapters.sqs_poller import record, succeeded


def order(cloud, **detail):
    entry = {"Source": "shop", "DetailType": "Ordered", "Detail": json.dumps(detail)}
    assert cloud.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def seen(cloud, mark, number, seconds=30.0):
    """Take messages until that many with the mark came, in any form."""
    got = []
    until = time.monotonic() + seconds
    while len(got) < number:
        assert time.monotonic() < until, got
        got += [body for body in map(json.loads, cloud.messages("SeenUrl")) if mark in json.dumps(body)]
    return got


@pytest.mark.local
def test_an_event_reaches_every_target_in_its_form(cloud):
    mark = uuid.uuid4().hex
    order(cloud, item=mark, count=3)
    whole, shaped = sorted(seen(cloud, mark, 2), key=lambda body: "said" in body)
    assert shaped == {"said": f"{mark} x3", "item": mark, "count": 3}
    assert (whole["source"], whole["detail-type"], whole["account"]) == ("shop", "Ordered", "123456789012")
    assert datetime.fromisoformat(whole["time"]).tzinfo is not None
    assert "ingestion-time" not in whole


@pytest.mark.local
def test_events_can_be_lost_and_doubled(cloud):
    lost, doubled = uuid.uuid4().hex, uuid.uuid4().hex
    cloud.faults(events={"lose": 1})
    order(cloud, item=lost, count=1)
    cloud.faults(events={"double": 1})
    order(cloud, item=doubled, count=1)
    assert len(seen(cloud, doubled, 4)) == 4
    cloud.faults(events={})
    after = uuid.uuid4().hex
    order(cloud, item=after, count=1)
    assert not [body for body in seen(cloud, after, 2) if lost in json.dumps(body)]


@pytest.mark.local
def test_an_upload_travels_through_bus_queue_and_function(cloud):
    key = f"drop/{uuid.uuid4().hex}"
    cloud.client("s3").put_object(Bucket=cloud.out("BucketName"), Key=key, Body=b"x")
    jobs = wait_for_jobs(cloud, key, 1)
    event = json.loads(jobs[0])
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    assert event["detail"]["object"]["key"] == key
    assert len(jobs) == 1


@pytest.mark.local
def test_tags_are_told_of_when_they_are_put(cloud):
    s3, bucket, key = cloud.client("s3"), cloud.out("BucketName"), f"drop/{uuid.uuid4().hex}"
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    kinds = [json.loads(body)["detail-type"] for body in wait_for_jobs(cloud, key, 2)]
    assert sorted(kinds) == ["Object Created", "Object Tags Added"]


def wait_for_jobs(cloud, mark, number):
    table = cloud.client("dynamodb")
    until = time.monotonic() + 30
    while True:
        answer = table.query(
            TableName=cloud.out("TableName"),
            KeyConditionExpression="PK = :j",
            ExpressionAttributeValues={":j": {"S": "JOB"}},
        )
        found = [item["body"]["S"] for item in answer["Items"] if mark in item["body"]["S"]]
        if len(found) >= number:
            return found
        assert time.monotonic() < until, found
        time.sleep(0.05)


@pytest.mark.local
def test_messages_come_in_batches(cloud):
    mark = uuid.uuid4().hex
    cloud.local("calls?reset=1")
    entries = [{"Id": str(n), "MessageBody": f"{mark}-{n}"} for n in range(10)]
    cloud.client("sqs").send_message_batch(QueueUrl=cloud.out("JobsUrl"), Entries=entries)
    assert len(wait_for_jobs(cloud, mark, 10)) == 10
    assert 1 <= cloud.local("calls")[1]["lambda"] <= 3


@pytest.mark.local
def test_what_fails_in_a_batch_comes_back_and_then_goes_to_the_dead_letter_queue(cloud):
    mark = uuid.uuid4().hex
    entries = [{"Id": "a", "MessageBody": f"{mark}-fine"}, {"Id": "b", "MessageBody": f"{mark}-poison"}]
    cloud.client("sqs").send_message_batch(QueueUrl=cloud.out("JobsUrl"), Entries=entries)
    assert wait_for_jobs(cloud, mark, 1) == [f"{mark}-fine"]
    assert cloud.messages("LostUrl") == [f"{mark}-poison"]
    assert wait_for_jobs(cloud, mark, 1) == [f"{mark}-fine"]


@pytest.mark.local
def test_a_command_runs_on_the_hosts_and_its_end_is_an_event(cloud):
    hosts = cloud.local("hosts")[1]
    assert [host["name"] for host in hosts] == ["host-1", "host-2"]
    assert {"Fleet": "test", "tidegate:managed": "true"}.items() <= hosts[0]["tags"].items()
    ssm = cloud.client("ssm")
    command = ssm.send_command(
        DocumentName=cloud.out("DocumentName"),
        InstanceIds=[host["id"] for host in hosts],
        Parameters={"word": ["hello"]},
    )["Command"]["CommandId"]
    events = []
    while len(events) < 2:
        bodies = [json.loads(body) for body in cloud.messages("CommandsUrl")]
        events += [body for body in bodies if body["detail"]["command-id"] == command]
    assert {event["detail"]["instance-id"] for event in events} == {host["id"] for host in hosts}
    found = ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    assert {invocation["CommandPlugins"][0]["Output"] for invocation in found} == {
        "hello from host-1\n",
        "hello from host-2\n",
    }


# -- pure -------------------------------------------------------------------------------------------------------------

EVENT = {"id": "1", "time": "2026-01-02T03:04:05Z", "detail": {"a": 'say "hi"', "b": [1, {"c": 2}]}}
RULE = "arn:aws:events:us-east-1:123456789012:rule/nightly"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, EVENT),
        ({"Input": '{"x": 1}'}, {"x": 1}),
        ({"InputPath": "$.detail.b"}, [1, {"c": 2}]),
        ({"InputTransformer": {"InputTemplate": '{"r": "<aws.events.rule-name>"}'}}, {"r": "nightly"}),
        (
            {"InputTransformer": {"InputPathsMap": {"a": "$.detail.a"}, "InputTemplate": '{"t": "it: <a>", "v": <a>}'}},
            {"t": 'it: say "hi"', "v": 'say "hi"'},
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"b": "$.detail.b"}, "InputTemplate": '{"v": <b>, "m": <none>}'}},
            None,
        ),
    ],
)
def test_what_a_target_receives(target, expected):
    text = target_input(target, EVENT, RULE)
    if expected is None:
        assert text == '{"v": [1, {"c": 2}], "m": <none>}'
    else:
        assert json.loads(text) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.detail.b[1].c", 2),
        ("$.detail['a']", 'say "hi"'),
        ("$.detail.nothing", None),
        ("$.detail.b[7]", None),
        ("$", EVENT),
    ],
)
def test_simple_paths(path, expected):
    assert pick(path, EVENT) == expected


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200)]
)
def test_rates(expression, seconds):
    assert rate_seconds(expression) == seconds


@pytest.mark.parametrize("expression", ["cron(0 1 * * ? *)", "rate(0 minutes)", "rate(5)", "rate(5 weeks)"])
def test_what_is_no_rate(expression):
    with pytest.raises(ValueError, match="is not a rate"):
        rate_seconds(expression)


def test_a_scheduled_event():
    event = scheduled_event(RULE, "123456789012", "us-east-1", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert (event["detail-type"], event["time"], event["resources"]) == (
        "Scheduled Event",
        "2026-01-02T03:04:05Z",
        [RULE],
    )


def test_times_are_tidied():
    assert tidy({"time": 1767323045.5, "ingestion-time": 1.0, "id": "1"}) == {
        "time": "2026-01-02T03:04:05Z",
        "id": "1",
    }


QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


def batch(*ids):
    messages = [{"MessageId": i, "ReceiptHandle": f"r{i}", "Body": "b", "MD5OfBody": "m"} for i in ids]
    return {"Records": [record(message, QUEUE) for message in messages]}


@pytest.mark.parametrize(
    ("payload", "failed", "partial", "done"),
    [
        ("null", False, True, {"1", "2"}),
        ('{"batchItemFailures": []}', False, True, {"1", "2"}),
        ('{"batchItemFailures": [{"itemIdentifier": "2"}]}', False, True, {"1"}),
        ('{"batchItemFailures": [{"itemIdentifier": "2"}]}', False, False, {"1", "2"}),
        ('{"batchItemFailures": [{"itemIdentifier": "9"}]}', False, True, set()),
        ('{"batchItemFailures": [{}]}', False, True, set()),
        ('"text"', False, True, set()),
        ('{"errorType": "E"}', True, True, set()),
        ('{"errorType": "E"}', True, False, set()),
    ],
)
def test_which_messages_are_done_with(payload, failed, partial, done):
    assert succeeded(batch("1", "2"), Result(payload, failed), partial) == done


def test_the_form_of_a_record():
    first = batch("1")["Records"][0]
    assert (first["eventSource"], first["eventSourceARN"], first["awsRegion"]) == ("aws:sqs", QUEUE, "us-east-1")
    assert (first["messageId"], first["receiptHandle"], first["body"]) == ("1", "r1", "b")
