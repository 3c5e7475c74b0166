"""What cannot be dealt with of an upload ends in the queue of lost uploads, however it came, and an alarm tells."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.contract.template.test_names import RESOURCES, ROOT, TEMPLATE
from tests.unit.functions.subscribers import record

from tidegate_local.adapters.stream_poller import wanted

FUNCTION: dict[str, Any] = RESOURCES["OnRevisionUploadFunction"]["Properties"]
RULE: dict[str, Any] = RESOURCES["RevisionUploaded"]["Properties"]
QUEUE: dict[str, Any] = RESOURCES["Uploads"]["Properties"]
STREAM: dict[str, Any] = FUNCTION["Events"]["Endings"]["Properties"]
WAKES = wanted([each["Pattern"] for each in STREAM["FilterCriteria"]["Filters"]])

LOST = {"Fn": "GetAtt", "of": "LostUploads.Arn"}
DAY = 86_400
LIVE = ("Created", "Queued", "InProgress", "Baking", "Ready")
ENDED = ("Succeeded", "Failed", "Stopped")


def statement(sid: str) -> dict[str, Any]:
    (found,) = (each for each in FUNCTION["Policies"][0]["Statement"] if each["Sid"] == sid)
    return dict(found)


def test_the_rule_sends_to_the_queue_and_what_it_cannot_send_to_the_lost() -> None:
    (target,) = RULE["Targets"]
    assert target["Arn"] == {"Fn": "GetAtt", "of": "Uploads.Arn"}
    assert target["DeadLetterConfig"] == {"Arn": LOST}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": DAY, "MaximumRetryAttempts": 185}


def test_the_rule_alone_may_send_to_both_queues() -> None:
    policy = RESOURCES["UploadsPolicy"]["Properties"]
    assert [each["of"] for each in policy["Queues"]] == ["Uploads", "LostUploads"]
    (allowed,) = policy["PolicyDocument"]["Statement"]
    assert [each["of"] for each in allowed["Resource"]] == ["Uploads.Arn", "LostUploads.Arn"]
    assert (allowed["Principal"], allowed["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn": "GetAtt", "of": "RevisionUploaded.Arn"}}}


def test_the_queue_hands_over_single_failures_and_after_five_tries_the_lost() -> None:
    source = FUNCTION["Events"]["Uploads"]
    assert (source["Type"], source["Properties"]["Queue"]) == ("SQS", {"Fn": "GetAtt", "of": "Uploads.Arn"})
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert QUEUE["RedrivePolicy"] == {"deadLetterTargetArn": LOST, "maxReceiveCount": 5}


def test_messages_stay_for_as_long_as_all_tries_may_need() -> None:
    assert QUEUE["VisibilityTimeout"] >= 6 * FUNCTION["Timeout"]
    tries = QUEUE["VisibilityTimeout"] * QUEUE["RedrivePolicy"]["maxReceiveCount"]
    assert QUEUE["MessageRetentionPeriod"] > tries
    # SQS counts a message's age from when it was first sent, and goes on counting in the queue of the lost.
    assert RESOURCES["LostUploads"]["Properties"]["MessageRetentionPeriod"] == 14 * DAY


def test_the_lost_are_lost_to_nobody() -> None:
    lost = RESOURCES["LostUploads"]["Properties"]
    assert "RedrivePolicy" not in lost
    assert [name for name in FUNCTION["Events"] if FUNCTION["Events"][name]["Properties"].get("Queue") == LOST] == []
    alarm = RESOURCES["UploadsLost"]["Properties"]
    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn": "GetAtt", "of": "LostUploads.QueueName"}},
    ]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Threshold"]) == (
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 1,
    )  # fmt: skip
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert TEMPLATE["Outputs"]["LostUploadsUrl"]["Value"] == {"Fn": "Ref", "of": "LostUploads"}


@pytest.mark.parametrize("name", ["Uploads", "LostUploads"])
def test_what_lies_in_the_queues_is_encrypted(name: str) -> None:
    assert RESOURCES[name]["Properties"]["SqsManagedSseEnabled"] is True


def test_a_record_of_the_stream_that_never_succeeds_is_given_up_within_the_streams_day() -> None:
    assert STREAM["DestinationConfig"] == {"OnFailure": {"Type": "SQS", "Destination": LOST}}
    assert STREAM["BisectBatchOnFunctionError"] is True
    assert 0 < STREAM["MaximumRecordAgeInSeconds"] < DAY
    sending = statement("KeepLostUploads")
    assert (sending["Action"], sending["Resource"]) == ("sqs:SendMessage", LOST)


def test_what_ends_a_deployment_wakes_and_nothing_else() -> None:
    item = {"PK": "DEP#d-1", "SK": "DEP"}
    for old in (*LIVE, *ENDED):
        for new in (*LIVE, *ENDED):
            woken = WAKES(record({**item, "status": old}, {**item, "status": new}))
            assert woken == (old in LIVE and new in ENDED), f"{old} to {new}"
    target = {"PK": "DEP#d-1", "SK": "TARGET#i-1"}
    assert not WAKES(record({**target, "status": "InProgress"}, {**target, "status": "Failed"}))
    assert not WAKES(record(None, {**item, "status": "Failed"}))


def test_only_new_objects_of_watched_places_are_matched() -> None:
    pattern = RULE["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    assert pattern["detail"] == {
        "bucket": {"name": [{"wildcard": {"Fn": "Ref", "of": "WatchedBuckets"}}]},
        "object": {"key": [{"prefix": {"Fn": "Ref", "of": "WatchedPrefix"}}]},
    }


def test_the_function_may_only_look_at_uploads_and_tell_as_its_source() -> None:
    reading = {"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"}
    assert set(statement("ReadUploads")["Action"]) == reading
    assert statement("TellMissingUploads")["Action"] == "s3:ListBucket"
    source = {"events:source": {"Fn": "Ref", "of": "NotificationSource"}}
    assert statement("TellOfRefusals")["Condition"] == {"StringEquals": source}


def test_every_setting_that_the_function_reads_is_set_and_none_that_nobody_reads() -> None:
    read = set(re.findall(r'"(TIDEGATE_[A-Z_]+)"', (ROOT / "layers/core/tidegate/upload_runtime.py").read_text()))
    assert set(FUNCTION["Environment"]["Variables"]) == read


def test_the_sample_event_comes_from_the_queue_and_holds_what_the_rule_matches() -> None:
    (sample,) = json.loads((ROOT / "events" / "on_revision_upload.json").read_text())["Records"]
    body = json.loads(sample["body"])
    assert (sample["eventSource"], body["source"], body["detail-type"]) == ("aws:sqs", "aws.s3", "Object Created")
