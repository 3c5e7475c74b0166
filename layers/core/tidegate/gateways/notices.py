"""Where notices go: SNS topics, the event bus, and the queues of those that did not arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from tidegate.gateways.errors import THROTTLES, UnavailableError, error_code, translated
from tidegate.model.notices import Delivery, Failure

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

_BATCH: Final = 10
#: A call of PublishBatch, PutEvents or SendMessageBatch may hold 256 KB.
_BATCH_BYTES: Final = 240_000
_PASSING: Final = THROTTLES | {
    "InternalError",
    "InternalErrorException",
    "InternalException",
    "InternalFailure",
    "RequestExpired",
    "ServiceUnavailable",
}


def chunks(deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """Parts that one call may hold."""
    part: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        bytes_ = len(delivery.to_json().encode()) + 500
        if part and (len(part) == _BATCH or size + bytes_ > _BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(delivery)
        size += bytes_
    if part:
        yield part


class Topics:
    """SNS topics."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        """Publish to one topic, at most ten at once; what the topic did not take is told, nothing is raised."""
        topic = deliveries[0].to
        entries: Any = [_published(f"n{i}", each) for i, each in enumerate(deliveries)]
        try:
            answer = self._client.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        except (ClientError, BotoCoreError) as error:
            return _all_failed(deliveries, error)
        failed = {each["Id"]: each for each in answer.get("Failed", ())}
        return [
            _failure(each, failed[f"n{i}"]["Code"], failed[f"n{i}"].get("Message", ""))
            for i, each in enumerate(deliveries)
            if f"n{i}" in failed
        ]


class Bus:
    """The default event bus."""

    def __init__(self, client: EventBridgeClient) -> None:
        self._client = client

    def send(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        """Put at most ten events; what the bus did not take is told, nothing is raised."""
        entries: Any = [_event(each) for each in deliveries]
        try:
            answer = self._client.put_events(Entries=entries)
        except (ClientError, BotoCoreError) as error:
            return _all_failed(deliveries, error)
        return [
            _failure(delivery, result["ErrorCode"], result.get("ErrorMessage", ""))
            for delivery, result in zip(deliveries, answer["Entries"], strict=True)
            if result.get("ErrorCode")
        ]


class NoticeQueues:
    """The queue of notices to be tried again, and the queue of those that only people can help.

    Parameters
    ----------
    undelivered, lost
        URLs of the queues.
    """

    def __init__(self, client: SQSClient, undelivered: str, lost: str) -> None:
        self._client, self._undelivered, self._lost = client, undelivered, lost

    def again(self, delivery: Delivery, seconds: int) -> None:
        """Have a delivery tried again after so many seconds (at most 900)."""
        self._send(self._undelivered, delivery.to_json(), seconds)

    def lose(self, text: str) -> None:
        """Keep what could not be told."""
        self._send(self._lost, text, 0)

    def _send(self, url: str, text: str, seconds: int) -> None:
        with translated("keeping an undelivered notice"):
            if not url:
                raise UnavailableError("the queue's URL is not set")
            self._client.send_message(QueueUrl=url, MessageBody=text, DelaySeconds=seconds)


def _published(entry_id: str, delivery: Delivery) -> dict[str, Any]:
    body = delivery.body
    entry = {
        "Id": entry_id,
        "Subject": body["Subject"],
        "Message": body["Message"],
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in body["attributes"].items()
        },
    }
    if delivery.to.endswith(".fifo"):
        entry["MessageGroupId"], entry["MessageDeduplicationId"] = delivery.deployment_id, delivery.notice_id
    return entry


def _event(delivery: Delivery) -> dict[str, Any]:
    body = delivery.body
    return {
        **{name: body[name] for name in ("Source", "DetailType", "Resources")},
        "Detail": json.dumps(body["Detail"]),
        "Time": datetime.fromtimestamp(body["Time"], UTC),
    }


def _all_failed(deliveries: Sequence[Delivery], error: ClientError | BotoCoreError) -> list[Failure]:
    if not isinstance(error, ClientError):  # it could not be reached
        passing = not isinstance(error, ParamValidationError)
        return [Failure(each, str(error), passing) for each in deliveries]
    told = error.response.get("Error", {}).get("Message", "")
    server = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500
    return [_failure(each, error_code(error), told, server=server) for each in deliveries]


def _failure(delivery: Delivery, code: str, told: str, *, server: bool = False) -> Failure:
    return Failure(delivery, f"{code}: {told}", passing=server or code in _PASSING)
