"""Triggers of deployment groups (AWS: "Monitoring deployments with Amazon SNS event notifications")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.errors import ApiError

_BAD: Final = "InvalidTriggerConfigException"
_MOST: Final = 10
_LONGEST_NAME: Final = 256
_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")


def check_triggers(triggers: Sequence[Mapping[str, Any]]) -> None:
    """Check what one call gives: at most 10, each with a name of its own, a topic and at least one event.

    The events' names are checked against the service model before.
    """
    if len(triggers) > _MOST:
        message = f"'triggerConfigurations' may hold {_MOST} triggers; it holds {len(triggers)}."
        raise ApiError("TriggerTargetsLimitExceededException", message)
    seen: set[str] = set()
    for position, trigger in enumerate(triggers):
        _check_trigger(f"triggerConfigurations[{position}]", trigger, seen)


def check_triggers_fit(triggers: Sequence[Mapping[str, Any]], platform: str) -> None:
    """Only servers have instances to tell of."""
    if platform == "Server":
        return
    for trigger in triggers:
        for event in trigger.get("triggerEvents", ()):
            if event.startswith("Instance"):
                message = (
                    f"The trigger '{trigger['triggerName']}' asks for {event}; platform {platform} has no instances."
                )
                raise ApiError(_BAD, message)


def _check_trigger(path: str, trigger: Mapping[str, Any], seen: set[str]) -> None:
    name, topic = trigger.get("triggerName") or "", trigger.get("triggerTargetArn") or ""
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise ApiError(_BAD, f"'{path}.triggerName' must have 1 to {_LONGEST_NAME} characters; not {len(name)}.")
    if name in seen:
        raise ApiError(_BAD, f"'triggerConfigurations' names the trigger {name[:80]!r} twice.")
    seen.add(name)
    if not _TOPIC.fullmatch(topic):
        message = f"'{path}.triggerTargetArn' must be the ARN of a standard SNS topic; not {topic[:120]!r}."
        raise ApiError(_BAD, message)
    if not trigger.get("triggerEvents"):
        raise ApiError(_BAD, f"'{path}.triggerEvents' is empty; name at least one event.")
