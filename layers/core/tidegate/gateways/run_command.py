"""SSM Run Command: send, find again, look at and cancel commands (AWS: "AWS Systems Manager Run Command")."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tidegate.gateways.errors import OWN_GONE, error_code, translated
from tidegate.model.decisions import Diagnostics, EventRecord, HostReport, Sight, Sighting

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

_MOST_IDS = 50  # of SendCommand and of a DescribeInstanceInformation filter
_WAITING = frozenset({"Pending", "Delayed"})
_RUNNING = frozenset({"InProgress", "Cancelling"})
_LATEST = 1e11  # a time in epoch seconds is earlier


@dataclass(frozen=True, slots=True)
class Sent:
    """A command and the targets it went to."""

    command_id: str
    target_ids: tuple[str, ...]


class RunCommand:
    """Commands made from our SSM documents, one an operating system."""

    def __init__(self, client: SSMClient, document: str) -> None:
        """Take the document's name; the one for Windows has ``-windows`` behind it."""
        self._client = client
        self._documents = {"linux": document, "windows": f"{document}-windows"}

    def reachable(self, target_ids: Sequence[str]) -> dict[str, str]:
        """Those targets whose SSM agent is registered and answers pings, with what they run.

        Returns
        -------
        Target id to operating system as an AppSpec spells it: ``linux`` or ``windows``, or ``macos``, for which there
        is no document.
        """
        found: dict[str, str] = {}
        with translated("looking up the instances' SSM agents"):
            for i in range(0, len(target_ids), _MOST_IDS):
                pages = self._client.get_paginator("describe_instance_information").paginate(
                    Filters=[{"Key": "InstanceIds", "Values": list(target_ids[i : i + _MOST_IDS])}],
                    PaginationConfig={"PageSize": _MOST_IDS},  # one call where ten a page would take five
                )
                for page in pages:
                    for row in page["InstanceInformationList"]:
                        if row.get("PingStatus") == "Online":
                            found[row["InstanceId"]] = row.get("PlatformType", "Linux").lower()
        return found

    def send(
        self, target_ids: Sequence[str], order: str, comment: str, delivery_seconds: int, system: str = "linux"
    ) -> list[Sent]:
        """Send one order to at most 50 targets, all of which run ``system``.

        SSM refuses a whole call for one id it does not manage; the call is then halved until that id stands alone and
        is left out. Targets missing from the answer were not commanded.
        """
        try:
            with translated(f"sending a command to {len(target_ids)} instances", OWN_GONE):
                return [self._send(target_ids, order, comment, delivery_seconds, system)]
        except _InvalidInstanceError:
            if len(target_ids) == 1:
                return []
            half = len(target_ids) // 2
            return [
                *self.send(target_ids[:half], order, comment, delivery_seconds, system),
                *self.send(target_ids[half:], order, comment, delivery_seconds, system),
            ]

    def _send(self, target_ids: Sequence[str], order: str, comment: str, delivery_seconds: int, system: str) -> Sent:
        try:
            answer = self._client.send_command(
                DocumentName=self._documents[system],
                InstanceIds=list(target_ids),
                Parameters={"order": [order]},
                Comment=comment,
                MaxConcurrency="100%",
                MaxErrors="100%",
                TimeoutSeconds=max(30, delivery_seconds),
            )
        except ClientError as error:
            if error_code(error) == "InvalidInstanceId":
                raise _InvalidInstanceError from error
            raise
        return Sent(answer["Command"]["CommandId"], tuple(target_ids))

    def sent_since(self, since: float, system: str = "linux") -> dict[str, list[Sent]]:
        """Commands of a system's document sent since then, by their comment: to find what a dead handler had sent."""
        found: dict[str, list[Sent]] = {}
        # SSM keeps whole seconds; a second earlier loses nothing, for the comment decides.
        after = datetime.fromtimestamp(int(since) - 1, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with translated("listing commands"):
            pages = self._client.get_paginator("list_commands").paginate(
                Filters=[
                    {"key": "InvokedAfter", "value": after},
                    {"key": "DocumentName", "value": self._documents[system]},
                ]
            )
            for page in pages:
                for row in page["Commands"]:
                    sent = Sent(row["CommandId"], tuple(row.get("InstanceIds", ())))
                    found.setdefault(row.get("Comment", ""), []).append(sent)
        return found

    def look(self, command_id: str, deployment_id: str) -> dict[str, Sighting]:
        """What is seen of each target of a command, by target id."""
        with translated("looking at a command"):
            pages = self._client.get_paginator("list_command_invocations").paginate(CommandId=command_id, Details=True)
            return {
                row["InstanceId"]: _sighting(row, deployment_id) for page in pages for row in page["CommandInvocations"]
            }

    def cancel(self, command_id: str, target_ids: Iterable[str]) -> None:
        """Cancel a command on some targets, as far as SSM can; one that has ended is fine."""
        try:
            with translated("cancelling a command"):
                for chunk in _chunks(list(target_ids)):
                    self._cancel(command_id, chunk)
        except _InvalidInstanceError:
            return  # the order's expiry is the fence; cancelling only tidies up

    def _cancel(self, command_id: str, target_ids: list[str]) -> None:
        try:
            self._client.cancel_command(CommandId=command_id, InstanceIds=target_ids)
        except ClientError as error:
            if error_code(error) in ("InvalidInstanceId", "InvalidCommandId", "DuplicateInstanceId"):
                raise _InvalidInstanceError from error
            raise


class _InvalidInstanceError(Exception):
    """SSM does not manage one of the ids."""


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for i in range(0, len(ids), _MOST_IDS):
        yield ids[i : i + _MOST_IDS]


def _sighting(row: Mapping[str, Any], deployment_id: str) -> Sighting:
    status, detail = row.get("Status", ""), row.get("StatusDetails", "")
    if status in _WAITING:
        return Sighting(Sight.WAITING, detail=detail)
    if status in _RUNNING:
        return Sighting(Sight.RUNNING, detail=detail)
    output = "".join(plugin.get("Output", "") for plugin in row.get("CommandPlugins", ()))
    report = parse_result(output, deployment_id, row["InstanceId"])
    if report is None:
        return Sighting(Sight.UNANSWERED, detail=f"SSM says {detail or status}")
    return Sighting(Sight.ANSWERED, report, detail)


def parse_result(output: str, deployment_id: str, target_id: str) -> HostReport | None:
    """The result line in a step's output (``docs/host-contract.md``), or None where there is no valid one.

    Only a result of this deployment and target is believed; whatever else the step printed is passed over. What comes
    from a host is checked to the last field: it goes into the table and the API's answers.
    """
    for line in reversed(output.splitlines()):
        if not line.startswith('{"tidegate":'):
            continue
        try:
            return _report(json.loads(line), deployment_id, target_id)
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
    return None


def _report(result: dict[str, Any], deployment_id: str, target_id: str) -> HostReport | None:
    status = result["status"]
    if result["tidegate"] != 1 or status not in ("Succeeded", "Failed", "NotStarted"):
        return None
    # A host that could not read its order does not know whose it was.
    if status != "NotStarted" and (result["deployment"], result["target"]) != (deployment_id, target_id):
        return None
    events = tuple(_event(*event) for event in _a(list, result.get("events", [])))
    told = _a(dict, result.get("diagnostics") or {})
    if not told:
        return HostReport(status, events)
    diagnostics = Diagnostics(
        event=_text(told.get("event", "")),
        error_code=_text(told.get("errorCode", "UnknownError")),
        script_name=_text(told.get("scriptName", "")),
        message=_text(told.get("message", "")),
        log_tail=_text(told.get("logTail", "")),
    )
    return HostReport(status, events, diagnostics)


def _event(name: Any, status: Any, start: Any = None, end: Any = None) -> EventRecord:
    if status not in ("Succeeded", "Failed"):
        raise ValueError(f"an event that was run cannot be {status!r}")
    return EventRecord(_text(name), status, _time(start), _time(end))


def _a(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"a {kind.__name__} is expected, not {value!r}")
    return value


def _text(value: Any) -> str:
    """A text that the table can hold: JSON allows half of a surrogate pair, UTF-8 does not."""
    return str(_a(str, value)).encode("utf-8", "replace").decode()


def _time(value: Any) -> float | None:
    """Epoch seconds; JSON as Python reads it also has NaN, infinity and numbers that the table cannot hold."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise ValueError(f"a time in epoch seconds is expected, not {value!r}")
    return round(float(value), 3)
