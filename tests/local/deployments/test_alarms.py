"""A deployment that watches alarms: CloudWatch's event ends its wait, and it is stopped and rolled back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.alarms import put_alarm, set_alarm
from tests.local.deployments.conftest import Cloud, Group
from tests.sessions import session_with

from tidegate.api.client_model import write_client_models

pytestmark = pytest.mark.local


def watching(cloud: Cloud, fleet: Group, alarm: str) -> None:
    put_alarm(cloud.client("cloudwatch"), alarm, "OK")
    fleet.codedeploy.update_deployment_group(
        applicationName=fleet.name,
        currentDeploymentGroupName="group",
        alarmConfiguration={"enabled": True, "alarms": [{"name": alarm}]},
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]},
    )


def test_an_alarm_stops_a_deployment_and_the_rollback_passes_it(
    cloud: Cloud, group: Callable[..., Group], tmp_path: Path
) -> None:
    fleet = group(2, config="CodeDeployDefault.OneAtATime")
    alarm = f"errors of {fleet.name}"
    watching(cloud, fleet, alarm)
    assert fleet.wait(fleet.deploy(fleet.push("one")))["status"] == "Succeeded"
    slow = {"slow.sh": "#!/bin/sh\nsleep 2\n"}
    hooks = "hooks:\n  AfterInstall:\n    - location: slow.sh\n      timeout: 20\n"
    deployed = fleet.deploy(fleet.push("two", hooks, slow))
    fleet.until(deployed, lambda info: info["deploymentOverview"]["InProgress"] == 1)
    set_alarm(cloud.client("cloudwatch"), alarm, "ALARM")
    raised = time.monotonic()
    info = fleet.wait(deployed)
    assert time.monotonic() - raised < 20
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert info["errorInformation"]["message"].startswith(
        f"An alarm that the deployment watches is in ALARM: <{alarm}>"
    )
    assert info["deploymentOverview"]["Skipped"] == 1
    back = info["rollbackInfo"]["rollbackDeploymentId"]
    assert fleet.wait(back)["status"] == "Succeeded"
    assert fleet.files() == ["one", "one"]

    # It is still in ALARM: the next one does not begin, unless it is told not to look.
    second = fleet.wait(fleet.deploy(fleet.push("three")))
    assert (second["status"], second["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert fleet.files() == ["one", "one"]
    revision = fleet.push("four")
    with pytest.raises(fleet.codedeploy.exceptions.ClientError, match="tidegate connect --override-alarms"):
        fleet.deploy(revision, overrideAlarmConfiguration={"enabled": False})
    write_client_models(tmp_path, override_alarms=True)
    keys = cloud.env["AWS_ACCESS_KEY_ID"], cloud.env["AWS_SECRET_ACCESS_KEY"]
    endpoint = cloud.env["AWS_ENDPOINT_URL_CODEDEPLOY"]
    fleet.codedeploy = session_with(tmp_path, *keys).client("codedeploy", endpoint_url=endpoint)
    third = fleet.deploy(revision, overrideAlarmConfiguration={"enabled": False})
    assert fleet.wait(third)["status"] == "Succeeded"
    assert fleet.files() == ["four", "four"]
