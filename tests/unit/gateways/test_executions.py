"""Executions are started once, and tokens answered once; what was done before counts as done."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from tidegate.gateways.errors import DeniedError, ThrottledError, UnavailableError
from tidegate.gateways.executions import Executions
from tidegate.gateways.progress import Progress

Stubs = Callable[[str], tuple[Any, Stubber]]
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
STARTED = {"executionArn": "arn:aws:states:us-east-1:123456789012:execution:m:x", "startDate": 0}


def test_the_name_of_an_execution_holds_its_generation(stubbed: Stubs) -> None:
    client, stub = stubbed("stepfunctions")
    state = json.dumps({"deploymentId": "d-1", "generation": 3, "pass": 0})
    stub.add_response("start_execution", STARTED, {"stateMachineArn": MACHINE, "name": "d-1-3", "input": state})
    Executions(client, MACHINE).start("d-1", 3)
    stub.assert_no_pending_responses()


def test_an_execution_that_was_started_before_counts_as_started(stubbed: Stubs) -> None:
    client, stub = stubbed("stepfunctions")
    stub.add_client_error("start_execution", "ExecutionAlreadyExists")
    Executions(client, MACHINE).start("d-1", 1)
    stub.assert_no_pending_responses()


def test_the_status_of_an_execution_is_asked_by_its_name(stubbed: Stubs) -> None:
    client, stub = stubbed("stepfunctions")
    arn = MACHINE.replace("stateMachine", "execution") + ":d-1-2"
    answer = {"executionArn": arn, "stateMachineArn": MACHINE, "status": "ABORTED", "startDate": 0}
    stub.add_response("describe_execution", answer, {"executionArn": arn})
    stub.add_client_error("describe_execution", "ExecutionDoesNotExist")
    stub.add_client_error("describe_execution", "ThrottlingException", "says the service")
    executions = Executions(client, MACHINE)
    assert executions.status("d-1", 2) == "ABORTED"
    assert executions.status("d-1", 3) is None
    with pytest.raises(ThrottledError, match="says the service"):
        executions.status("d-1", 3)


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_token_nobody_waits_on_counts_as_answered(stubbed: Stubs, code: str) -> None:
    client, stub = stubbed("stepfunctions")
    stub.add_client_error("send_task_success", code, expected_params={"taskToken": "t", "output": "{}"})
    Executions(client, MACHINE).wake("t")
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", ThrottledError),
        ("AccessDeniedException", DeniedError),
        ("StateMachineDoesNotExist", UnavailableError),
    ],
)
@pytest.mark.parametrize("call", ["start_execution", "send_task_success"])
def test_other_refusals_are_told(stubbed: Stubs, call: str, code: str, error: type[Exception]) -> None:
    client, stub = stubbed("stepfunctions")
    stub.add_client_error(call, code, "says the service")
    executions = Executions(client, MACHINE)
    with pytest.raises(error, match="says the service"):
        executions.start("d-1", 1) if call == "start_execution" else executions.wake("t")


# --- progress objects


@pytest.fixture
def bucket(cloud: Callable[[str], Any]) -> Any:
    client = cloud("s3")
    client.create_bucket(Bucket="own")
    return client


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"stage":"host","events":[["Install","InProgress",1,null]]}', True),
        (b'{"events":{}}', False),
        (b"[]", False),
        (b"not json", False),
        (b"\xff\xfe", False),
        (b"", False),
        (b'{"events":[' + b" " * (1 << 20) + b"]}", False),
    ],
)
def test_progress_is_read_as_far_as_it_has_a_shape(bucket: Any, body: bytes, expected: bool) -> None:
    bucket.put_object(Bucket="own", Key="progress/d-1/i-1.json", Body=body)
    found = Progress(bucket, "own").read("d-1", "i-1")
    assert (found is not None) == expected


def test_a_host_that_has_told_nothing_yet_has_no_progress(bucket: Any) -> None:
    assert Progress(bucket, "own").read("d-1", "i-2") is None


def test_a_denied_read_is_told(stubbed: Stubs) -> None:
    client, stub = stubbed("s3")
    stub.add_client_error("get_object", "AccessDenied")
    with pytest.raises(DeniedError, match="reading progress"):
        Progress(client, "own").read("d-1", "i-1")
