"""The words: messages and subjects as CodeDeploy's receivers know them, entries for the bus."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.notices import Notice
from tidegate.notices.events import entry
from tidegate.notices.messages import documented, observed, subject

CREATED, ENDED = 1476115841.25, 1476116377.0  # Mon Oct 10 16:10:41 2016, 536 seconds later
ITEM: dict[str, Any] = {
    "deploymentId": "d-ABCDEF123",
    "applicationName": "shop",
    "deploymentGroupName": "prod",
    "deploymentGroupId": "0c6a7b9e-0000-4000-8000-000000000001",
    "status": "Created",
    "creator": "user",
    "createTime": CREATED,
    "overview": {"Pending": 0, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 0},
}
FAILED = {
    **ITEM,
    "status": "Failed",
    "completeTime": ENDED,
    "overview": {"Pending": 0, "InProgress": 0, "Succeeded": 2, "Failed": 1, "Skipped": 3, "Ready": 0},
    "error": {"code": "HEALTH_CONSTRAINTS", "message": "1 instance of 6 failed."},
    "rollback": {"rollbackDeploymentId": "d-ABCDEF124", "rollbackMessage": "Going back."},
}
BACK = {
    **ITEM,
    "deploymentId": "d-ABCDEF124",
    "status": "InProgress",
    "creator": "codeDeployRollback",
    "rollback": {"rollbackTriggeringDeploymentId": "d-ABCDEF123", "rollbackMessage": "Going back."},
}
TARGET: dict[str, Any] = {
    "targetId": "i-00000000000000001",
    "targetArn": "arn:aws:ec2:us-east-1:123456789012:instance/i-00000000000000001",
    "kind": "InstanceTarget",
    "status": "Failed",
    "lastUpdatedAt": ENDED,
    "lifecycleEvents": [
        {"lifecycleEventName": "Install", "status": "Succeeded", "startTime": CREATED, "endTime": ENDED},
        {"lifecycleEventName": "ValidateService", "status": "Failed", "startTime": ENDED,
         "diagnostics": {"errorCode": "ScriptFailed", "logTail": "secret"}},
        {"lifecycleEventName": "AfterInstall", "status": "Skipped"},
    ],
}  # fmt: skip
PLACE = ("us-east-1", "123456789012")


def notice(item: dict[str, Any], event: str = "", target: dict[str, Any] | None = None, state: str = "") -> Notice:
    return Notice(event, state, item, target, CREATED)


def test_a_beginning_as_observed() -> None:
    assert list(observed(notice(ITEM), "mail", *PLACE).items()) == [
        ("region", "us-east-1"),
        ("accountId", "123456789012"),
        ("eventTriggerName", "mail"),
        ("applicationName", "shop"),
        ("deploymentId", "d-ABCDEF123"),
        ("deploymentGroupName", "prod"),
        ("createTime", "Mon Oct 10 16:10:41 UTC 2016"),
        ("completeTime", None),
        ("status", "CREATED"),
    ]


def test_a_failure_as_observed() -> None:
    message = observed(notice(FAILED), "mail", *PLACE)
    assert (message["status"], message["completeTime"]) == ("FAILED", "Mon Oct 10 16:19:37 UTC 2016")
    assert message["deploymentOverview"] == '{"Succeeded":2,"Failed":1,"Skipped":3,"InProgress":0,"Pending":0}'
    assert message["errorInformation"] == (
        '{"ErrorCode":"HEALTH_CONSTRAINTS","ErrorMessage":"1 instance of 6 failed."}'
    )
    assert json.loads(message["rollbackInformation"]) == {
        "RollbackDeploymentId": "d-ABCDEF124",
        "RollbackMessage": "Going back.",
    }


def test_a_failure_that_is_not_rolled_back_says_so() -> None:
    item = {name: value for name, value in FAILED.items() if name != "rollback"}
    assert observed(notice(item), "mail", *PLACE)["rollbackInformation"] == "{}"


def test_a_success_has_neither_error_nor_rollback() -> None:
    item = {**ITEM, "status": "Succeeded", "completeTime": ENDED}
    assert {"errorInformation", "rollbackInformation"} & set(observed(notice(item), "mail", *PLACE)) == set()


def test_a_rollback_names_what_it_rolls_back() -> None:
    message = observed(notice(BACK, "DeploymentRollback"), "mail", *PLACE)
    assert (message["status"], message["completeTime"]) == ("IN_PROGRESS", None)
    assert json.loads(message["rollbackInformation"])["RollbackTriggeringDeploymentId"] == "d-ABCDEF123"


def test_an_instance_as_observed() -> None:
    message = observed(notice(ITEM, target=TARGET), "mail", *PLACE)
    assert message["instanceId"] == TARGET["targetArn"]
    assert (message["instanceStatus"], message["lastUpdatedAt"]) == ("FAILED", "Mon Oct 10 16:19:37 UTC 2016")
    assert json.loads(message["lifecycleEvents"]) == [
        {"LifecycleEvent": "Install", "LifecycleEventStatus": "Succeeded",
         "StartTime": "Mon Oct 10 16:10:41 UTC 2016", "EndTime": "Mon Oct 10 16:19:37 UTC 2016"},
        {"LifecycleEvent": "ValidateService", "LifecycleEventStatus": "Failed",
         "StartTime": "Mon Oct 10 16:19:37 UTC 2016"},
        {"LifecycleEvent": "AfterInstall", "LifecycleEventStatus": "Skipped"},
    ]  # fmt: skip
    assert "secret" not in json.dumps(message), "what scripts print is not told"


def strings(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(strings, value.values()))
    return all(map(strings, value)) if isinstance(value, list) else isinstance(value, str)


@pytest.mark.parametrize("of", [notice(ITEM), notice(FAILED), notice(BACK), notice(ITEM, target=TARGET)])
def test_in_the_documented_form_every_value_is_a_string(of: Notice) -> None:
    assert strings(documented(of, "mail", *PLACE))


def test_the_documented_form() -> None:
    message = documented(notice(FAILED), "mail", *PLACE)
    assert (message["status"], message["createTime"], message["completeTime"]) == (
        "Failed", "1476115841.250", "1476116377.000",
    )  # fmt: skip
    assert message["deploymentOverview"] == {
        "Failed": "1", "InProgress": "0", "Pending": "0", "Skipped": "3", "Succeeded": "2",
    }  # fmt: skip
    assert message["errorInformation"] == {"ErrorCode": "HEALTH_CONSTRAINTS", "ErrorMessage": "1 instance of 6 failed."}
    of_instance = documented(notice(ITEM, target=TARGET), "mail", *PLACE)
    assert of_instance["lifecycleEvents"][0]["EndTime"] == "1476116377.000"
    assert (of_instance["instanceStatus"], of_instance["lastUpdatedAt"]) == ("Failed", "1476116377.000")


def test_subjects() -> None:
    assert subject(notice(ITEM), "us-east-1") == "CREATED: AWS CodeDeploy d-ABCDEF123 in us-east-1 to shop"
    of_instance = subject(notice(ITEM, target=TARGET), "us-east-1")
    assert of_instance == "FAILED: AWS CodeDeploy d-ABCDEF123 in us-east-1 to i-00000000000000001"


names = st.text("abcXYZ019+=,.@_-", min_size=1, max_size=100)
statuses = st.sampled_from(["Created", "Queued", "InProgress", "Ready", "Succeeded", "Failed", "Stopped"])


@given(names, statuses, st.sampled_from(["us-east-1", "ap-southeast-5", "us-gov-west-1"]), st.text(max_size=6000))
def test_any_notice_can_be_sent(name: str, status: str, region: str, reason: str) -> None:
    item = {**FAILED, "applicationName": name, "status": status, "error": {"code": "X", "message": reason}}
    line = subject(notice(item), region)
    assert 0 < len(line) < 100
    assert line.isascii()
    assert line.isprintable()
    for form in (observed, documented):
        text = json.dumps(form(notice(item), "mail", region, "1"))
        assert len(text.encode()) < 100_000
        assert json.loads(text)["applicationName"] == name


def test_an_entry_for_a_deployment() -> None:
    assert entry(notice(ITEM, state="START"), "tidegate", *PLACE, "aws") == {
        "Source": "tidegate",
        "DetailType": "CodeDeploy Deployment State-change Notification",
        "Resources": [
            "arn:aws:codedeploy:us-east-1:123456789012:application:shop",
            "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:shop/prod",
        ],
        "Detail": {
            "region": "us-east-1",
            "deploymentId": "d-ABCDEF123",
            "state": "START",
            "application": "shop",
            "deploymentGroup": "prod",
            "instanceGroupId": "0c6a7b9e-0000-4000-8000-000000000001",
        },
        "Time": CREATED,
    }


def test_an_entry_for_an_instance() -> None:
    found = entry(notice(ITEM, state="FAILURE", target=TARGET), "tidegate", *PLACE, "aws")
    assert found["DetailType"] == "CodeDeploy Instance State-change Notification"
    assert found["Resources"] == [
        TARGET["targetArn"],
        "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:shop/prod",
        "arn:aws:codedeploy:us-east-1:123456789012:application:shop",
    ]
    assert (found["Detail"]["instanceId"], found["Detail"]["state"]) == ("i-00000000000000001", "FAILURE")
