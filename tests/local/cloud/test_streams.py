"""Streams of tables, and the functions that they feed."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from tests.local.cloud.conftest import eventually
from tests.local.cloud.test_template import provision

from tidegate_local.adapters.lambda_workers import Result
from tidegate_local.adapters.stream_poller import StreamPoller, plain, wanted
from tidegate_local.resources.registry import StreamFeed
from tidegate_local.template import TemplateError

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:lost"


# -- moto, put right --------------------------------------------------------------------------------------------------


@pytest.fixture
def table(cloud):
    """A new table with a stream; gives its name and how to read the stream from its beginning."""
    name, client, streams = f"t-{uuid.uuid4().hex[:8]}", cloud.client("dynamodb"), cloud.client("dynamodbstreams")
    made = client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    arn = made["TableDescription"]["LatestStreamArn"]

    def read():
        shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        records = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
        return [(r["eventName"], r["dynamodb"].get("OldImage"), r["dynamodb"].get("NewImage")) for r in records]

    return name, read


def add(cloud, name, key="a"):
    cloud.client("dynamodb").update_item(
        TableName=name,
        Key={"PK": {"S": key}},
        UpdateExpression="ADD n :one, words :w",
        ExpressionAttributeValues={":one": {"N": "1"}, ":w": {"SS": ["x"]}},
    )


@pytest.mark.local
def test_images_are_those_of_the_moment(cloud, table):
    name, read = table
    add(cloud, name)
    add(cloud, name)
    cloud.client("dynamodb").delete_item(TableName=name, Key={"PK": {"S": "a"}})
    first, second = ({"PK": {"S": "a"}, "n": {"N": n}, "words": {"SS": ["x"]}} for n in "12")
    assert read() == [("INSERT", None, first), ("MODIFY", first, second), ("REMOVE", second, None)]


@pytest.mark.local
def test_a_write_that_changes_nothing_has_no_record(cloud, table):
    name, read = table
    item = {"PK": {"S": "a"}, "cells": {"B": b"\x00\xff"}, "deep": {"M": {"l": {"L": [{"N": "1"}]}}}}
    for _ in range(3):
        cloud.client("dynamodb").put_item(TableName=name, Item=item)
    assert read() == [("INSERT", None, item)]


@pytest.mark.local
def test_a_cancelled_transaction_has_no_record(cloud, table):
    name, read = table
    put = {"Put": {"TableName": name, "Item": {"PK": {"S": "a"}}}}
    never = {"ConditionCheck": {"TableName": name, "Key": {"PK": {"S": "b"}}, "ConditionExpression": "n = :n",
                                "ExpressionAttributeValues": {":n": {"N": "1"}}}}  # fmt: skip
    with pytest.raises(cloud.client("dynamodb").exceptions.TransactionCanceledException):
        cloud.client("dynamodb").transact_write_items(TransactItems=[put, never])
    assert read() == []


@pytest.mark.local
def test_topics_can_be_throttled(cloud):
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=f"t-{uuid.uuid4().hex[:8]}")["TopicArn"]
    cloud.faults(throttle={"sns:PublishBatch": 1})
    entries = [{"Id": "1", "Message": "m"}]
    with pytest.raises(sns.exceptions.ThrottledException) as caught:
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert [each["Id"] for each in sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Successful"]]


# -- the poller -------------------------------------------------------------------------------------------------------


class Streams:
    """A stream of one shard, and a queue for what was given up."""

    def __init__(self, *keys):
        self.records = [record(number, key) for number, key in enumerate(keys)]
        self.given_up = []

    def __call__(self, _service):
        return self

    def describe_stream(self, StreamArn):
        return {"StreamDescription": {"Shards": [{"ShardId": "s"}]}}

    def get_shard_iterator(self, ShardIteratorType, **_):
        return {"ShardIterator": "0" if ShardIteratorType == "TRIM_HORIZON" else str(len(self.records))}

    def get_records(self, ShardIterator, Limit):
        found = self.records[int(ShardIterator) :][:Limit]
        return {"Records": found, "NextShardIterator": str(int(ShardIterator) + len(found))}

    def get_queue_url(self, QueueName):
        return {"QueueUrl": QueueName}

    def send_message(self, QueueUrl, MessageBody):
        self.given_up.append((QueueUrl, json.loads(MessageBody)))


def record(number, key, age=0.0):
    return {
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"SK": {"S": key}},
            "SequenceNumber": str(number),
            "ApproximateCreationDateTime": time.time() - age,
        },
    }


class Workers:
    """A function that fails while a batch holds one of the keys, so many times."""

    def __init__(self, **fails):
        self.fails, self.batches, self.done = fails, [], []

    def invoke(self, _function, event):
        keys = [each["dynamodb"]["Keys"]["SK"]["S"] for each in event["Records"]]
        self.batches.append(keys)
        for key in keys:
            if self.fails.get(key, 0) > 0:
                self.fails[key] -= 1
                return Result("{}", True)
        self.done += keys
        return Result("null", False)


def feed(**more):
    settings = {"batch_size": 4, "window_seconds": 0.0, "filters": (), "bisect": True, "max_retries": -1}
    settings |= {"max_age_seconds": -1.0, "on_failure": QUEUE, "starting_position": "TRIM_HORIZON", **more}
    return StreamFeed(STREAM, "f", **settings)


def fed(streams, workers, done, **more):
    poller = StreamPoller(feed(**more), streams, workers)
    poller.start()
    try:
        eventually(done)
    finally:
        poller.stop()
    return poller


def test_what_was_there_comes_in_order_and_in_batches():
    workers = Workers()
    fed(Streams(*"abcdef"), workers, lambda: len(workers.done) == 6)
    assert workers.batches == [["a", "b", "c", "d"], ["e", "f"]]


def test_only_what_a_filter_lets_through_counts_towards_a_batch():
    workers = Workers()
    pattern = '{"dynamodb": {"Keys": {"SK": {"S": [{"prefix": "T#"}, "DEP"]}}}}'
    fed(Streams("T#1", "x", "DEP", "y", "T#2", "DEPENDS"), workers, lambda: len(workers.done) == 3, filters=(pattern,))
    assert workers.batches == [["T#1", "DEP", "T#2"]]


def test_what_comes_later_wakes_the_poller():
    streams, workers = Streams("a"), Workers()
    poller = StreamPoller(feed(), streams, workers)
    poller.start()
    eventually(lambda: workers.done == ["a"])
    streams.records.append(record(1, "b"))
    poller.changed("another")
    poller.changed("t")
    eventually(lambda: workers.done == ["a", "b"])
    poller.stop()


def test_a_batch_that_fails_is_halved_until_the_one_is_found():
    workers = Workers(c=3)
    fed(Streams(*"abcd"), workers, lambda: workers.done == ["a", "b", "c", "d"])
    assert workers.batches == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["c"], ["d"]]


def test_what_was_tried_often_enough_is_told_and_the_rest_goes_on():
    streams, workers = Streams(*"ab"), Workers(a=99)
    fed(streams, workers, lambda: workers.done == ["b"], batch_size=1, max_retries=1)
    ((queue, told),) = streams.given_up
    assert (queue, told["requestContext"]["approximateInvokeCount"]) == ("lost", 2)
    assert told["DDBStreamBatchInfo"] == {
        "streamArn": STREAM, "startSequenceNumber": "0", "endSequenceNumber": "0", "batchSize": 1,
    }  # fmt: skip


def test_what_is_too_old_is_not_tried_again():
    streams, workers = Streams("a"), Workers(old=99)
    streams.records.insert(0, record(0, "old", age=100))
    fed(streams, workers, lambda: workers.done == ["a"], batch_size=1, max_age_seconds=60)
    assert workers.batches == [["old"], ["a"]]
    assert len(streams.given_up) == 1


def test_records_as_a_function_gets_them():
    assert plain({"a": [b"\x00\xff", {"b": "c"}], "n": 1}) == {"a": ["AP8=", {"b": "c"}], "n": 1}
    assert wanted(())({"anything": 1})


MAPPING = {"EventSourceArn": STREAM, "FunctionName": "f", "StartingPosition": "LATEST"}


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({**MAPPING, "EventSourceArn": "arn:aws:kinesis:us-east-1:1:stream/s"}, "only SQS queues and tables' streams"),
        ({**MAPPING, "FunctionResponseTypes": ["ReportBatchItemFailures"]}, "FunctionResponseTypes: the local cloud"),
        ({**MAPPING, "FilterCriteria": {"Filter": []}}, "FilterCriteria.Filter is not known"),
        ({**MAPPING, "TumblingWindowInSeconds": 5}, "TumblingWindowInSeconds is not known"),
        ({"EventSourceArn": QUEUE, "FunctionName": "f", "StartingPosition": "LATEST"}, "of tables' streams only"),
    ],
)
def test_mappings_that_are_refused(properties, text, tmp_path):
    with pytest.raises(TemplateError, match=text):
        provision({"A": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}}, tmp_path)
