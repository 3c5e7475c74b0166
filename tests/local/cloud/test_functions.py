"""Lambda functions: their environment, their role, and what becomes of them."""

from __future__ import annotations

import json
import threading
import time
import uuid

import pytest

pytestmark = pytest.mark.local


def eventually(look, seconds=30.0):
    until = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < until, f"not seen within {seconds} s"
        time.sleep(0.02)
    return seen


def test_a_function_has_its_own_variables_layers_and_context(cloud):
    answer, error = cloud.invoke("EchoName", {"a": 1})
    assert error is None
    assert answer["event"] == {"a": 1}
    assert (answer["greeting"], answer["flavour"], answer["buckets"]) == ("hello", "fancy", "*")
    assert answer["function"] == cloud.out("EchoName")
    assert 0 < answer["milliseconds"] <= 10_000


def test_a_worker_stays_warm_and_what_it_prints_is_kept(cloud):
    first, _ = cloud.invoke("EchoName", {})
    second, _ = cloud.invoke("EchoName", {})
    assert second["calls"] == first["calls"] + 1
    text = (cloud.directory / "logs" / f"{cloud.out('EchoName')}.log").read_text()
    assert f"echo call {second['calls']}\n" in text
    assert "START RequestId: " in text


def test_a_handler_that_raises(cloud):
    answer, error = cloud.invoke("WorkName", {"do": "fail"})
    assert error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "as asked")
    assert any("app.py" in line for line in answer["stackTrace"])


def test_a_worker_that_dies_is_replaced(cloud):
    answer, error = cloud.invoke("WorkName", {"do": "die"})
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in answer["errorMessage"]
    assert cloud.invoke("WorkName", {"do": "x"})[1] is None


def test_a_time_out_kills_the_worker(cloud):
    before, _ = cloud.invoke("WorkName", {})
    answer, error = cloud.invoke("WorkName", {"do": "sleep", "seconds": 60})
    assert error == "Unhandled"
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 2.00 seconds" in answer["errorMessage"]
    after, error = cloud.invoke("WorkName", {})
    assert error is None
    assert {before["by"], after["by"]} - {None}


def test_overlapping_calls_have_two_workers_at_most(cloud):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(cloud.invoke("WorkName", {"do": "sleep", "seconds": 0.3})))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [error for _, error in answers] == [None] * 5
    assert 1 <= len({answer["by"] for answer, _ in answers}) <= 2


def test_a_function_may_do_what_its_role_may(cloud):
    key = uuid.uuid4().hex
    _, error = cloud.invoke("WorkName", {"do": "put", "key": key})
    assert error is None
    item = cloud.client("dynamodb").get_item(TableName=cloud.out("TableName"), Key={"PK": {"S": key}, "SK": {"S": "-"}})
    assert item["Item"]["by"]["S"]


def test_a_function_may_not_do_more(cloud):
    answer, error = cloud.invoke("WorkName", {"do": "delete"})
    assert error == "Unhandled"
    assert answer["errorType"] == "ClientError"
    assert "AccessDeniedException" in answer["errorMessage"]
    assert "dynamodb:DeleteItem on resource: arn:aws:dynamodb:us-east-1:123456789012:table/" in answer["errorMessage"]
    assert cloud.out("WorkRoleArn") in answer["errorMessage"]


def test_pre_signed_urls_are_judged_when_signed(cloud):
    url, error = cloud.invoke("WorkName", {"do": "lend", "key": "lent/x", "seconds": 60})
    assert error is None
    assert "X-Amz-Expires=60" in url
    answer, error = cloud.invoke("WorkName", {"do": "lend", "key": "secret/x", "seconds": 60})
    assert error == "Unhandled"
    assert "s3:GetObject on resource" in answer["errorMessage"]


def test_an_asynchronous_call_does_not_wait(cloud):
    key = uuid.uuid4().hex
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.out("WorkName"),
        InvocationType="Event",
        Payload=json.dumps({"do": "put", "key": key}),
    )
    assert answer["StatusCode"] == 202
    table = cloud.client("dynamodb")
    found = eventually(
        lambda: table.get_item(TableName=cloud.out("TableName"), Key={"PK": {"S": key}, "SK": {"S": "-"}}).get("Item")
    )
    assert found["PK"] == {"S": key}


def test_calls_are_counted(cloud):
    cloud.local("calls?reset=1")
    cloud.invoke("WorkName", {"do": "put", "key": uuid.uuid4().hex})
    cloud.invoke("WorkName", {"do": "list-commands"})
    arn = cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.out("MachineArn"), input='{"park": false, "forbidden": false}'
    )["executionArn"]
    assert cloud.ended(arn)["status"] == "SUCCEEDED"
    status, calls = cloud.local("calls")
    assert status == 200
    by_function = calls.pop("byFunction")
    assert calls == {"stateTransitions": 2, "lambda": 3, "ssm": 1, "dynamodbReads": 0, "dynamodbWrites": 1}
    assert by_function["WorkFunction"] | {"lambda": 0} == {"lambda": 0, "ssm": 1, "dynamodbWrites": 1}
    assert sum(counts["lambda"] for counts in by_function.values()) == 3
    assert cloud.local("calls?reset=1")[1]["lambda"] == 3
    assert cloud.local("calls")[1]["lambda"] == 0
    assert cloud.local("calls")[1]["byFunction"] == {}


@pytest.mark.parametrize(("moment", "done"), [("before", False), ("after", True)])
def test_a_worker_can_be_killed_around_a_call_as_by_kill_9(cloud, moment, done):
    key = uuid.uuid4().hex
    cloud.faults(kill={"function": "WorkFunction", moment: "dynamodb:PutItem", "times": 1})
    answer, error = cloud.invoke("WorkName", {"do": "put", "key": key})
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.ExitError"
    assert answer["errorMessage"].endswith("Runtime exited with error: signal: 9")
    item = cloud.client("dynamodb").get_item(TableName=cloud.out("TableName"), Key={"PK": {"S": key}, "SK": {"S": "-"}})
    assert ("Item" in item) == done
    assert cloud.local("faults")[1]["kill"]["times"] == 0
    assert cloud.invoke("WorkName", {"do": "put", "key": key})[1] is None


def test_a_worker_that_dies_by_itself_uses_up_no_kill(cloud):
    cloud.faults(kill={"function": "WorkFunction", "after": "dynamodb:PutItem", "times": 1})
    assert cloud.invoke("WorkName", {"do": "die"})[0]["errorMessage"].endswith("exit status 3")
    assert cloud.local("faults")[1]["kill"]["times"] == 1


@pytest.mark.parametrize(
    ("faults", "text"),
    [
        ({"weather": 1}, "unknown fault 'weather'"),
        ({"events": {"lose": 2}}, "events.lose is 2: give a number from 0 to 1"),
        ({"events": {"eat": 1}}, "events.eat is not known"),
        ({"throttle": {"ec2:RunInstances": 1}}, "throttle.ec2:RunInstances is not known"),
        ({"kill": {"function": "F"}}, "kill.after is None"),
        ([1], "give the faults as a JSON object"),
    ],
)
def test_faults_that_are_not_understood(cloud, faults, text):
    status, answer = cloud.local("faults", faults)
    assert status == 400
    assert text in answer["message"]


def test_a_page_that_there_is_not(cloud):
    status, answer = cloud.local("nothing")
    assert status == 404
    assert "GET calls" in answer["message"]
