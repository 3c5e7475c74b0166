"""Notices: what subscribers are told of a deployment, and one telling of it to one place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Channel(StrEnum):
    """By what a notice travels."""

    TOPIC = "topic"  # Amazon SNS
    BUS = "bus"  # Amazon EventBridge


@dataclass(frozen=True, slots=True)
class Notice:
    """A change of a deployment's or a target's status that is told.

    Attributes
    ----------
    event : the trigger's event (API: TriggerEventType), such as ``DeploymentStart``; empty where triggers have none
    state : the word of the event bus, such as ``START``; empty where the bus has none
    deployment : the deployment's item
    target : the target's item; None for a change of the deployment
    time : when it changed, epoch seconds
    """

    event: str
    state: str
    deployment: Mapping[str, Any]
    target: Mapping[str, Any] | None
    time: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice, written out for one place.

    Attributes
    ----------
    notice_id : the same however often it is sent, so that receivers can tell a repeat
    channel, to : a topic and its ARN, or the event bus and its name
    body : ``Subject``, ``Message`` and ``attributes`` for a topic; ``Source``, ``DetailType``, ``Resources``,
        ``Detail`` and ``Time`` (epoch seconds) for the bus
    tried : how often it was put off
    since : when it first failed, epoch seconds; 0 when it has not
    reason : why it failed last
    """

    notice_id: str
    channel: Channel
    to: str
    deployment_id: str
    body: Mapping[str, Any]
    tried: int = 0
    since: float = 0.0
    reason: str = ""

    def to_json(self) -> str:
        """As the queues of undelivered and lost notices hold it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Delivery:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            It is something else.
        """
        try:
            found = json.loads(text)
            return cls(**{**found, "channel": Channel(found["channel"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"This is not an undelivered notice: {text[:200]!r}") from error


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that a place did not take; ``passing``: worth another try without anybody's doing."""

    delivery: Delivery
    reason: str
    passing: bool
