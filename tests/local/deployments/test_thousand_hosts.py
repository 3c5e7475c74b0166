"""Recorded hosts, twenty and a thousand: the deployment ends, and its cost is what the budgets say (docs/cost.md)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.local.deployments.conftest import TERMINAL, Cloud, ended, made_group, started, tidegate

pytestmark = [pytest.mark.local, pytest.mark.long, pytest.mark.timeout(1200)]

#: Hosts, and how many of them at once.
SIZES = [(20, 10), (1000, 100)]
FLIGHT = 50  # ids that one SendCommand may name
#: States outside the loop.
ONCE = {
    "ValidateRevision", "RevisionValid?", "SelectTargets", "TargetsSelected?",
    "FinishDeployment", "RollBack?", "Ended",
}  # fmt: skip


@pytest.fixture
def wide(hosts: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud with the template's own limits and so many recorded hosts."""
    folder: Path = tmp_path_factory.mktemp("wide")
    counts = ("--hosts", "0", "--recorded-hosts", str(hosts), "--tag", "Fleet=wide")
    up = tidegate(folder, "local", "up", "--detach", *counts, timeout=180)
    assert up.returncode == 0, up.stdout + up.stderr
    yield started(folder)
    ended(folder)


def states(cloud: Cloud, deployment: str) -> list[str]:
    """The states that a deployment's executions entered, in order."""
    step_functions = cloud.client("stepfunctions")
    machine = next(
        each["stateMachineArn"]
        for each in step_functions.list_state_machines()["stateMachines"]
        if each["name"].endswith("-server-deployment")
    )
    names: list[str] = []
    for generation in range(1, 50):
        arn = machine.replace(":stateMachine:", ":execution:") + f":{deployment}-{generation}"
        try:
            pages = step_functions.get_paginator("get_execution_history").paginate(executionArn=arn)
            events = [event for page in pages for event in page["events"]]
        except step_functions.exceptions.ExecutionDoesNotExist:
            break
        names += [e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e]
    return names


def passes(names: list[str]) -> list[list[str]]:
    """The passes: EvaluateHealth and what follows it until the next, or until the end begins."""
    found: list[list[str]] = []
    for name in names:
        if name == "EvaluateHealth":
            found.append([])
        if name in ("FinishDeployment", "StartSuccessor"):
            break
        if found:
            found[-1].append(name)
    return found


def cost(calls: Mapping[str, int], names: list[str], hosts: int, at_once: int, took: float) -> str:
    """The figures of a run, for people."""
    made = passes(names)
    acting, waiting = acting_of(made), waiting_of(made)
    lines = [
        f"{hosts} recorded hosts, {at_once} at once: {took:.0f} s",
        f"  {len(names)} state transitions in {len(made)} passes ({len(acting)} acting, {len(waiting)} waiting)",
    ]
    for name, number in sorted(calls.items()):
        if number:
            lines.append(f"  {name:<24}{number:>8} {number / hosts:>8.2f} a host {number / len(made):>8.1f} a pass")
    return "\n".join(lines)


def of_deployment(page: Mapping[str, Any]) -> dict[str, int]:
    """What the coordinator's functions called: all of them but the API's, which only this test calls."""
    found = {"stateTransitions": int(page["stateTransitions"])}
    for function, counts in page["byFunction"].items():
        for name, number in counts.items() if function != "ApiFunction" else ():
            found[name] = found.get(name, 0) + number
    return found


def waited(codedeploy: Any, deployment: str) -> dict[str, Any]:
    """The deployment once it has ended; asked for seldom, for each question costs a call."""
    end = time.monotonic() + 900
    while time.monotonic() < end:
        info = codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
        if info["status"] in TERMINAL:
            break
        time.sleep(3)
    return dict(info)


def acting_of(made: list[list[str]]) -> list[list[str]]:
    """Passes that set instances going."""
    return [each for each in made if "PickBatch" in each]


def waiting_of(made: list[list[str]]) -> list[list[str]]:
    """Passes that only looked."""
    return [each for each in made if each == ["EvaluateHealth", "Verdict?", "AwaitProgress"]]


@pytest.mark.parametrize(("hosts", "at_once"), SIZES)
def test_a_fleet(hosts: int, at_once: int, wide: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    codedeploy = wide.client("codedeploy")
    keep = {"type": "HOST_COUNT", "value": hosts - at_once}
    codedeploy.create_deployment_config(deploymentConfigName="some-at-once", minimumHealthyHosts=keep)
    group = made_group(wide, "wide", 0, "some-at-once")
    codedeploy.update_deployment_group(
        applicationName="wide",
        currentDeploymentGroupName="group",
        ec2TagFilters=[{"Key": "Fleet", "Value": "wide", "Type": "KEY_AND_VALUE"}],
    )
    revision = group.push("x")
    wide.page("calls?reset=1")
    begun = time.monotonic()

    deployment = group.deploy(revision)
    info = waited(codedeploy, deployment)

    took, calls = time.monotonic() - begun, of_deployment(wide.page("calls"))
    assert (info["status"], info["deploymentOverview"]["Succeeded"]) == ("Succeeded", hosts), group.reasons(deployment)
    names = states(wide, deployment)
    with capsys.disabled():
        sys.stdout.write(f"\n{cost(calls, names, hosts, at_once, took)}\n")
    made = passes(names)
    assert max(map(len, acting_of(made))) <= 5, "budget of an acting pass"
    assert set(names) - {name for each in made for name in each} <= ONCE
    # A command's hosts are looked for, it is sent, and looked at in a few passes; each batch asks what was sent before.
    commands = hosts // min(at_once, FLIGHT)
    assert calls["ssm"] <= commands * 4 + len(made)
    # Pending, in progress, ended; the report; the instance's health: five a host, and what a pass writes of its own.
    assert calls["dynamodbWrites"] <= hosts * 5 + len(made) * 50
    assert calls["dynamodbReads"] <= hosts * 2 + len(made) * 20
    sent = wide.client("ssm").get_paginator("list_commands").paginate()
    found = [each for page in sent for each in page["Commands"]]
    assert len(found) == commands, "fifty instances a command, if so many go at once"
    assert {each["Status"] for each in found} == {"Success"}
