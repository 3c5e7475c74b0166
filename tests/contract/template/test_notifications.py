"""What wakes NotifySubscribers is what there is to tell; and what it needs stands in the template."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
from tests.contract.template.test_names import RESOURCES, ROOT, TEMPLATE
from tests.unit.functions.subscribers import record

from tidegate.notices import deployment_notices, target_change
from tidegate_local.adapters.stream_poller import wanted

FUNCTION: dict[str, Any] = RESOURCES["NotifySubscribersFunction"]["Properties"]
STREAM: dict[str, Any] = FUNCTION["Events"]["Changes"]["Properties"]
WAKES = wanted([each["Pattern"] for each in STREAM["FilterCriteria"]["Filters"]])

STATUSES = ("Created", "Queued", "InProgress", "Baking", "Ready", "Succeeded", "Failed", "Stopped")
TARGET_STATUSES = ("Pending", "InProgress", "Ready", "Succeeded", "Failed", "Skipped", "Unknown")


def deployment(status: str | None, creator: str) -> dict[str, Any] | None:
    keys = {"PK": "DEP#d-1", "SK": "DEP"}
    return status and {**keys, "status": status, "creator": creator, "createTime": 1.0, "overview": {}}  # type: ignore[return-value]


def target(status: str | None) -> dict[str, Any] | None:
    keys = {"PK": "DEP#d-1", "SK": "TARGET#i-1"}
    return status and {**keys, "status": status, "kind": "InstanceTarget"}  # type: ignore[return-value]


@pytest.mark.parametrize("creator", ["user", "codeDeployRollback", "autoscaling"])
def test_every_change_of_a_deployment_that_is_told_wakes(creator: str) -> None:
    for before, after in itertools.product((None, *STATUSES), STATUSES):
        old, new = deployment(before, creator), deployment(after, creator)
        assert new is not None
        if deployment_notices(old, new):
            assert WAKES(record(old, new)), f"{before} to {after}"


def test_every_change_of_a_target_that_is_told_wakes() -> None:
    for before, after in itertools.product((None, *TARGET_STATUSES), TARGET_STATUSES):
        old, new = target(before), target(after)
        assert new is not None
        if target_change(old, new):
            assert WAKES(record(old, new)), f"{before} to {after}"


def test_what_a_deployment_writes_in_its_passes_does_not_wake() -> None:
    for creator in ("user", "codeDeployRollback"):
        running = deployment("InProgress", creator)
        assert running is not None
        assert not WAKES(record(running, {**running, "overview": {"Succeeded": 1}}))
    assert not WAKES(record(deployment("Created", "user"), deployment("InProgress", "user")))
    for status in ("Pending", "Skipped"):
        assert not WAKES(record(None, target(status)))
    for sk in ("LEDGER", "LEDGER#0000", "ROSTER#0000", "DECISION#000000", "SIGNAL"):
        assert not WAKES(record(None, {"PK": "DEP#d-1", "SK": sk, "status": "Failed"}))
    assert not WAKES(record(None, {"PK": "APP#DEP", "SK": "REV#x", "status": "Failed"}))


def test_filters_stay_within_what_a_mapping_may_have() -> None:
    assert len(STREAM["FilterCriteria"]["Filters"]) <= 5
    assert all(len(each["Pattern"]) <= 4096 for each in STREAM["FilterCriteria"]["Filters"])


def test_the_stream_carries_both_images() -> None:
    assert RESOURCES["Table"]["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_messages_stay_hidden_for_as_long_as_their_reader_may_need() -> None:
    queue = RESOURCES["UndeliveredNotices"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * FUNCTION["Timeout"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"]["of"] == "LostNotices.Arn"
    assert queue["MessageRetentionPeriod"] > 86_400, "tries go on for a day"


def test_every_setting_that_the_function_reads_is_set_and_none_that_nobody_reads() -> None:
    read = set(re.findall(r'"(TIDEGATE_[A-Z_]+)"', (ROOT / "layers/core/tidegate/notify_runtime.py").read_text()))
    assert set(FUNCTION["Environment"]["Variables"]) == read


def test_the_source_cannot_be_one_of_awss_own() -> None:
    pattern = TEMPLATE["Parameters"]["NotificationSource"]["AllowedPattern"]
    assert [bool(re.fullmatch(pattern, each)) for each in ("tidegate", "", "my.shop", "aws.codedeploy", "aws.x")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_only_topics_that_were_named_may_be_published_to() -> None:
    (statement,) = (s for s in FUNCTION["Policies"][0]["Statement"] if s["Sid"] == "TellTopics")
    assert statement["Resource"] == {"Fn": "Ref", "of": "TriggerTopicArns"}
    assert TEMPLATE["Parameters"]["TriggerTopicArns"]["Default"].endswith(":tidegate-*")


def test_the_sample_event_wakes() -> None:
    (sample,) = json.loads((ROOT / "events" / "notify_subscribers.json").read_text())["Records"]
    assert WAKES(sample)
