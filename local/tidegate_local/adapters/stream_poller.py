"""Feed functions from the streams of DynamoDB tables.

Stands in for Lambda's event source mappings ("Using Lambda with Amazon DynamoDB" in the Lambda developer guide):
filters, batches, a batching window; a batch that fails is halved or tried again until it is too old or was tried too
often, and then told to the destination for failures. One shard, so everything comes in order.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tidegate_local.adapters.lambda_workers import LambdaWorkers
from tidegate_local.resources.registry import StreamFeed

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
Records = list[dict[str, Any]]


class StreamPoller:
    """One thread that feeds one function.

    Parameters
    ----------
    feed
        The stream, the function, and how.
    client
        Gives the administrator's boto3 client of a service.
    workers
        Runs the function.
    """

    def __init__(self, feed: StreamFeed, client: Callable[[str], Any], workers: LambdaWorkers) -> None:
        self._feed = feed
        self._streams = client("dynamodbstreams")
        self._client = client
        self._workers = workers
        self._wanted = wanted(feed.filters)
        self._changed = threading.Event()
        self._stopped = threading.Event()
        self._iterator = ""
        self._thread = threading.Thread(target=self._run, name=f"stream-{feed.function}", daemon=True)

    def start(self) -> None:
        """Begin to read, with what came since the stream began."""
        shard = self._streams.describe_stream(StreamArn=self._feed.stream_arn)["StreamDescription"]["Shards"][0]
        found = self._streams.get_shard_iterator(
            StreamArn=self._feed.stream_arn, ShardId=shard["ShardId"], ShardIteratorType=self._feed.starting_position
        )
        self._iterator = found["ShardIterator"]
        self._changed.set()
        self._thread.start()

    def changed(self, table: str) -> None:
        """Something was written into a table."""
        if table == self._feed.stream_arn.split("/")[1]:
            self._changed.set()

    def stop(self) -> None:
        """Ask the thread to end; it does when its call returns."""
        self._stopped.set()
        self._changed.set()

    def _run(self) -> None:
        while True:
            self._changed.wait()
            if self._stopped.is_set():
                return
            try:
                batch = self._gather()
                if batch:
                    self._hand_over(batch)
            except Exception:
                if self._stopped.is_set():
                    return
                _LOG.exception("the stream %s could not be read", self._feed.stream_arn)
                self._stopped.wait(1.0)

    def _gather(self) -> Records:
        """Read up to a batch of what the filters let through: what comes within the window of the first record."""
        batch: Records = []
        until = time.monotonic() + self._feed.window_seconds
        while len(batch) < self._feed.batch_size and not self._stopped.is_set():
            self._changed.clear()
            answer = self._streams.get_records(
                ShardIterator=self._iterator, Limit=min(1000, self._feed.batch_size - len(batch))
            )
            self._iterator = answer["NextShardIterator"]
            had_none = not batch
            batch += [each for each in map(self._record, answer["Records"]) if self._wanted(each)]
            if answer["Records"]:
                self._changed.set()  # there may be more
                if had_none and batch:
                    until = time.monotonic() + self._feed.window_seconds
                continue
            left = until - time.monotonic()
            if not batch or left <= 0 or not self._changed.wait(left):
                break
        return batch

    def _record(self, found: Mapping[str, Any]) -> dict[str, Any]:
        return {**plain(found), "eventSourceARN": self._feed.stream_arn}

    def _hand_over(self, batch: Records) -> None:
        tried, pause = 0, _FIRST_PAUSE
        while not self._stopped.is_set():
            result = self._workers.invoke(self._feed.function, {"Records": batch})
            if not result.failed:
                return
            tried += 1
            if self._given_up(batch, tried):
                self._discard(batch, tried)
                return
            self._stopped.wait(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)
            if self._feed.bisect and len(batch) > 1:
                middle = len(batch) // 2
                self._hand_over(batch[:middle])
                self._hand_over(batch[middle:])
                return

    def _given_up(self, batch: Records, tried: int) -> bool:
        age = time.time() - batch[0]["dynamodb"]["ApproximateCreationDateTime"]
        feed = self._feed
        return 0 <= feed.max_retries < tried or 0 <= feed.max_age_seconds < age

    def _discard(self, batch: Records, tried: int) -> None:
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        info = {
            "requestContext": {"functionArn": self._feed.function, "approximateInvokeCount": tried},
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(),
            "DDBStreamBatchInfo": {
                "streamArn": self._feed.stream_arn,
                "startSequenceNumber": numbers[0],
                "endSequenceNumber": numbers[-1],
                "batchSize": len(batch),
            },
        }
        if not self._feed.on_failure:
            return
        sqs = self._client("sqs")
        url = sqs.get_queue_url(QueueName=self._feed.on_failure.rsplit(":", 1)[-1])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(info))


def wanted(filters: Sequence[str]) -> Callable[[Mapping[str, Any]], bool]:
    """Tell whether any of the patterns fits a record; all do where there is none."""
    from moto.events.models import EventPattern

    patterns = [EventPattern.load(text) for text in filters]
    return lambda record: not patterns or any(pattern.matches_event(record) for pattern in patterns)


def plain(value: Any) -> Any:
    """A record as Lambda hands it to a function: bytes in Base64, times in epoch seconds."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    return value
