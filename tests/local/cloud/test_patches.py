"""What is put right on moto, one assertion a row: a new moto that moved a hook shows here."""

from __future__ import annotations

import json
import threading
import time
import uuid

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.local


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def one_state(state, **more):
    return {"StartAt": "S", "States": {"S": {**state, "End": True}, **more}}


# -- Step Functions: starting, stopping, histories --------------------------------------------------------------------


def test_executions_without_a_name_get_one_each(cloud):
    client = cloud.client("stepfunctions")
    machine = cloud.machine(one_state({"Type": "Pass", "Parameters": {"name.$": "$$.Execution.Name"}}), unique("name"))
    arns = [client.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(2)]
    names = [json.loads(cloud.ended(arn)["output"])["name"] for arn in arns]
    assert len(set(names)) == 2
    assert None not in names


def test_a_name_starts_once(cloud):
    client = cloud.client("stepfunctions")
    machine = cloud.machine(one_state({"Type": "Wait", "Seconds": 60}), unique("once"))
    results = []

    def start():
        arn = client.start_execution(stateMachineArn=machine, name="x", input="{}")["executionArn"]
        results.append(arn)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert len(client.list_executions(stateMachineArn=machine)["executions"]) == 1
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=machine, name="x", input='{"other": 1}')
    client.stop_execution(executionArn=results[0])


def parked(cloud, heartbeat=60):
    """Start the template's machine so that it waits for a token; gives execution and token."""
    key = unique("park")
    arn = cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.out("MachineArn"),
        input=json.dumps({"park": True, "heartbeat": heartbeat, "key": key, "forbidden": False}),
    )["executionArn"]
    table = cloud.client("dynamodb")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        item = table.get_item(TableName=cloud.out("TableName"), Key={"PK": {"S": key}, "SK": {"S": "TOKEN"}})
        if "Item" in item:
            return arn, item["Item"]["token"]["S"]
        time.sleep(0.02)
    raise AssertionError("the token was not parked")


def test_a_stopped_execution_is_aborted_at_once_and_its_token_is_dead(cloud):
    client = cloud.client("stepfunctions")
    arn, token = parked(cloud)
    client.stop_execution(executionArn=arn, error="Stopped", cause="by a test")
    found = client.describe_execution(executionArn=arn)
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Stopped", "by a test")
    with pytest.raises(ClientError, match=r"InvalidToken|TaskTimedOut"):
        client.send_task_success(taskToken=token, output="{}")
    assert client.describe_execution(executionArn=arn)["status"] == "ABORTED"


def test_a_token_is_answered_once(cloud):
    client = cloud.client("stepfunctions")
    arn, token = parked(cloud)
    outcomes = []

    def answer(number):
        try:
            client.send_task_success(taskToken=token, output=json.dumps({"number": number}))
            outcomes.append("taken")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=answer, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("taken") == 1
    assert set(outcomes) <= {"taken", "TaskTimedOut", "InvalidToken"}
    assert cloud.ended(arn)["status"] == "SUCCEEDED"


def test_a_late_answer_is_timed_out(cloud):
    """The execution goes on elsewhere, but the task that gave the token is over."""
    client, key = cloud.client("stepfunctions"), unique("late")
    park = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "HeartbeatSeconds": 1,
        "Parameters": {
            "FunctionName": cloud.out("WorkName"),
            "Payload": {"do": "park", "key": key, "token.$": "$$.Task.Token"},
        },
        "Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Wait"}],
        "Next": "Wait",
    }
    states = {"Park": park, "Wait": {"Type": "Wait", "Seconds": 60, "End": True}}
    machine = cloud.machine({"StartAt": "Park", "States": states}, unique("late"))
    arn = client.start_execution(stateMachineArn=machine)["executionArn"]
    until = time.monotonic() + 30
    while "WaitStateEntered" not in {
        event["type"] for event in client.get_execution_history(executionArn=arn)["events"]
    }:
        assert time.monotonic() < until
        time.sleep(0.05)
    token = cloud.client("dynamodb").get_item(
        TableName=cloud.out("TableName"), Key={"PK": {"S": key}, "SK": {"S": "TOKEN"}}
    )["Item"]["token"]["S"]
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_success(taskToken=token, output="{}")
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_heartbeat(taskToken=token)
    client.stop_execution(executionArn=arn)


def test_an_unknown_token_is_invalid(cloud):
    client = cloud.client("stepfunctions")
    for call in (client.send_task_heartbeat, client.send_task_failure):
        with pytest.raises(client.exceptions.InvalidToken):
            call(taskToken="nonsense")


def test_a_missed_heartbeat_has_its_own_name_and_its_seconds_come_from_a_path(cloud):
    arn, token = parked(cloud, heartbeat=1)
    found = cloud.ended(arn)
    assert found["status"] == "SUCCEEDED"
    assert json.loads(found["output"])["error"]["Error"] == "States.HeartbeatTimeout"
    with pytest.raises(ClientError, match=r"InvalidToken|TaskTimedOut"):
        cloud.client("stepfunctions").send_task_success(taskToken=token, output="{}")


def test_a_heartbeat_keeps_a_task_waiting(cloud):
    client = cloud.client("stepfunctions")
    arn, token = parked(cloud, heartbeat=2)
    for _ in range(6):
        time.sleep(0.5)
        client.send_task_heartbeat(taskToken=token)
    assert client.describe_execution(executionArn=arn)["status"] == "RUNNING"
    client.send_task_success(taskToken=token, output='{"ok": true}')
    assert json.loads(cloud.ended(arn)["output"]) == {"ok": True}


def test_a_failure_keeps_its_cause(cloud):
    arn, token = parked(cloud)
    cloud.client("stepfunctions").send_task_failure(taskToken=token, error="Broken", cause="because")
    found = cloud.ended(arn)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Broken", "because")


def test_histories_have_pages_and_both_directions(cloud):
    client = cloud.client("stepfunctions")
    states = {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(9)}
    arn = cloud.run({"StartAt": "S0", "States": {**states, "S9": {"Type": "Succeed"}}}, unique("pages"))["executionArn"]
    first = client.get_execution_history(executionArn=arn, maxResults=5)
    assert [event["id"] for event in first["events"]] == [1, 2, 3, 4, 5]
    second = client.get_execution_history(executionArn=arn, maxResults=5, nextToken=first["nextToken"])
    assert second["events"][0]["id"] == 6
    last = client.get_execution_history(executionArn=arn, maxResults=1, reverseOrder=True)["events"][0]
    assert last["type"] == "ExecutionSucceeded"
    everything = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    assert len([event for page in everything for event in page["events"]]) == last["id"]


@pytest.mark.long
def test_an_execution_ends_at_25000_events(cloud):
    loop = {
        "StartAt": "Again",
        "States": {
            "Again": {"Type": "Pass", "Next": "Choose"},
            "Choose": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.end", "IsPresent": True, "Next": "Done"}],
                "Default": "Again",
            },
            "Done": {"Type": "Succeed"},
        },
    }
    found = cloud.run(loop, unique("endless"))
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert "25000" in found["cause"]
    last = cloud.client("stepfunctions").get_execution_history(
        executionArn=found["executionArn"], reverseOrder=True, maxResults=1
    )["events"][0]
    assert (last["id"], last["type"]) == (25000, "ExecutionFailed")


def test_a_definite_path_gives_a_value(cloud):
    given = {"a": [{"b": "x"}, {"b": "y"}]}
    parameters = {"one.$": "$.a[0].b", "all.$": "$.a[*].b"}
    found = cloud.run(one_state({"Type": "Pass", "Parameters": parameters}), unique("paths"), given)
    assert json.loads(found["output"]) == {"one": "x", "all": ["x", "y"]}


def test_a_machine_runs_under_its_role(cloud):
    client = cloud.client("stepfunctions")
    given = {"park": False, "forbidden": True}
    arn = client.start_execution(stateMachineArn=cloud.out("MachineArn"), input=json.dumps(given))["executionArn"]
    found = cloud.ended(arn)
    assert (found["status"], found["error"]) == ("FAILED", "Lambda.AccessDeniedException")
    assert "lambda:InvokeFunction" in found["cause"]


def test_executions_tell_of_their_end(cloud):
    arn = cloud.run(one_state({"Type": "Pass"}), unique("tell"))["executionArn"]
    seen = []
    while arn not in seen:
        events = [json.loads(body) for body in cloud.messages("EndsUrl")]
        seen += [event["detail"]["executionArn"] for event in events if event["detail"]["status"] == "SUCCEEDED"]
    assert seen.count(arn) == 1


def test_failing_states_are_not_dumped_into_the_log(cloud):
    given = {"StartAt": "S", "States": {"S": {"Type": "Fail", "Error": "Uncommon", "Cause": "as asked"}}}
    assert cloud.run(given, unique("quiet"))["error"] == "Uncommon"
    assert "Uncommon" not in (cloud.directory / "local.log").read_text()
