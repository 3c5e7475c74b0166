"""The door as API Gateway's REST proxy integration calls it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.unit.api.world import World

from tidegate.api import handle
from tidegate.api.lambda_proxy import to_request, to_response

BODY = '{"applicationName":"shop"}'


def event(**more: Any) -> dict[str, Any]:
    return {
        "httpMethod": "POST",
        "path": "/",
        "headers": {"X-Amz-Target": "CodeDeploy_20141006.CreateApplication"},
        "body": BODY,
        "isBase64Encoded": False,
        "requestContext": {"requestId": "r-1", "stage": "v1", "identity": {"userArn": "arn:alice"}},
        **more,
    }


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"body": base64.b64encode(BODY.encode()).decode(), "isBase64Encoded": True},
        {"headers": {"x-amz-target": "CodeDeploy_20141006.CreateApplication"}},
    ],
    ids=["plain", "base64", "lower case"],
)
def test_an_event_becomes_an_answer(world: World, more: dict[str, Any]) -> None:
    request = to_request(event(**more))
    assert (request.caller, request.request_id) == ("arn:alice", "r-1")
    answer = to_response(handle(request, world.services))
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["headers"]["x-amzn-RequestId"] == "r-1"
    assert json.loads(answer["body"])["applicationId"]


def test_an_event_with_nothing_in_it_is_an_error_of_the_clients(world: World) -> None:
    empty = {"httpMethod": "GET", "path": "/", "headers": None, "body": None, "requestContext": None}
    answer = to_response(handle(to_request(empty), world.services))
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["__type"] == "UnknownOperationException"
    assert answer["headers"]["x-amzn-RequestId"]
