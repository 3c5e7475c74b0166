"""DynamoDB Streams on moto: one record a change, as it was at that moment, and no record where nothing changed.

Follows "Change data capture for DynamoDB Streams" in the DynamoDB developer guide. A shard keeps its last records only;
AWS keeps a day's.
"""

from __future__ import annotations

import copy
from typing import Any

from tidegate_local.patches.dynamodb import LOCK
from tidegate_local.patches.hooks import HOOKS

#: Records that a shard keeps.
KEPT = 20_000


def install() -> None:
    """Patch moto's streams."""
    from moto.dynamodb.models.table import StreamShard
    from moto.dynamodbstreams.responses import DynamoDBStreamsHandler

    original_action = DynamoDBStreamsHandler.call_action

    def call_action(self: Any) -> Any:
        # Not in the middle of a transaction.
        with LOCK:
            return original_action(self)

    DynamoDBStreamsHandler.call_action = call_action
    StreamShard.add = _add
    StreamShard.get = _get


def _add(self: Any, old: Any, new: Any) -> None:
    from moto.dynamodb.models.table import StreamRecord

    before, after = (item and copy.deepcopy(item.to_json()["Attributes"]) for item in (old, new))
    if before == after:
        return
    kind = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    number = self.starting_sequence_number + len(self.items)
    view = self.table.stream_specification["StreamViewType"]
    record = StreamRecord(self.table, view, kind, old, new, number)
    images = record.record["dynamodb"]
    for name, image in (("OldImage", before), ("NewImage", after)):
        if name in images:
            images[name] = image
    # An update that makes an item puts its bare keys first.
    last = self.items[-1].record if self.items else None
    if last and kind == last["eventName"] == "INSERT" and last["dynamodb"]["Keys"] == images["Keys"]:
        images["SequenceNumber"] = last["dynamodb"]["SequenceNumber"]
        self.items[-1] = record
    else:
        self.items.append(record)
    if len(self.items) > KEPT:
        gone = len(self.items) - KEPT // 2
        del self.items[:gone]
        self.starting_sequence_number += gone
    HOOKS.stream_changed(self.table.name)


def _get(self: Any, start: int, quantity: int) -> list[dict[str, Any]]:
    first = max(0, start - self.starting_sequence_number)
    return [record.to_json() for record in self.items[first : first + quantity]]
