"""Deployments whose handlers die, and whose executions are gone: they end as ever, and nothing runs twice on a host."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.local.deployments.conftest import LIMITS, Cloud, ended, made_group, started, tidegate

pytestmark = pytest.mark.local

#: Each step's effect: the call that it is there for.
EFFECTS = {
    "ValidateRevision": "dynamodb:UpdateItem",
    "SelectTargets": "dynamodb:TransactWriteItems",
    "EvaluateHealth": "dynamodb:TransactWriteItems",
    "PickBatch": "dynamodb:TransactWriteItems",
    "SendCommands": "ssm:SendCommand",
    "AwaitProgress": "dynamodb:TransactWriteItems",
    "StartSuccessor": "stepfunctions:StartExecution",
    "FinishDeployment": "dynamodb:TransactWriteItems",
    "RollBackDeployment": "stepfunctions:StartExecution",
}
_numbers = itertools.count(1)

FAILING = '[ "$(cat /srv/$APPLICATION_NAME/file.txt)" = good ]'


@pytest.fixture(scope="module")
def small_steps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud whose executions make one pass each, so that every deployment goes through several."""
    folder = tmp_path_factory.mktemp("small-steps")
    limits = {**LIMITS, "PassesPerExecution": "1"}
    parameters = itertools.chain.from_iterable(("--parameter", f"{name}={value}") for name, value in limits.items())
    up = tidegate(folder, "local", "up", "--hosts", "2", "--detach", *parameters)
    assert up.returncode == 0, up.stdout + up.stderr
    yield started(folder)
    ended(folder)


@pytest.fixture
def fleet(small_steps: Cloud) -> Iterator[Any]:
    """A group of two hosts, one after the other, that rolls back."""
    yield made_group(small_steps, f"crashes-{next(_numbers)}", 2, "CodeDeployDefault.OneAtATime", rollback=True)
    small_steps.page("faults", {"kill": None})


def executions(fleet: Any, deployment: str) -> dict[str, str]:
    """Status by name of a deployment's executions."""
    machine = next(
        each["stateMachineArn"]
        for each in fleet.cloud.client("stepfunctions").list_state_machines()["stateMachines"]
        if each["name"].endswith("-server-deployment")
    )
    pages = fleet.cloud.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine)
    found = [each for page in pages for each in page["executions"] if each["name"].startswith(deployment)]
    return {each["name"]: each["status"] for each in found}


def came_to(fleet: Any, deployment: str) -> dict[str, str]:
    """The same when none runs any more: a deployment ends a little before its execution does."""
    deadline = time.monotonic() + 30
    while "RUNNING" in (found := executions(fleet, deployment)).values() and time.monotonic() < deadline:
        time.sleep(0.3)
    return found


def sweep(cloud: Cloud) -> dict[str, Any]:
    """One call of SweepDeployments, as its schedule makes it."""
    event = json.loads((Path(__file__).parents[3] / "events" / "sweep_deployments.json").read_text())
    functions = cloud.client("lambda").list_functions()["Functions"]
    name = next(each["FunctionName"] for each in functions if "SweepDeployments" in each["FunctionName"])
    answer = cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, found
    return found


def pushed(fleet: Any, content: str, note: str) -> dict[str, Any]:
    """A revision that notes each run of its script, and fails unless it is good."""
    hooks = "hooks:\n  ApplicationStart:\n    - location: start.sh\n      timeout: 20\n"
    script = f'#!/bin/sh\necho "$DEPLOYMENT_ID" >> /var/tmp/{note}\n{FAILING}\n'
    return dict(fleet.push(content, hooks, {"start.sh": script}))


def struck(fleet: Any, step: str, moment: str) -> None:
    """Let the next call of a step's effect be the death of its process, before or after it."""
    fleet.cloud.page("faults", {"kill": {"function": f"{step}Function", moment: EFFECTS[step], "times": 1}})


@pytest.mark.long
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", [step for step in EFFECTS if step != "RollBackDeployment"])
def test_a_step_killed_around_its_effect_changes_nothing(fleet: Any, step: str, moment: str) -> None:
    struck(fleet, step, moment)

    deployment = fleet.deploy(pushed(fleet, "good", fleet.name))

    assert fleet.wait(deployment)["status"] == "Succeeded"
    assert fleet.cloud.page("faults")["kill"]["times"] == 0, "the fault must have struck"
    assert set(came_to(fleet, deployment).values()) == {"SUCCEEDED"}
    assert fleet.files() == ["good", "good"]
    assert [fleet.runs(name, fleet.name) for name in fleet.names] == [[deployment], [deployment]]


@pytest.mark.long
@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_start_of_a_rollback_killed_around_its_effect(fleet: Any, moment: str) -> None:
    first = fleet.deploy(pushed(fleet, "good", fleet.name))
    assert fleet.wait(first)["status"] == "Succeeded"
    struck(fleet, "RollBackDeployment", moment)

    failed = fleet.deploy(pushed(fleet, "bad", fleet.name))
    info = fleet.wait(failed)
    back = info["rollbackInfo"]["rollbackDeploymentId"]

    assert fleet.wait(back)["status"] == "Succeeded"
    assert fleet.cloud.page("faults")["kill"]["times"] == 0, "the fault must have struck"
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert fleet.files() == ["good", "good"]
    ran = [fleet.runs(name, fleet.name) for name in fleet.names]
    assert sorted(ran, key=len) == [[first, back], [first, failed, back]]


def test_deployments_of_many_executions_show_no_seam(fleet: Any) -> None:
    deployment = fleet.deploy(pushed(fleet, "good", fleet.name))
    assert fleet.wait(deployment)["status"] == "Succeeded"
    found = came_to(fleet, deployment)
    assert len(found) >= 2, "it went through several executions"
    assert set(found.values()) == {"SUCCEEDED"}
    assert not [reason for reason in fleet.reasons(deployment) if "generation" in reason]
    assert [fleet.runs(name, fleet.name) for name in fleet.names] == [[deployment], [deployment]]


def test_an_execution_that_was_stopped_is_found_and_carried_on(fleet: Any) -> None:
    fleet.cloud.page("host-faults", {"delivery_delay_seconds": 1})
    deployment = fleet.deploy(pushed(fleet, "good", fleet.name))
    fleet.until(deployment, lambda info: info.get("deploymentOverview", {}).get("InProgress") == 1)
    step_functions = fleet.cloud.client("stepfunctions")
    (running,) = [name for name, status in executions(fleet, deployment).items() if status == "RUNNING"]
    machine = next(
        each["stateMachineArn"]
        for each in step_functions.list_state_machines()["stateMachines"]
        if each["name"].endswith("-server-deployment")
    )
    step_functions.stop_execution(executionArn=machine.replace(":stateMachine:", ":execution:") + f":{running}")
    fleet.cloud.page("host-faults", {})
    age_of_generation(fleet.cloud, deployment)

    assert sweep(fleet.cloud)["deployments"]["revived"] == 1

    assert fleet.wait(deployment)["status"] == "Succeeded"
    assert came_to(fleet, deployment)[running] == "ABORTED"
    assert len([reason for reason in fleet.reasons(deployment) if "was aborted; generation" in reason]) == 1
    assert [fleet.runs(name, fleet.name) for name in fleet.names] == [[deployment], [deployment]]
    assert sweep(fleet.cloud)["deployments"] == {}


def age_of_generation(cloud: Cloud, deployment: str) -> None:
    """Let a generation be two minutes old, for the sweep leaves younger ones alone."""
    (table,) = cloud.client("dynamodb").list_tables()["TableNames"]
    key = {"PK": {"S": f"DEP#{deployment}"}, "SK": {"S": "DEP"}}
    item = cloud.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    since = float(item.get("generationTime", item["createTime"])["N"]) - 120
    cloud.client("dynamodb").update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET generationTime = :since",
        ExpressionAttributeValues={":since": {"N": f"{since:.3f}"}},
    )
