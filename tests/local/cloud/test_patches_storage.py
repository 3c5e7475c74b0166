"""What is put right on moto's tables, buckets and server, one assertion a row."""

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
