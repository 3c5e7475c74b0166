"""Deployments while something goes wrong: each ends with the right code, and nothing runs twice on a host."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytestmark = pytest.mark.local


def message(fleet: Any, deployment: str, host: str) -> str:
    """Why a host failed."""
    events = fleet.targets(deployment)[host]["lifecycleEvents"]
    return str(next(e["diagnostics"]["message"] for e in events if e["status"] == "Failed"))


def test_a_host_whose_agent_is_away_fails_and_the_others_go_on(group: Any) -> None:
    fleet = group(2)
    fleet.cloud.page("agent", {"host": "host-2", "online": False})

    deployment = fleet.deploy(fleet.push_counting("away"))
    info = fleet.wait(deployment)

    assert info["status"] == "Succeeded"  # all at once: one success is enough
    assert {name: row["status"] for name, row in fleet.targets(deployment).items()} == {
        "host-1": "Succeeded",
        "host-2": "Failed",
    }
    assert "not reachable" in message(fleet, deployment, "host-2")
    assert fleet.runs("host-2", "away") == []


def test_a_host_that_comes_back_in_time_is_deployed_to(group: Any) -> None:
    fleet = group(1)
    fleet.cloud.page("agent", {"host": "host-1", "online": False})
    deployment = fleet.deploy(fleet.push_counting("back"))
    fleet.until(deployment, lambda info: info.get("deploymentOverview", {}).get("InProgress") == 1)

    fleet.cloud.page("agent", {"host": "host-1", "online": True})

    assert fleet.wait(deployment)["status"] == "Succeeded"
    assert fleet.runs("host-1", "back") == [deployment]


def test_a_command_delivered_after_its_order_expired_runs_nothing(group: Any) -> None:
    fleet = group(1)
    fleet.cloud.page("host-faults", {"delivery_delay_seconds": 14, "deliver_cancelled": True})

    deployment = fleet.deploy(fleet.push_counting("late"))
    info = fleet.wait(deployment)
    time.sleep(6)  # the command arrives in this time, after the deployment has ended

    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "AGENT_ISSUE")
    assert "did not pick up its command" in message(fleet, deployment, "host-1")
    assert fleet.runs("host-1", "late") == []
    assert fleet.files() == [""]


def test_an_instance_terminated_before_it_answers_is_told_as_such(group: Any) -> None:
    fleet = group(1)
    ec2 = fleet.cloud.client("ec2")
    tags = [{"Key": f"test-{fleet.name}", "Value": "yes"}, {"Key": "tidegate:managed", "Value": "true"}]
    specification = [{"ResourceType": "instance", "Tags": tags}]
    made = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, TagSpecifications=specification)
    instance_id = made["Instances"][0]["InstanceId"]

    deployment = fleet.deploy(fleet.push("x"))
    fleet.until(deployment, lambda info: info["deploymentOverview"]["InProgress"] > 0)
    ec2.terminate_instances(InstanceIds=[instance_id])
    info = fleet.wait(deployment)

    assert (info["status"], info["deploymentOverview"]["Failed"]) == ("Succeeded", 1)
    shown = fleet.codedeploy.get_deployment_target(deploymentId=deployment, targetId=instance_id)
    (failed,) = [e for e in shown["deploymentTarget"]["instanceTarget"]["lifecycleEvents"] if e["status"] == "Failed"]
    assert failed["diagnostics"]["message"].startswith("The instance was terminated (Amazon EC2)")


def test_a_host_that_takes_its_command_and_never_answers(group: Any) -> None:
    fleet = group(1)
    fleet.cloud.page("host-faults", {"swallow": True})

    deployment = fleet.deploy(fleet.push("x"))
    info = fleet.wait(deployment, seconds=120)

    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert "did not say what became of its command" in message(fleet, deployment, "host-1")


def test_the_death_of_the_step_leaves_the_runner_and_its_result(group: Any) -> None:
    fleet = group(1)
    fleet.cloud.page("host-faults", {"step_death_seconds": 2})

    deployment = fleet.deploy(fleet.push_counting("death", "sleep 3"))
    # The steps of the questions die too, until the fault is over; the first answer after that is the runner's own.
    time.sleep(6)
    fleet.cloud.page("host-faults", {})

    assert fleet.wait(deployment)["status"] == "Succeeded"
    assert fleet.runs("host-1", "death") == [deployment]


def test_a_command_delivered_twice_runs_once(group: Any) -> None:
    fleet = group(1)
    fleet.cloud.page("host-faults", {"duplicate_delivery": True})
    deployment = fleet.deploy(fleet.push_counting("twice", "sleep 1"))
    assert fleet.wait(deployment)["status"] == "Succeeded"
    assert fleet.runs("host-1", "twice") == [deployment]


def test_a_handler_killed_between_sending_and_recording(group: Any) -> None:
    fleet = group(2)
    fleet.cloud.page("faults", {"kill": {"function": "SendCommandsFunction", "after": "ssm:SendCommand", "times": 1}})

    deployment = fleet.deploy(fleet.push_counting("killed"))

    assert fleet.wait(deployment)["status"] == "Succeeded"
    assert fleet.cloud.page("faults")["kill"]["times"] == 0, "the fault must have struck"
    assert [fleet.runs(name, "killed") for name in fleet.names] == [[deployment], [deployment]]


def test_lost_events_cost_a_heartbeat_and_no_more(group: Any) -> None:
    fleet = group(2, config="CodeDeployDefault.OneAtATime")
    fleet.cloud.page("faults", {"events": {"lose": 1}})
    deployment = fleet.deploy(fleet.push_counting("lost"))
    assert fleet.wait(deployment)["status"] == "Succeeded"
    assert [fleet.runs(name, "lost") for name in fleet.names] == [[deployment], [deployment]]


def test_doubled_events_are_harmless(group: Any) -> None:
    fleet = group(2, config="CodeDeployDefault.OneAtATime")
    fleet.cloud.page("faults", {"events": {"double": 1}})
    deployment = fleet.deploy(fleet.push_counting("doubled"))
    assert fleet.wait(deployment)["status"] == "Succeeded"
    assert [fleet.runs(name, "doubled") for name in fleet.names] == [[deployment], [deployment]]


def test_a_throttled_service_is_waited_for(group: Any) -> None:
    fleet = group(1)
    fleet.cloud.page("faults", {"throttle": {"ssm:SendCommand": 3}})
    deployment = fleet.deploy(fleet.push_counting("throttled"))
    assert fleet.wait(deployment)["status"] == "Succeeded"
    assert fleet.cloud.page("faults")["throttle"]["ssm:SendCommand"] == 0, "the fault must have struck"
    assert fleet.runs("host-1", "throttled") == [deployment]


def test_an_instance_without_the_opt_in_tag_is_refused(group: Any) -> None:
    fleet = group(2)
    ec2 = fleet.cloud.client("ec2")
    outsider = fleet.hosts[1]["id"]
    ec2.delete_tags(Resources=[outsider], Tags=[{"Key": "tidegate:managed"}])
    try:
        deployment = fleet.deploy(fleet.push_counting("opt-in"))
        assert fleet.wait(deployment)["status"] == "Succeeded"
    finally:
        ec2.create_tags(Resources=[outsider], Tags=[{"Key": "tidegate:managed", "Value": "true"}])
    assert "tidegate:managed=true" in message(fleet, deployment, "host-2")
    assert fleet.runs("host-2", "opt-in") == []


def test_a_revision_for_windows_is_refused_by_name_on_linux_hosts(group: Any) -> None:
    fleet = group(2)
    hooks = "hooks:\n  AfterInstall:\n    - location: a.ps1\n"
    appspec = "version: 0.0\nos: windows\nfiles:\n  - source: a.ps1\n    destination: c:\\app\n" + hooks
    deployment = fleet.deploy(fleet.upload(fleet.archive({"appspec.yml": appspec, "a.ps1": ""})))
    assert fleet.wait(deployment)["status"] == "Failed"
    assert "unsupported operating system (windows)" in message(fleet, deployment, "host-1")
