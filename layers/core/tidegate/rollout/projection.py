"""What GetDeploymentTarget shows of a target, from what its host reported (API: InstanceTarget)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.model.decisions import HostReport

LifecycleEvents = list[dict[str, Any]]


def pending_events(events: Sequence[str]) -> LifecycleEvents:
    """Every event still to come."""
    return [{"lifecycleEventName": name, "status": "Pending"} for name in events]


def interrupted_events(known: Sequence[Mapping[str, Any]], message: str) -> LifecycleEvents:
    """The events of a target that goes no further: what was to come is Skipped, the first of it Failed for ``message``.

    >>> [event["status"] for event in interrupted_events(pending_events(["BlockTraffic", "Install"]), "lost")]
    ['Failed', 'Skipped']
    >>> [event["status"] for event in interrupted_events(pending_events(["BlockTraffic", "Install"]), "")]
    ['Skipped', 'Skipped']
    """
    events = [dict(event) for event in known]
    open_ones = [event for event in events if event["status"] in ("Pending", "InProgress")]
    for event in open_ones:
        event["status"] = "Skipped"
    if message and open_ones:
        open_ones[0]["status"] = "Failed"
        open_ones[0]["diagnostics"] = {
            "errorCode": "UnknownError",
            "scriptName": "",
            "message": message,
            "logTail": "",
        }
    return events


def merged_events(
    known: Sequence[Mapping[str, Any]], stage: Sequence[Mapping[str, Any]], *, failed: bool
) -> LifecycleEvents:
    """A target's events with those of the stage that ended put in; after a failure nothing further is run.

    >>> known = pending_events(["BlockTraffic", "Install", "AllowTraffic"])
    >>> done = [{"lifecycleEventName": "BlockTraffic", "status": "Failed"}]
    >>> [event["status"] for event in merged_events(known, done, failed=True)]
    ['Failed', 'Skipped', 'Skipped']
    """
    told = {event["lifecycleEventName"]: event for event in stage}
    events = [dict(told.get(event["lifecycleEventName"], event)) for event in known]
    if failed:
        for event in events:
            if event["status"] == "Pending":
                event["status"] = "Skipped"
    return events


def not_ended(events: Sequence[Mapping[str, Any]], message: str) -> LifecycleEvents:
    """The events of an original instance that could not be terminated: the last of them tells why.

    >>> not_ended([{"lifecycleEventName": "AfterBlockTraffic", "status": "Succeeded"}], "protected")[0]["status"]
    'Failed'
    """
    *before, last = (dict(event) for event in events)
    why = {"errorCode": "UnknownError", "scriptName": "", "message": message, "logTail": ""}
    return [*before, {**last, "status": "Failed", "diagnostics": why}]


def ended_events(events: Sequence[str], report: HostReport | None, message: str) -> LifecycleEvents:
    """The events of a target that ended: as reported, those that were not run Skipped.

    Where the host reported no event although the target failed, the first event carries the reason, so that it is seen
    wherever people look.
    """
    told = {record.name: record for record in report.events} if report else {}
    shown = [_event(name, told) for name in events]
    diagnostics = report.diagnostics if report and report.status != "NotStarted" else None
    if diagnostics is not None:
        for event in shown:
            if event["lifecycleEventName"] == diagnostics.event:
                event["diagnostics"] = {
                    "errorCode": diagnostics.error_code,
                    "scriptName": diagnostics.script_name,
                    "message": diagnostics.message,
                    "logTail": diagnostics.log_tail,
                }
    elif message and shown:
        shown[0]["status"] = "Failed"
        shown[0]["diagnostics"] = {"errorCode": "UnknownError", "scriptName": "", "message": message, "logTail": ""}
    for event in shown:
        if event["status"] == "Succeeded":
            event["diagnostics"] = {"errorCode": "Success", "scriptName": "", "message": "Succeeded", "logTail": ""}
    return shown


def _event(name: str, told: dict[str, Any]) -> dict[str, Any]:
    record = told.get(name)
    if record is None:
        return {"lifecycleEventName": name, "status": "Skipped"}
    event = {"lifecycleEventName": name, "status": record.status, "startTime": record.start, "endTime": record.end}
    return {key: value for key, value in event.items() if value is not None}
