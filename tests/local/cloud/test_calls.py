"""Which operation an HTTP request calls: each protocol, by the requests that boto3 really makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from tidegate_local.policy.calls import AwsCall, read_call
from tidegate_local.policy.place import Place
from tidegate_local.policy.requests import needs

PLACE = Place("123456789012", "us-east-1")

CASES: dict[str, tuple[str, Callable[[Any], Any], list[tuple[str, str]]]] = {
    "json": (
        "ssm",
        lambda client: client.get_parameter(Name="/a/b"),
        [("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/a/b")],
    ),
    "a version": (
        "ssm",
        lambda client: client.get_parameter(Name="/a/b:3"),
        [("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/a/b")],
    ),
    "several": (
        "ssm",
        lambda client: client.get_parameters(Names=["/a", "b"]),
        [("ssm:GetParameters", f"arn:aws:ssm:us-east-1:123456789012:parameter/{name}") for name in "ab"],
    ),
    "a path": (
        "ssm",
        lambda client: client.get_parameters_by_path(Path="/a/"),
        [("ssm:GetParametersByPath", "arn:aws:ssm:us-east-1:123456789012:parameter/a/")],
    ),
    "another name": ("stepfunctions", lambda client: client.list_state_machines(), [("states:ListStateMachines", "*")]),
    "query": ("ec2", lambda client: client.describe_instances(), [("ec2:DescribeInstances", "*")]),
    "query with a resource": (
        "sns",
        lambda client: client.publish(TopicArn="arn:aws:sns:us-east-1:123456789012:t", Message="m"),
        [("sns:Publish", "arn:aws:sns:us-east-1:123456789012:t")],
    ),
    "get object": (
        "s3",
        lambda client: client.get_object(Bucket="b", Key="k/l m"),
        [("s3:GetObject", "arn:aws:s3:::b/k/l m")],
    ),
    "get object version": (
        "s3",
        lambda client: client.get_object(Bucket="b", Key="k", VersionId="1"),
        [("s3:GetObjectVersion", "arn:aws:s3:::b/k")],
    ),
    "put object": (
        "s3",
        lambda client: client.put_object(Bucket="b", Key="k", Body=b""),
        [("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    "copy object": (
        "s3",
        lambda client: client.copy_object(Bucket="b", Key="k", CopySource={"Bucket": "from", "Key": "a"}),
        [("s3:GetObject", "arn:aws:s3:::from/a"), ("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    "list bucket": (
        "s3",
        lambda client: client.list_objects_v2(Bucket="b", Prefix="p/"),
        [("s3:ListBucket", "arn:aws:s3:::b")],
    ),
    "list buckets": ("s3", lambda client: client.list_buckets(), [("s3:ListAllMyBuckets", "*")]),
    "tags of an object": (
        "s3",
        lambda client: client.get_object_tagging(Bucket="b", Key="k"),
        [("s3:GetObjectTagging", "arn:aws:s3:::b/k")],
    ),
    "rest json": (
        "lambda",
        lambda client: client.invoke(FunctionName="f", Payload=b"{}"),
        [("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:f")],
    ),
}


def sent_by(service: str, act: Callable[[Any], Any]) -> AwsCall | None:
    """What is read from the request that a client sends for a call."""
    client = boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret",
    )
    seen: list[Any] = []

    def instead(request: Any, **_: Any) -> AWSResponse:
        seen.append(request)
        return AWSResponse(request.url, 403, {}, None)

    client.meta.events.register_first("before-send.*.*", instead)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it makes of the answer
        act(client)
    request = seen[0]
    path, _, query = request.url.removeprefix("http://127.0.0.1:1").partition("?")
    texts = {n.lower(): v.decode() if isinstance(v, bytes) else str(v) for n, v in request.headers.items()}
    scope = texts["authorization"].split("Credential=")[1].split("/")[3]
    body = request.body if isinstance(request.body, (bytes, str)) else b""
    return read_call(scope, request.method, path, query, texts, body.encode() if isinstance(body, str) else body)


@pytest.mark.parametrize("case", CASES)
def test_requests_are_read(case: str) -> None:
    service, act, wanted = CASES[case]
    call = sent_by(service, act)
    assert call is not None
    assert needs(call.service, call.operation, call.params, PLACE) == wanted


def test_what_is_no_call_is_none() -> None:
    assert read_call("no-such-service", "GET", "/", "", {}, b"") is None
    assert read_call("s3", "BREW", "/b/k", "", {}, b"") is None
