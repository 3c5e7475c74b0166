"""Deployments in mode RESTART through the real state machine, handlers and hosts."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.local

NOTE = '#!/bin/sh\necho "{text} $LIFECYCLE_EVENT" >> "$TIDEGATE_HOST_ROOT/var/tmp/{note}"\n'


def test_a_restart_runs_the_last_good_scripts_and_installs_nothing(group: Any) -> None:
    fleet = group(2)
    hooks = "hooks:\n" + "".join(
        f"  {event}:\n    - location: note.sh\n      timeout: 20\n"
        for event in ("ApplicationStop", "AfterInstall", "ApplicationStart")
    )
    revision = fleet.push("one", hooks, {"note.sh": NOTE.format(text="one", note=fleet.name)})
    good = fleet.deploy(revision)
    assert fleet.wait(good)["status"] == "Succeeded"
    location = revision["s3Location"]
    fleet.s3.delete_object(Bucket=location["bucket"], Key=location["key"])

    answer = fleet.codedeploy.create_deployment(
        applicationName=fleet.name, deploymentGroupName="group", deploymentMode="RESTART"
    )
    restarted = fleet.wait(answer["deploymentId"])

    assert (restarted["status"], restarted["deploymentMode"]) == ("Succeeded", "RESTART")
    assert restarted["revision"] == fleet.codedeploy.get_deployment(deploymentId=good)["deploymentInfo"]["revision"]
    assert fleet.files() == ["one"] * 2
    for host in fleet.names:
        events = fleet.events(answer["deploymentId"], host)
        assert list(events) == [
            "ApplicationStop",
            "BeforeInstall",
            "AfterInstall",
            "ApplicationStart",
            "ValidateService",
        ]
        assert set(events.values()) == {"Succeeded"}
        assert fleet.cloud.read(host, f"/var/tmp/{fleet.name}").splitlines() == [
            "one AfterInstall",
            "one ApplicationStart",
            "one ApplicationStop",
            "one AfterInstall",
            "one ApplicationStart",
        ]
    after = fleet.deploy(fleet.push("two"))
    assert fleet.wait(after)["status"] == "Succeeded"
    assert fleet.files() == ["two"] * 2
