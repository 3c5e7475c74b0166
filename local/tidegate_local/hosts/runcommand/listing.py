"""PURE: filters and pages of Run Command's and the inventory's lists."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from tidegate_local.hosts.host import LocalHost
from tidegate_local.hosts.recorded import RecordedHost
from tidegate_local.hosts.runcommand.errors import RunCommandError
from tidegate_local.hosts.runcommand.model import TERMINAL, Command

_T = TypeVar("_T")

MAX_PAGE = 50


def page(
    items: Sequence[_T], key: Callable[[_T], str], size: int | None, token: str | None, default: int = MAX_PAGE
) -> tuple[list[_T], str | None]:
    """One page, and the token of the next; a token names the last item shown, so that new ones shift nothing."""
    start = 0
    if token:
        try:
            last = base64.urlsafe_b64decode(token.encode()).decode()
            start = [key(item) for item in items].index(last) + 1
        except (ValueError, binascii.Error) as error:
            raise RunCommandError("InvalidNextToken", "NextToken is not one that this call has given") from error
    size = size or default
    if not 1 <= size <= MAX_PAGE:
        raise RunCommandError("ValidationException", f"MaxResults is {size}; 1 to {MAX_PAGE} are allowed")
    shown = list(items[start : start + size])
    more = start + size < len(items)
    return shown, base64.urlsafe_b64encode(key(shown[-1]).encode()).decode() if more else None


def command_matches(command: Command, status: str, filters: Sequence[Mapping[str, str]]) -> bool:
    """Whether a command passes all filters; `status` is its own, or that of one of its hosts."""
    return all(_matches(command, status, item["key"], item["value"]) for item in filters)


def _matches(command: Command, status: str, key: str, value: str) -> bool:
    if key == "InvokedAfter":
        return command.requested >= _time(value)
    if key == "InvokedBefore":
        return command.requested <= _time(value)
    if key == "Status":
        return status == value
    if key == "ExecutionStage":
        return (status in TERMINAL) == (value == "Complete")
    if key == "DocumentName":
        return command.document_name == value
    raise RunCommandError("InvalidFilterKey", f"there is no filter {key!r}")


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise RunCommandError(
            "ValidationException", f"{text!r} is no time; write it as 2026-01-31T00:00:00Z"
        ) from error


def node(host: LocalHost | RecordedHost, now: datetime) -> dict[str, Any]:
    """A host as an InstanceInformation."""
    return {
        "InstanceId": host.id,
        "PingStatus": "Online" if host.agent_online and host.state == "running" else "ConnectionLost",
        "LastPingDateTime": now,
        "AgentVersion": "3.3.0.0",
        "IsLatestVersion": True,
        "PlatformType": "Linux",
        "PlatformName": "Linux",
        "PlatformVersion": "",
        "ResourceType": "EC2Instance",
        "IPAddress": host.address,
        "ComputerName": host.name,
        "SourceId": host.id,
        "SourceType": "AWS::EC2::Instance",
    }


_NODE_FIELDS = {
    "InstanceIds": "InstanceId",
    "PingStatus": "PingStatus",
    "PlatformTypes": "PlatformType",
    "ResourceType": "ResourceType",
    "AgentVersion": "AgentVersion",
    "SourceIds": "SourceId",
    "SourceTypes": "SourceType",
}


def node_matches(shown: Mapping[str, Any], tags: Mapping[str, str], key: str, values: Sequence[str]) -> bool:
    """Whether a managed node passes one filter of DescribeInstanceInformation."""
    if key == "tag-key":
        return any(value in tags for value in values)
    if key.startswith("tag:"):
        return tags.get(key.removeprefix("tag:")) in values
    if key in _NODE_FIELDS:
        return shown[_NODE_FIELDS[key]] in values
    raise RunCommandError("InvalidFilterKey", f"there is no filter {key!r}")
