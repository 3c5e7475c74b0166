"""NotifySubscribers over an account in virtual time: its table's stream, and doors that remember what came."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from functions.notify_subscribers import app
from tests.unit.functions.world import ENV, RecordingTable

from tidegate.model.notices import Delivery, Failure
from tidegate.notify_runtime import NotifyRuntime
from tidegate.store.table import Item, Key
from tidegate.store.values import storable

MORE_ENV = {
    "TIDEGATE_NOTIFICATION_SOURCE": "tidegate",
    "TIDEGATE_TRIGGER_MESSAGE_FORMAT": "observed",
    "TIDEGATE_UNDELIVERED_NOTICES": "https://sqs/undelivered",
    "TIDEGATE_LOST_NOTICES": "https://sqs/lost",
}
_SERIALIZER = TypeSerializer()


def image(item: Item) -> dict[str, Any]:
    return {name: _SERIALIZER.serialize(storable(value)) for name, value in item.items()}


def record(old: Item | None, new: Item | None) -> dict[str, Any]:
    """A record of the stream."""
    kept = new or old or {}
    images = {"OldImage": old and image(old), "NewImage": new and image(new)}
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    keys = {key: {"S": kept[key]} for key in ("PK", "SK")}
    return {
        "eventName": name,
        "eventSource": "aws:dynamodb",
        "dynamodb": {"Keys": keys, **{key: value for key, value in images.items() if value}},
    }


class StreamingTable(RecordingTable):
    """A table with a stream: every change of an item, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.stream: list[tuple[Item | None, Item | None]] = []

    def _store(self, key: Key, item: Item | None, as_bytes: bytes | None = None) -> None:
        old = self._items.get(key)
        super()._store(key, item, as_bytes)
        if old != item and key[0].startswith("DEP#"):
            self.stream.append((old, item))


class Door:
    """Takes everything, unless told otherwise."""

    def __init__(self) -> None:
        self.got: list[Delivery] = []
        self.calls: list[str] = []
        self.fails: Callable[[Delivery], Failure | None] = lambda _delivery: None

    def send(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        self.calls.append(deliveries[0].to)
        failures = [failure for each in deliveries if (failure := self.fails(each))]
        failed = [failure.delivery for failure in failures]
        self.got += [each for each in deliveries if each not in failed]
        return failures


class Queues:
    def __init__(self) -> None:
        self.put_off: list[tuple[Delivery, int]] = []
        self.lost: list[str] = []

    def again(self, delivery: Delivery, seconds: int) -> None:
        self.put_off.append((delivery, seconds))

    def lose(self, text: str) -> None:
        self.lost.append(text)


class Subscribers:
    """The function, and what came of it."""

    def __init__(self, table: Any, now: float = 1_764_000_100.0) -> None:
        self.topics, self.bus, self.queues = Door(), Door(), Queues()
        self.runtime = NotifyRuntime({**ENV, **MORE_ENV})
        for name, port in {"table": table, "topics": self.topics, "bus": self.bus, "queues": self.queues}.items():
            setattr(self.runtime, name, port)
        self.runtime.clock = lambda: now
        self.runtime.chance = lambda: 0.5

    def tell(self, records: Sequence[dict[str, Any]]) -> None:
        app.run({"Records": list(records)}, self.runtime)

    def again(self, *bodies: str) -> None:
        """Messages from the queue of undelivered notices."""
        app.run({"Records": [{"eventSource": "aws:sqs", "messageId": b[:9], "body": b} for b in bodies]}, self.runtime)

    def states(self, deployment_id: str) -> list[tuple[str, str]]:
        """What the bus was told: state and instance."""
        details = [each.body["Detail"] for each in self.bus.got if each.deployment_id == deployment_id]
        return [(detail["state"], detail.get("instanceId", "")) for detail in details]

    def events(self, deployment_id: str) -> list[str]:
        """The triggers' events that topics were told, in order."""
        found = [each for each in self.topics.got if each.deployment_id == deployment_id]
        assert all(json.loads(each.body["Message"])["deploymentId"] == deployment_id for each in found)
        return [each.body["attributes"]["triggerEvent"] for each in found]
