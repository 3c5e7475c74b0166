"""NotifySubscribers: tell topics and the event bus of the changes that the table's stream brings.

What is told is derived from the very writes that changed the state, so a handler that dies after its write loses
nothing. What a place does not take now goes to a queue and comes back here; what it refuses for good is kept for
people. Neither holds up the others, nor any deployment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.gateways.notices import chunks
from tidegate.model.notices import Channel, Delivery, Failure, Notice
from tidegate.notices import deliveries_of, deployment_notices, lost, put_off, target_change, target_notice
from tidegate.notify_runtime import NotifyRuntime
from tidegate.store.deployment_items import deployment_key
from tidegate.store.marshal import unmarshal
from tidegate.store.table import Item, Key

logger = Logger()

#: SQS takes messages of up to 256 KB.
_LONGEST_MESSAGE = 200_000


def run(event: dict[str, Any], runtime: NotifyRuntime) -> None:
    """Tell what a batch of the stream, or of the queue of undelivered notices, holds.

    Raises
    ------
    GatewayError, TableError
        Nothing could be read, or what was not taken could not be kept: the whole batch comes again.
    """
    records = event["Records"]
    if records and records[0]["eventSource"] == "aws:sqs":
        deliveries = undelivered(records, runtime)
    else:
        deliveries = deliveries_from(records, runtime)
    failures = deliver(deliveries, runtime)
    for failure in failures:
        keep(failure, runtime)
    logger.info("notices", records=len(records), deliveries=len(deliveries), failed=len(failures))


@dataclass(frozen=True, slots=True)
class Change:
    """An item before and after a write; ``target`` tells whether it is a target's, with something to tell."""

    record: Mapping[str, Any]
    old: Item | None
    new: Item
    target: bool


def deliveries_from(records: Sequence[Mapping[str, Any]], runtime: NotifyRuntime) -> list[Delivery]:
    """What the records of the stream give to tell, in their order."""
    changes: list[Change] = []
    for record in records:
        with stopped_by_nothing(record, runtime):
            changes += change_of(record)
    # Targets know their deployment's id only.
    ids = {change.new["PK"].removeprefix("DEP#") for change in changes if change.target}
    deployments = runtime.table.get_many(map(deployment_key, sorted(ids))) if ids else {}
    found: list[Delivery] = []
    for change in changes:
        with stopped_by_nothing(change.record, runtime):
            for notice in notices(change, deployments):
                found += deliveries_of(notice, runtime.wording)
    return found


def change_of(record: Mapping[str, Any]) -> list[Change]:
    """The change that a record tells of; none where the item was taken away."""
    images = record["dynamodb"]
    if "NewImage" not in images:
        return []
    old = unmarshal(images["OldImage"]) if "OldImage" in images else None
    new = unmarshal(images["NewImage"])
    return [Change(record, old, new, new["SK"] != "DEP" and target_change(old, new) is not None)]


def notices(change: Change, deployments: Mapping[Key, Item]) -> list[Notice]:
    """What a change gives to tell."""
    if change.new["SK"] == "DEP":
        return deployment_notices(change.old, change.new)
    deployment = deployments.get((change.new["PK"], "DEP")) if change.target else None
    notice = target_notice(change.old, change.new, deployment) if deployment else None
    return [notice] if notice else []


@contextmanager
def stopped_by_nothing(record: Mapping[str, Any], runtime: NotifyRuntime) -> Iterator[None]:
    """Keep a record that cannot be understood for people, and go on: the stream would wait for it all day."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError):
        logger.exception("a record of the stream cannot be told")
        runtime.queues.lose(json.dumps(record, default=str)[:_LONGEST_MESSAGE])


def undelivered(records: Sequence[Mapping[str, Any]], runtime: NotifyRuntime) -> list[Delivery]:
    """The deliveries that come from the queue; a message that is none is kept for people."""
    found: list[Delivery] = []
    for record in records:
        try:
            found.append(Delivery.from_json(record["body"]))
        except ValueError:
            logger.exception("a message of the queue is no undelivered notice")
            runtime.queues.lose(record["body"])
    return found


def deliver(deliveries: Sequence[Delivery], runtime: NotifyRuntime) -> list[Failure]:
    """Send to each place, in order; one that does not answer is not asked again in this call."""
    by_place: dict[tuple[Channel, str], list[Delivery]] = {}
    for each in deliveries:
        by_place.setdefault((each.channel, each.to), []).append(each)
    failures: list[Failure] = []
    for (channel, _), its in by_place.items():
        door = runtime.topics if channel is Channel.TOPIC else runtime.bus
        unavailable = ""
        for part in chunks(its):
            if unavailable:
                failures += [Failure(each, unavailable, passing=True) for each in part]
                continue
            failed = door.send(part)
            failures += failed
            unavailable = next((each.reason for each in failed if each.passing), "")
    return failures


def keep(failure: Failure, runtime: NotifyRuntime) -> None:
    """Have what did not arrive tried again, or kept for people."""
    delivery = failure.delivery
    again = put_off(delivery, failure.reason, runtime.clock(), runtime.chance()) if failure.passing else None
    if again is None:
        logger.error("a notice is lost", to=delivery.to, deploymentId=delivery.deployment_id, reason=failure.reason)
        runtime.queues.lose(lost(delivery, failure.reason).to_json())
    else:
        logger.warning(
            "a notice is put off", to=delivery.to, deploymentId=delivery.deployment_id, reason=failure.reason
        )
        runtime.queues.again(*again)


_runtime = cache(NotifyRuntime)


def handler(event: dict[str, Any], _context: object) -> None:
    """Lambda's entry."""
    run(event, _runtime())
