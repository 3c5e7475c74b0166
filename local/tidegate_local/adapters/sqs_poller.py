"""Feed functions from SQS queues.

Stands in for Lambda's event source mappings ("Using Lambda with Amazon SQS" in the Lambda developer guide): batches, a
batching window, partial failures, and the queue's own visibility time-out and redrive for what failed.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from tidegate_local.adapters.lambda_workers import LambdaWorkers, Result
from tidegate_local.resources.registry import QueueFeed

_LOG = logging.getLogger(__name__)
_WAIT_SECONDS = 5


class SqsPoller:
    """One thread that feeds one function.

    Parameters
    ----------
    feed
        The queue, the function, and how.
    client
        A boto3 client of SQS.
    workers
        Runs the function.
    """

    def __init__(self, feed: QueueFeed, client: Any, workers: LambdaWorkers) -> None:
        self._feed = feed
        self._client = client
        self._workers = workers
        self._url = client.get_queue_url(QueueName=feed.queue_arn.rsplit(":", 1)[-1])["QueueUrl"]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"feed-{feed.function}", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it does when its poll returns."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                batch = self._gather()
                if batch and not self._stopped.is_set():
                    self._hand_over(batch)
            except Exception:
                if self._stopped.is_set():
                    return
                _LOG.exception("the queue %s could not be polled", self._feed.queue_arn)
                self._stopped.wait(1.0)

    def _gather(self) -> list[dict[str, Any]]:
        """Receive up to a batch: what is there, or what comes within the window of the first message."""
        batch = self._receive(min(10, self._feed.batch_size), _WAIT_SECONDS)
        until = time.monotonic() + self._feed.window_seconds
        while batch and len(batch) < self._feed.batch_size and not self._stopped.is_set():
            more = self._receive(min(10, self._feed.batch_size - len(batch)), 0)
            batch += more
            left = until - time.monotonic()
            if not more and (left <= 0 or self._stopped.wait(min(left, 0.05))):
                break
        return batch

    def _receive(self, number: int, wait: int) -> list[dict[str, Any]]:
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=number,
            WaitTimeSeconds=wait,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def _hand_over(self, batch: Sequence[dict[str, Any]]) -> None:
        event = {"Records": [record(message, self._feed.queue_arn) for message in batch]}
        done = succeeded(event, self._workers.invoke(self._feed.function, event), self._feed.partial_failures)
        for message in batch:
            if message["MessageId"] in done:
                # What is not deleted comes back after the queue's visibility time-out.
                self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])


def record(message: dict[str, Any], queue_arn: str) -> dict[str, Any]:
    """Give a message in the form in which Lambda hands it to a function."""
    attributes = {
        name: {
            "stringValue": value.get("StringValue"),
            "dataType": value["DataType"],
            "stringListValues": [],
            "binaryListValues": [],
        }
        for name, value in message.get("MessageAttributes", {}).items()
    }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }


def succeeded(event: dict[str, Any], result: Result, partial: bool) -> set[str]:
    """Give the ids of the messages a call dealt with; none when the call failed or its answer is not understood."""
    ids = {str(r["messageId"]) for r in event["Records"]}
    if result.failed:
        return set()
    answer = json.loads(result.payload)
    if not partial or answer is None:
        return ids
    try:
        failed = {str(item["itemIdentifier"]) for item in (answer.get("batchItemFailures") or [])}
    except (AttributeError, KeyError, TypeError):
        return set()
    return ids - failed if failed <= ids else set()
