"""What is shown of a target's lifecycle events."""

from __future__ import annotations

from tidegate.model.decisions import Diagnostics, EventRecord, HostReport
from tidegate.rollout.projection import ended_events, interrupted_events, pending_events

EVENTS = ("ApplicationStop", "DownloadBundle", "Install")
FAILED = HostReport(
    "Failed",
    (EventRecord("ApplicationStop", "Succeeded", 1.0, 2.0), EventRecord("DownloadBundle", "Failed", 2.0, 3.5)),
    Diagnostics("DownloadBundle", "UnknownError", "", "no such object", "tail"),
)


def statuses(events: list[dict[str, object]]) -> list[object]:
    return [event["status"] for event in events]


def test_before_anything_ran() -> None:
    assert pending_events(EVENTS) == [{"lifecycleEventName": name, "status": "Pending"} for name in EVENTS]
    assert statuses(interrupted_events(pending_events(EVENTS), "")) == ["Skipped"] * 3


def test_after_a_failure_later_events_are_skipped_and_the_failed_one_says_why() -> None:
    shown = ended_events(EVENTS, FAILED, "")
    assert statuses(shown) == ["Succeeded", "Failed", "Skipped"]
    assert shown[1] == {
        "lifecycleEventName": "DownloadBundle",
        "status": "Failed",
        "startTime": 2.0,
        "endTime": 3.5,
        "diagnostics": {
            "errorCode": "UnknownError",
            "scriptName": "",
            "message": "no such object",
            "logTail": "tail",
        },
    }
    assert "startTime" not in shown[2]


def test_events_that_succeeded_say_so_as_codedeploy_does() -> None:
    done = HostReport("Succeeded", tuple(EventRecord(name, "Succeeded", 1.0, 2.0) for name in EVENTS))
    shown = ended_events(EVENTS, done, "")
    assert {event["diagnostics"]["errorCode"] for event in shown} == {"Success"}


def test_a_host_that_ran_nothing_shows_the_reason_at_its_first_event() -> None:
    for silent in (None, HostReport("NotStarted", diagnostics=Diagnostics("Install", "OrderExpired", "", "late", ""))):
        shown = ended_events(EVENTS, silent, "it did not answer")
        assert statuses(shown) == ["Failed", "Skipped", "Skipped"]
        assert shown[0]["diagnostics"]["message"] == "it did not answer"


def test_events_a_host_made_up_are_not_shown() -> None:
    made_up = HostReport("Succeeded", (EventRecord("Dance", "Succeeded", 1.0, 2.0),))
    assert [event["lifecycleEventName"] for event in ended_events(EVENTS, made_up, "")] == list(EVENTS)


def test_an_event_without_times_has_none() -> None:
    shown = ended_events(EVENTS, HostReport("Succeeded", (EventRecord("Install", "Succeeded"),)), "")
    assert "startTime" not in shown[2]
    assert "endTime" not in shown[2]
