"""What is put right on moto, one assertion a row: a new moto that moved a hook shows here."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tidegate_local.patches.s3 import expired, refuse_post

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


# -- DynamoDB ---------------------------------------------------------------------------------------------------------


def put(cloud, key, **more):
    return {
        "Put": {
            "TableName": cloud.out("TableName"),
            "Item": {"PK": {"S": key}, "SK": {"S": "-"}, "n": {"N": "1"}},
            **more,
        }
    }


def get(cloud, key):
    answer = cloud.client("dynamodb").get_item(
        TableName=cloud.out("TableName"), Key={"PK": {"S": key}, "SK": {"S": "-"}}, ConsistentRead=True
    )
    return answer.get("Item")


def test_cancelled_transactions_lose_no_one_elses_writes(cloud):
    client, table = cloud.client("dynamodb"), cloud.out("TableName")
    counter, other = unique("counter"), unique("other")

    def add():
        for _ in range(40):
            client.update_item(
                TableName=table,
                Key={"PK": {"S": counter}, "SK": {"S": "-"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    def cancel():
        for number in range(20):
            impossible = put(cloud, f"{other}-{number}", ConditionExpression="attribute_exists(PK)")
            with pytest.raises(client.exceptions.TransactionCanceledException):
                client.transact_write_items(TransactItems=[put(cloud, f"{other}-x{number}"), impossible])

    threads = [threading.Thread(target=target) for target in (add, add, cancel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get(cloud, counter)["n"] == {"N": "80"}
    assert get(cloud, f"{other}-x0") is None


def test_a_cancelled_transaction_gives_its_reasons_and_the_item(cloud):
    client, key = cloud.client("dynamodb"), unique("reason")
    client.transact_write_items(TransactItems=[put(cloud, key)])
    again = put(
        cloud, key, ConditionExpression="attribute_not_exists(PK)", ReturnValuesOnConditionCheckFailure="ALL_OLD"
    )
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=[put(cloud, unique("fine")), again])
    reasons = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert reasons[1]["Item"]["PK"] == {"S": key}


def test_conditions_of_a_transaction_are_judged_before_its_first_write(cloud):
    client, key = cloud.client("dynamodb"), unique("before")
    absent = {
        "ConditionCheck": {
            "TableName": cloud.out("TableName"),
            "Key": {"PK": {"S": f"{key}-2"}, "SK": {"S": "-"}},
            "ConditionExpression": "attribute_not_exists(PK)",
        }
    }
    client.transact_write_items(TransactItems=[put(cloud, key), absent])
    assert get(cloud, key)["n"] == {"N": "1"}
    with pytest.raises(ClientError, match="multiple operations on one item"):
        client.transact_write_items(TransactItems=[put(cloud, key), put(cloud, key)])


def test_an_invalid_transaction_leaves_nothing(cloud):
    client, first, second = cloud.client("dynamodb"), unique("undo"), unique("text")
    table = cloud.out("TableName")
    client.put_item(TableName=table, Item={"PK": {"S": second}, "SK": {"S": "-"}, "n": {"S": "text"}})
    update = {
        "Update": {
            "TableName": table,
            "Key": {"PK": {"S": second}, "SK": {"S": "-"}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    with pytest.raises(ClientError):
        client.transact_write_items(TransactItems=[put(cloud, first), update])
    assert get(cloud, first) is None
    assert get(cloud, second)["n"] == {"S": "text"}


def test_a_request_token_applies_a_transaction_once(cloud):
    client, key, token = cloud.client("dynamodb"), unique("token"), uuid.uuid4().hex
    add = {
        "Update": {
            "TableName": cloud.out("TableName"),
            "Key": {"PK": {"S": key}, "SK": {"S": "-"}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    for _ in range(3):
        client.transact_write_items(TransactItems=[add], ClientRequestToken=token)
    assert get(cloud, key)["n"] == {"N": "1"}
    with pytest.raises(client.exceptions.IdempotentParameterMismatchException):
        client.transact_write_items(TransactItems=[put(cloud, unique("else"))], ClientRequestToken=token)


# -- S3, the server ---------------------------------------------------------------------------------------------------


def status_of(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_pre_signed_urls_expire(cloud):
    s3 = cloud.client("s3", signature_version="s3v4")
    s3.put_object(Bucket=cloud.out("BucketName"), Key="lent/a", Body=b"text")
    params = {"Bucket": cloud.out("BucketName"), "Key": "lent/a"}
    url = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=60)
    assert status_of(url) == (200, "text")
    short = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=1)
    time.sleep(2.1)
    status, text = status_of(short)
    assert status == 403
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in text


def post(url, fields, content=b"{}"):
    boundary = uuid.uuid4().hex
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    body = ("".join(parts) + head).encode() + content + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(
        url, data=body, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}
    )
    return status_of(request)


def test_a_pre_signed_post_is_bound_to_its_prefix(cloud):
    s3 = cloud.client("s3", signature_version="s3v4")
    bucket = cloud.out("BucketName")
    granted = s3.generate_presigned_post(bucket, "progress/d-1/${filename}", ExpiresIn=60)
    fields = granted["fields"]
    assert post(granted["url"], {**fields, "key": "progress/d-1/host.json"}, b'{"a": 1}')[0] == 204
    assert s3.get_object(Bucket=bucket, Key="progress/d-1/host.json")["Body"].read() == b'{"a": 1}'
    status, text = post(granted["url"], {**fields, "key": "orders/d-1/x.json"})
    assert status == 403
    assert "Policy Condition failed" in text
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="orders/d-1/")


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def policy(*conditions, seconds=60):
    expiration = (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return base64.b64encode(json.dumps({"expiration": expiration, "conditions": conditions}).encode()).decode()


@pytest.mark.parametrize(
    ("document", "fields", "refusal"),
    [
        (policy({"bucket": "b"}, ["starts-with", "$key", "p/"]), {"bucket": "b", "key": "p/x"}, None),
        (policy(["starts-with", "$key", "p/"]), {"key": "q/x"}, "starts-with"),
        (policy(["eq", "$key", "k"]), {"key": "k2"}, "eq"),
        (policy({"bucket": "b"}), {"bucket": "c"}, "bucket"),
        (policy(seconds=-1), {}, "Policy expired"),
        ("bm90IGpzb24=", {}, "Invalid JSON"),
    ],
)
def test_post_policies(document, fields, refusal):
    answer = refuse_post(document, fields, NOW)
    assert (answer is None) if refusal is None else (refusal in answer)


def test_the_moment_a_url_expires():
    query = f"X-Amz-Date={NOW:%Y%m%dT%H%M%SZ}&X-Amz-Expires=60"
    assert not expired(query, NOW + timedelta(seconds=60))
    assert expired(query, NOW + timedelta(seconds=61))
    assert not expired("X-Amz-Expires=60", NOW)


def test_calls_are_throttled_that_often(cloud):
    cloud.faults(throttle={"ssm:ListCommands": 2})
    ssm = cloud.client("ssm")
    codes = []
    for _ in range(3):
        try:
            ssm.list_commands()
            codes.append("fine")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert codes == ["ThrottlingException", "ThrottlingException", "fine"]
