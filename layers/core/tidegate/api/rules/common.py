"""Checks that several operations share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.model.names import DEPLOYMENT_ID, MAX_DESCRIPTION, MAX_TAG_KEY, MAX_TAG_VALUE

MOST_TAGS: Final = 50


def check_description(description: str | None) -> None:
    """At most 256 characters."""
    if description and len(description) > MAX_DESCRIPTION:
        message = f"'description' may have {MAX_DESCRIPTION} characters; it has {len(description)}."
        raise ApiError("DescriptionTooLongException", message)


def check_deployment_id(deployment_id: str) -> str:
    """``d-`` and nine capital letters or digits."""
    if not DEPLOYMENT_ID.fullmatch(deployment_id):
        message = f"'deploymentId' must be 'd-' and nine capital letters or digits; not {deployment_id[:60]!r}."
        raise ApiError("InvalidDeploymentIdException", message)
    return deployment_id


def check_batch(name: str, values: Sequence[Any], most: int, code: str = "BatchLimitExceededException") -> None:
    """Not more than a call may ask for."""
    if len(values) > most:
        raise ApiError(code, f"'{name}' may hold {most} values in one call; it holds {len(values)}.")


def check_tags(tags: Sequence[Mapping[str, str]], member: str = "tags") -> None:
    """Tags of a resource of ours: at most 50, each key once, keys that are AWS's own refused."""
    code = "InvalidTagsToAddException"
    if len(tags) > MOST_TAGS:
        raise ApiError(code, f"'{member}' may hold {MOST_TAGS} tags; it holds {len(tags)}.")
    for tag in tags:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        if not 1 <= len(key) <= MAX_TAG_KEY or len(value) > MAX_TAG_VALUE:
            message = (
                f"A tag has a key of 1 to {MAX_TAG_KEY} and a value of at most {MAX_TAG_VALUE} characters: {key!r}."
            )
            raise ApiError(code, message)
        if key.lower().startswith("aws:"):
            raise ApiError(code, f"Tag keys that begin with 'aws:' are reserved: {key!r}.")
    if len({tag["Key"] for tag in tags}) < len(tags):
        raise ApiError(code, f"'{member}' holds a key twice; give each key once.")


def check_auto_rollback(configuration: Mapping[str, Any] | None) -> None:
    """Enabled needs at least one event."""
    if configuration and configuration.get("enabled") and not configuration.get("events"):
        message = "'autoRollbackConfiguration' is enabled without 'events'; name at least one."
        raise ApiError("InvalidAutoRollbackConfigException", message)


def check_alarms(name: str, configuration: Mapping[str, Any] | None) -> None:
    """Names present, unlike and short enough; enabled needs at least one; at most 10."""
    alarms = [alarm.get("name", "") for alarm in (configuration or {}).get("alarms", ())]
    code = "InvalidAlarmConfigException"
    if len(alarms) > 10:
        raise ApiError("AlarmsLimitExceededException", f"'{name}' may hold 10 alarms; it holds {len(alarms)}.")
    if not all(1 <= len(alarm) <= 255 for alarm in alarms):
        raise ApiError(code, f"Every alarm of '{name}' needs a name of 1 to 255 characters.")
    if len(set(alarms)) < len(alarms):
        raise ApiError(code, f"'{name}' names an alarm twice.")
    if configuration and configuration.get("enabled") and not alarms:
        raise ApiError(code, f"'{name}' is enabled without alarms; name at least one.")
