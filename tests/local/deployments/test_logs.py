"""Whole logs, from scripts on hosts to the API and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.local

HOOKS = "hooks:\n  AfterInstall:\n    - location: talk.sh\n      timeout: 60\n"
GO = "/var/tmp/go"


def talking(name: str) -> dict[str, str]:
    """A script that says something, waits for a file, and says something else."""
    wait = f'while [ ! -e "$TIDEGATE_HOST_ROOT{GO}-{name}" ]; do sleep 0.1; done'
    return {"talk.sh": f"#!/bin/sh\necho early\necho trouble >&2\n{wait}\necho late\n"}


def go(cloud: Any, name: str) -> None:
    for host in cloud.hosts:
        cloud.run(host["name"], "sh", "-c", f'touch "$TIDEGATE_HOST_ROOT{GO}-{name}"')


def lines_of(cloud: Any, deployment_id: str, host: dict[str, Any], **given: str) -> dict[str, Any]:
    answer = cloud.client("tidegate").get_logs(deploymentId=deployment_id, targetId=host["id"], **given)
    return dict(answer)


def until_read(cloud: Any, deployment_id: str, host: dict[str, Any], text: str) -> dict[str, Any]:
    end, answer = time.monotonic() + 60, {}
    while time.monotonic() < end:
        try:
            answer = lines_of(cloud, deployment_id, host)
        except ClientError as error:
            if not error.response["Error"]["Code"].startswith("Deployment"):
                raise  # anything but that the deployment does not know its targets yet
        if any(line["text"] == text for line in answer.get("lines", ())):
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{text!r} was not read within a minute: {answer}")


def command(cloud: Any, *args: str) -> subprocess.Popen[str]:
    program = str(Path(sys.executable).parent / "tidegate")
    env = {**os.environ, **cloud.env}
    return subprocess.Popen(
        [program, "logs", *args], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_logs_are_read_while_scripts_run_and_followed_to_the_end(group: Any, cloud: Any) -> None:
    fleet = group(2)
    deployment = fleet.deploy(fleet.push("x", HOOKS, talking(fleet.name)))
    followed = command(cloud, deployment, "--follow", "--json", "--interval", "0.2")
    begun = until_read(cloud, deployment, fleet.hosts[0], "trouble")
    assert begun["complete"] is False
    assert "late" not in [line["text"] for line in begun["lines"]]
    assert fleet.codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]["status"] == "InProgress"
    go(cloud, fleet.name)
    assert fleet.wait(deployment)["status"] == "Succeeded"

    out, err = followed.communicate(timeout=60)
    assert (followed.returncode, err) == (0, "")
    said = [json.loads(line) for line in out.splitlines()]
    for host in fleet.hosts:
        printed = [line for line in said if line["targetId"] == host["id"] and line["stream"] != "runner"]
        assert {line["lifecycleEventName"] for line in printed} == {"AfterInstall"}
        assert {(line["stream"], line["text"]) for line in printed} == {
            ("stdout", "early"), ("stderr", "trouble"), ("stdout", "late"),
        }  # fmt: skip
    more = lines_of(cloud, deployment, fleet.hosts[0], nextToken=begun["followToken"])
    assert [line["text"] for line in more["lines"] if line["stream"] == "stdout"] == ["late"]


def test_logs_are_whole_when_the_step_dies(group: Any, cloud: Any) -> None:
    fleet = group(1)
    cloud.page("host-faults", {"step_death_seconds": 1.0})
    deployment = fleet.deploy(fleet.push("x", HOOKS, talking(fleet.name)))
    until_read(cloud, deployment, fleet.hosts[0], "early")
    time.sleep(1.5)  # the step has died by now, whenever it began; the worker has not
    cloud.page("host-faults", {})
    go(cloud, fleet.name)
    assert fleet.wait(deployment)["status"] == "Succeeded"
    answer = until_read(cloud, deployment, fleet.hosts[0], "late")
    assert [line["text"] for line in answer["lines"] if line["stream"] == "stdout"] == ["early", "late"]


def test_one_event_of_one_host_in_words(group: Any, cloud: Any) -> None:
    fleet = group(1)
    hooks = "hooks:\n  BeforeInstall:\n    - location: a.sh\n  ValidateService:\n    - location: b.sh\n"
    scripts = {"a.sh": "#!/bin/sh\necho before\n", "b.sh": "#!/bin/sh\necho after\nexit 4\n"}
    deployment = fleet.deploy(fleet.push("x", hooks, scripts))
    assert fleet.wait(deployment)["status"] == "Failed"
    until_read(cloud, deployment, fleet.hosts[0], "after")
    shown = command(cloud, deployment, "--host", fleet.hosts[0]["id"], "--event", "ValidateService")
    out, err = shown.communicate(timeout=60)
    assert (shown.returncode, err) == (0, "")
    assert "ValidateService after" in out
    assert "exit code 4" in out
    assert "before" not in out


def test_the_next_command_delivers_what_an_earlier_deployment_could_not(group: Any, cloud: Any) -> None:
    fleet = group(1)
    host, hooks = fleet.hosts[0], HOOKS
    cloud.page("faults", {"throttle": {"s3:PostObject": 1_000_000}})
    earlier = fleet.deploy(fleet.push("x", hooks, {"talk.sh": "#!/bin/sh\necho held up\n"}))
    assert fleet.wait(earlier)["status"] == "Succeeded"
    assert lines_of(cloud, earlier, host)["lines"] == []

    # Its own grant would do as long as its sender lives: what takes over is the sender of the next command.
    later = fleet.deploy(fleet.push("y", hooks, talking(fleet.name)))
    until_spooled(cloud, host["name"], later)
    cloud.page("faults", {"throttle": {}})
    go(cloud, fleet.name)
    assert fleet.wait(later)["status"] == "Succeeded"

    answer = until_read(cloud, earlier, host, "held up")
    assert [line["text"] for line in answer["lines"] if line["stream"] == "stdout"] == ["held up"]
    assert answer["complete"] is True
    out, err = command(cloud, earlier).communicate(timeout=60)
    assert err == ""
    assert "AfterInstall held up" in out
    assert "late" in [line["text"] for line in until_read(cloud, later, host, "late")["lines"]]
    assert brought_late(cloud, earlier, later) == [f"{host['id']}/host.000000.jsonl"]


def until_spooled(cloud: Any, host: str, deployment: str) -> None:
    """Wait until a deployment's script has said something on a host, which none could upload."""
    end = time.monotonic() + 60
    look = f'cat "$TIDEGATE_HOST_ROOT/opt/tidegate/spool/{deployment}"/host/*.jsonl'
    while "early" not in cloud.run(host, "sh", "-c", look).stdout:
        assert time.monotonic() < end, cloud.run(host, "sh", "-c", look)
        time.sleep(0.2)


def brought_late(cloud: Any, earlier: str, later: str) -> list[str]:
    """What of an earlier deployment lies below a later one's prefix."""
    s3, prefix = cloud.client("s3"), f"progress/{later}/late/{earlier}/"
    found = []
    for bucket in s3.list_buckets()["Buckets"]:
        listed = s3.list_objects_v2(Bucket=bucket["Name"], Prefix=prefix).get("Contents", [])
        found += [each["Key"].removeprefix(prefix) for each in listed]
    return found
