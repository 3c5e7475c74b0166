"""SNS messages in CodeDeploy's words (AWS: "JSON data formats for CodeDeploy triggers").

Two forms. *Observed* is what CodeDeploy really sends, and what existing receivers parse: statuses in capitals, times as
text, and overview, error, rollback and lifecycle events as JSON text within the JSON. *Documented* is the form of the
user guide: statuses as in the API, times as epoch seconds, nested objects; every value a string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tidegate.model.notices import Notice

_COUNTS: Final = ("Succeeded", "Failed", "Skipped", "InProgress", "Pending")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: SNS: "must be less than 100 characters long".
_LONGEST_SUBJECT: Final = 99
#: A message may have 256 KB, ten of them together too.
_LONGEST_REASON: Final = 4000

Message = dict[str, Any]


def subject(notice: Notice, region: str) -> str:
    """The subject, as CodeDeploy writes it; cut to what SNS allows.

    >>> item = {"deploymentId": "d-ABCDEF123", "applicationName": "shop", "status": "InProgress"}
    >>> subject(Notice("DeploymentRollback", "", item, None, 0.0), "us-east-1")
    'IN_PROGRESS: AWS CodeDeploy d-ABCDEF123 in us-east-1 to shop'
    """
    target = notice.target
    to = target["targetId"] if target else notice.deployment["applicationName"]
    status = capitals(_status(notice))
    text = f"{status}: AWS CodeDeploy {notice.deployment['deploymentId']} in {region} to {to}"
    return text if len(text) <= _LONGEST_SUBJECT else f"{text[: _LONGEST_SUBJECT - 3]}..."


def observed(notice: Notice, trigger: str, region: str, account: str) -> Message:
    """The message as CodeDeploy really sends it."""
    head: Message = {"region": region, "accountId": account, "eventTriggerName": trigger}
    item, target = notice.deployment, notice.target
    if target:
        events = [_event(each, _clock) for each in target["lifecycleEvents"]]
        return head | {
            "deploymentId": item["deploymentId"],
            "instanceId": target["targetArn"],
            "lastUpdatedAt": _clock(target["lastUpdatedAt"]),
            "instanceStatus": capitals(target["status"]),
            "lifecycleEvents": _text(events),
        }
    ended = "completeTime" in item
    message = head | _names(item) | {"createTime": _clock(item["createTime"])}
    message["completeTime"] = _clock(item["completeTime"]) if ended else None
    if ended:
        message["deploymentOverview"] = _text({name: int(_overview(item, name)) for name in _COUNTS})
    message["status"] = capitals(_status(notice))
    if item.get("error"):
        message["errorInformation"] = _text(_error(item))
    # A failure has the member even where nothing is rolled back.
    if item.get("rollback") or item.get("error"):
        message["rollbackInformation"] = _text(_rollback(item))
    return message


def documented(notice: Notice, trigger: str, region: str, account: str) -> Message:
    """The message as the user guide shows it; a member without a value is left out."""
    head: Message = {"region": region, "accountId": account, "eventTriggerName": trigger}
    item, target = notice.deployment, notice.target
    if target:
        return head | {
            "deploymentId": item["deploymentId"],
            "instanceId": target["targetArn"],
            "lastUpdatedAt": _seconds(target["lastUpdatedAt"]),
            "instanceStatus": target["status"],
            "lifecycleEvents": [_event(each, _seconds) for each in target["lifecycleEvents"]],
        }
    message = head | _names(item) | {"createTime": _seconds(item["createTime"])}
    if "completeTime" in item:
        message["completeTime"] = _seconds(item["completeTime"])
    message["deploymentOverview"] = {name: _overview(item, name) for name in sorted(_COUNTS)}
    message["status"] = _status(notice)
    if item.get("error"):
        message["errorInformation"] = _error(item)
    if item.get("rollback"):
        message["rollbackInformation"] = _rollback(item)
    return message


def capitals(status: str) -> str:
    """A status as CodeDeploy's messages have it.

    >>> capitals("InProgress"), capitals("Succeeded")
    ('IN_PROGRESS', 'SUCCEEDED')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status).upper()


def _status(notice: Notice) -> str:
    return str((notice.target or notice.deployment)["status"])


def _names(item: Mapping[str, Any]) -> Message:
    return {name: item[name] for name in ("applicationName", "deploymentId", "deploymentGroupName")}


def _overview(item: Mapping[str, Any], name: str) -> str:
    return str(int(item.get("overview", {}).get(name, 0)))


def _error(item: Mapping[str, Any]) -> dict[str, str]:
    error = item["error"]
    return {"ErrorCode": str(error["code"]), "ErrorMessage": str(error["message"])[:_LONGEST_REASON]}


def _rollback(item: Mapping[str, Any]) -> dict[str, str]:
    """As the API's RollbackInfo, its members' first letters in capitals."""
    links = item.get("rollback") or {}
    return {name[0].upper() + name[1:]: str(links[name])[:_LONGEST_REASON] for name in sorted(links)}


def _event(event: Mapping[str, Any], time: Any) -> dict[str, str]:
    found = {"LifecycleEvent": event["lifecycleEventName"], "LifecycleEventStatus": event["status"]}
    times = {"StartTime": event.get("startTime"), "EndTime": event.get("endTime")}
    return found | {name: time(value) for name, value in times.items() if value is not None}


def _clock(seconds: float) -> str:
    """A time as CodeDeploy's messages have it, whatever the locale."""
    t = datetime.fromtimestamp(seconds, UTC)
    return f"{_DAYS[t.weekday()]} {_MONTHS[t.month - 1]} {t:%d %H:%M:%S} UTC {t.year}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
