"""Whole deployments through the real state machine, the real handlers and real hosts."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytestmark = pytest.mark.local


def test_two_revisions_one_after_the_other(group: Any) -> None:
    fleet = group(3, config="CodeDeployDefault.OneAtATime")

    first = fleet.deploy(fleet.push("one"))
    assert fleet.wait(first)["status"] == "Succeeded"
    assert fleet.files() == ["one"] * 3
    second = fleet.deploy(fleet.push("two"))
    info = fleet.wait(second)

    assert info["status"] == "Succeeded"
    assert info["deploymentOverview"] == {
        "Pending": 0, "InProgress": 0, "Succeeded": 3, "Failed": 0, "Skipped": 0, "Ready": 0,
    }  # fmt: skip
    assert fleet.files() == ["two"] * 3
    assert info["previousRevision"]["s3Location"]["key"].endswith("/1.zip")
    assert set(fleet.events(second, "host-1").values()) == {"Succeeded"}
    batches = [reason for reason in fleet.reasons(second) if "set going" in reason]
    assert [reason.split()[0] for reason in batches] == ["1", "1", "1"]


def test_too_many_failures_stop_and_roll_back(group: Any) -> None:
    fleet = group(4, config="CodeDeployDefault.HalfAtATime", rollback=True)
    good = fleet.deploy(fleet.push("good"))
    assert fleet.wait(good)["status"] == "Succeeded"

    hooks = "hooks:\n  ValidateService:\n    - location: fail.sh\n      timeout: 10\n"
    bad = fleet.deploy(fleet.push("bad", hooks, {"fail.sh": "#!/bin/sh\necho not well >&2\nexit 3\n"}))
    failed = fleet.wait(bad)

    assert failed["status"] == "Failed"
    assert failed["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"
    assert "2 instances of 4 failed" in failed["errorInformation"]["message"]
    assert failed["deploymentOverview"]["Failed"] == 2
    assert failed["deploymentOverview"]["Skipped"] == 2
    rollback = failed["rollbackInfo"]["rollbackDeploymentId"]
    assert rollback != bad
    back = fleet.wait(rollback)
    assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")
    assert back["rollbackInfo"]["rollbackTriggeringDeploymentId"] == bad
    assert back["revision"]["s3Location"]["key"].endswith("/1.zip")
    assert fleet.files() == ["good"] * 4
    rows = fleet.targets(bad)
    broken = next(row for row in rows.values() if row["status"] == "Failed")
    event = next(e for e in broken["lifecycleEvents"] if e["lifecycleEventName"] == "ValidateService")
    assert event["diagnostics"]["errorCode"] == "ScriptFailed"
    assert event["diagnostics"]["scriptName"] == "fail.sh"
    assert "not well" in event["diagnostics"]["logTail"]


def test_a_first_failure_has_nothing_to_roll_back_to(group: Any) -> None:
    fleet = group(1, rollback=True)
    hooks = "hooks:\n  BeforeInstall:\n    - location: no.sh\n"

    info = fleet.wait(fleet.deploy(fleet.push("x", hooks, {"no.sh": "#!/bin/sh\nexit 1\n"})))

    assert info["status"] == "Failed"
    assert "rollbackDeploymentId" not in info["rollbackInfo"]
    assert "no deployment of this group has succeeded" in info["rollbackInfo"]["rollbackMessage"]


def test_a_busy_group_names_its_live_deployment(group: Any) -> None:
    fleet = group(1)
    revision = fleet.push_counting("busy", "sleep 3")
    live = fleet.deploy(revision)

    with pytest.raises(fleet.codedeploy.exceptions.DeploymentLimitExceededException) as refusal:
        fleet.deploy(revision)

    assert f"'{live}'" in str(refusal.value)
    assert fleet.wait(live)["status"] == "Succeeded"


def test_stopped_by_hand_lets_what_runs_finish(group: Any) -> None:
    fleet = group(2, config="CodeDeployDefault.OneAtATime")
    deployment = fleet.deploy(fleet.push_counting("stopped", "sleep 4"))
    fleet.until(deployment, lambda info: info.get("deploymentOverview", {}).get("InProgress") == 1)

    assert fleet.codedeploy.stop_deployment(deploymentId=deployment)["status"] in ("Pending", "Succeeded")
    info = fleet.wait(deployment)

    assert info["status"] == "Stopped"
    assert info["errorInformation"]["code"] == "MANUAL_STOP"
    assert sorted(row["status"] for row in fleet.targets(deployment).values()) == ["Skipped", "Succeeded"]


def test_no_instances(group: Any) -> None:
    fleet = group(0)
    info = fleet.wait(fleet.deploy(fleet.push("x")))
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "NO_INSTANCES")
    assert "tag" in info["errorInformation"]["message"]


def test_a_minimum_that_cannot_be_met(group: Any) -> None:
    fleet = group(1, config="CodeDeployDefault.HalfAtATime")
    deployment = fleet.deploy(fleet.push("x"))
    info = fleet.wait(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS_INVALID")
    assert set(fleet.events(deployment, "host-1").values()) == {"Skipped"}
    assert fleet.files() == [""]


@pytest.mark.parametrize(
    ("appspec", "told"),
    [
        (None, "appspec.yml"),
        ("version: 1.0\nos: linux\n", "invalid version value"),
        ("version: 0.0\nos: linux\nhooks: {AfterInstall: [{timeout: 5}]}\n", "no location value"),
        ("version: 0.0\nos: [linux\n", "AppSpec"),
    ],
    ids=["missing", "version", "hook", "yaml"],
)
def test_an_appspec_that_cannot_be_used(group: Any, appspec: str | None, told: str) -> None:
    fleet = group(1)
    files = {"file.txt": "x", **({} if appspec is None else {"appspec.yml": appspec})}
    info = fleet.wait(fleet.deploy(fleet.upload(fleet.archive(files))))
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "INVALID_REVISION")
    assert told in info["errorInformation"]["message"]


def test_a_bundle_that_is_not_what_it_says(group: Any) -> None:
    fleet = group(1)
    info = fleet.wait(fleet.deploy(fleet.upload(b"this is no archive at all", "tgz")))
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "INVALID_REVISION")
    assert "tgz" in info["errorInformation"]["message"]


def test_a_revision_that_is_gone(group: Any) -> None:
    fleet = group(1)
    revision = fleet.push("x")
    fleet.s3.delete_object(Bucket="revisions", Key=revision["s3Location"]["key"])
    info = fleet.wait(fleet.deploy(revision))
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "REVISION_MISSING")
    assert revision["s3Location"]["key"] in info["errorInformation"]["message"]


def test_a_script_that_hangs_past_its_timeout(group: Any) -> None:
    fleet = group(1)
    hooks = "hooks:\n  AfterInstall:\n    - location: hang.sh\n      timeout: 2\n"
    deployment = fleet.deploy(fleet.push("x", hooks, {"hang.sh": "#!/bin/sh\ntrap '' TERM\nsleep 600\n"}))
    info = fleet.wait(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    event = next(
        e for e in fleet.targets(deployment)["host-1"]["lifecycleEvents"] if e["lifecycleEventName"] == "AfterInstall"
    )
    assert event["diagnostics"]["errorCode"] == "ScriptTimedOut"
    assert "failed to complete in 2 seconds" in event["diagnostics"]["message"]


def test_the_events_in_progress_are_seen_while_they_run(group: Any) -> None:
    fleet = group(1)
    deployment = fleet.deploy(fleet.push_counting("seen", "sleep 3"))
    end = time.monotonic() + 20
    seen: set[str] = set()
    while time.monotonic() < end and "AfterInstall" not in seen:
        try:
            events = fleet.events(deployment, "host-1")
        except fleet.codedeploy.exceptions.DeploymentNotStartedException:
            events = {}
        seen |= {name for name, status in events.items() if status == "InProgress"}
        time.sleep(0.1)
    assert "AfterInstall" in seen
    assert fleet.wait(deployment)["status"] == "Succeeded"
