"""Where a notice goes, and what becomes of one that did not arrive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tidegate.model.notices import Channel, Delivery, Notice
from tidegate.notices.events import entry
from tidegate.notices.messages import documented, observed, subject

#: Tries go on for a day, further and further apart; SQS delays a message by at most 15 minutes.
GIVE_UP_AFTER: Final = 86_400.0
FIRST_DELAY: Final = 2.0
LONGEST_DELAY: Final = 900.0

_FORMS: Final = {"observed": observed, "documented": documented}


@dataclass(frozen=True, slots=True)
class Wording:
    """How notices are written.

    Attributes
    ----------
    source : the events' source on the bus; empty: nothing is put on it
    form : of the topics' messages, ``observed`` or ``documented``
    region, account, partition : what ARNs and messages name
    """

    source: str
    form: str
    region: str
    account: str
    partition: str = "aws"


def deliveries_of(notice: Notice, wording: Wording) -> list[Delivery]:
    """The deliveries of a notice: to the bus, and to the topic of each trigger that wants its event."""
    found = [_to_bus(notice, wording)] if wording.source and notice.state else []
    return found + [
        _to_topic(notice, trigger, wording)
        for trigger in notice.deployment.get("triggers", ())
        if notice.event and notice.event in trigger.get("triggerEvents", ()) and trigger.get("triggerTargetArn")
    ]


def put_off(delivery: Delivery, reason: str, now: float, chance: float) -> tuple[Delivery, int] | None:
    """The delivery as it is tried again, and in how many seconds; None once a day has been lost.

    Parameters
    ----------
    chance
        A number in [0, 1) that spreads the tries of rivals.
    """
    since = delivery.since or now
    if now - since >= GIVE_UP_AFTER:
        return None
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(delivery.tried, 20))
    again = replace(delivery, tried=delivery.tried + 1, since=since, reason=reason)
    return again, max(1, int(longest * chance))


def lost(delivery: Delivery, reason: str) -> Delivery:
    """The delivery as it is kept for people; moved back to the queue, it is tried for another day."""
    return replace(delivery, tried=0, since=0.0, reason=reason)


def _to_bus(notice: Notice, wording: Wording) -> Delivery:
    body = entry(notice, wording.source, wording.region, wording.account, wording.partition)
    return Delivery(_id(notice, "bus"), Channel.BUS, "default", notice.deployment["deploymentId"], body)


def _to_topic(notice: Notice, trigger: Mapping[str, Any], wording: Wording) -> Delivery:
    name, topic = str(trigger.get("triggerName", "")), trigger["triggerTargetArn"]
    item = notice.deployment
    notice_id = _id(notice, topic, name)
    attributes = {
        "noticeId": notice_id,
        "triggerEvent": notice.event,
        "applicationName": item["applicationName"],
        "deploymentGroupName": item["deploymentGroupName"],
    }
    message = _FORMS[wording.form](notice, name, wording.region, wording.account)
    body = {
        "Subject": subject(notice, wording.region),
        "Message": json.dumps(message, separators=(",", ":")),
        "attributes": attributes,
    }
    return Delivery(notice_id, Channel.TOPIC, topic, item["deploymentId"], body)


def _id(notice: Notice, *place: str) -> str:
    """The same for the same change and place, however often and by whom it is made."""
    target = notice.target["targetId"] if notice.target else ""
    parts = (notice.deployment["deploymentId"], target, notice.event, notice.state, *place)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
