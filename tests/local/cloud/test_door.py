"""The HTTP door: who is let in, and what the function sees."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tidegate_local.adapters.routes import find, read_routes
from tidegate_local.adapters.sigv4 import Caller, SignatureError, verify
from tidegate_local.template import TemplateError

local = pytest.mark.local


def signed(url, keys, *, method="POST", body=b"{}", service="execute-api", headers=None, token=None):
    request = AWSRequest(method, url, headers={"Content-Type": "application/json", **(headers or {})}, data=body)
    SigV4Auth(Credentials(*keys, token), service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


def send(url, headers, *, method="POST", body=b"{}"):
    request = urllib.request.Request(url, data=body if method == "POST" else None, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.load(error)


@pytest.fixture
def door(cloud):
    return cloud.state.environment["AWS_ENDPOINT_URL_CODEDEPLOY"]


@pytest.fixture
def admin(cloud):
    environment = cloud.state.environment
    return environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]


@local
def test_the_administrator_is_let_in(cloud, door, admin):
    body = json.dumps({"word": "grüß"}).encode()
    headers = signed(f"{door}/", admin, body=body, headers={"X-Amz-Target": "Shop_1.Buy"})
    status, answer_headers, answer = send(f"{door}/", headers, body=body)
    assert (status, answer_headers["X-Kind"]) == (201, "echo")
    event = answer["event"]
    assert answer_headers["x-amzn-RequestId"] == event["requestContext"]["requestId"]
    assert (event["httpMethod"], event["path"], event["resource"]) == ("POST", "/", "/")
    assert json.loads(event["body"]) == {"word": "grüß"}
    assert event["isBase64Encoded"] is False
    assert event["multiValueHeaders"]["X-Amz-Target"] == ["Shop_1.Buy"]
    context = event["requestContext"]
    assert (context["stage"], context["path"]) == ("v1", "/v1/")
    assert context["identity"]["userArn"] == "arn:aws:iam::123456789012:user/administrator"
    assert context["identity"]["accountId"] == "123456789012"
    assert context["identity"]["accessKey"] == admin[0]


@local
def test_parameters_of_path_and_query(door, admin):
    url = f"{door}/things/a%20b%2Fc/d/e?x=1&x=2&y=%2B"
    status, _, answer = send(url, signed(url, admin, method="GET", body=b""), method="GET")
    assert status == 201
    event = answer["event"]
    assert event["pathParameters"] == {"name": "a b/c", "rest": "d/e"}
    assert event["path"] == "/things/a%20b%2Fc/d/e"
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": ["+"]}
    assert event["queryStringParameters"] == {"x": "2", "y": "+"}
    assert event["body"] is None


@local
def test_bytes_that_are_no_text_come_in_base64(door, admin):
    status, _, answer = send(f"{door}/", signed(f"{door}/", admin, body=b"\xff\x00"), body=b"\xff\x00")
    assert status == 201
    assert (answer["event"]["body"], answer["event"]["isBase64Encoded"]) == ("/wA=", True)


@local
@pytest.mark.parametrize(
    ("case", "kind", "text"),
    [
        ("unsigned", "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ("nonsense", "IncompleteSignatureException", "Authorization header requires"),
        ("other service", "InvalidSignatureException", "correct service: 'execute-api'"),
        ("other secret", "InvalidSignatureException", "signature we calculated does not match"),
        ("other key", "UnrecognizedClientException", "security token included in the request is invalid"),
        ("other body", "InvalidSignatureException", "does not match"),
        ("other path", "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ("other stage", "ForbiddenException", "Forbidden"),
    ],
)
def test_who_is_refused(door, admin, case, kind, text):
    url = {"other path": f"{door}/nowhere", "other stage": door.replace("/v1", "/v2") + "/"}.get(case, f"{door}/")
    keys = {"other secret": (admin[0], "x" * 40), "other key": ("AKIAXXXXXXXXXXXXXXXX", admin[1])}.get(case, admin)
    headers = signed(url, keys, service="codedeploy" if case == "other service" else "execute-api")
    if case == "unsigned":
        del headers["Authorization"]
    if case == "nonsense":
        headers["Authorization"] = "Bearer token"
    status, answer_headers, answer = send(url, headers, body=b'{"changed": 1}' if case == "other body" else b"{}")
    assert status == 403
    assert answer_headers["x-amzn-ErrorType"] == kind
    assert text in answer["message"]
    assert answer_headers["x-amzn-RequestId"]


@local
def test_a_users_policies_decide(cloud, door):
    iam, name = cloud.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = (key["AccessKeyId"], key["SecretAccessKey"])
    status, headers, answer = send(f"{door}/", signed(f"{door}/", keys))
    assert (status, headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")
    assert f"user/{name} is not authorized to perform: execute-api:Invoke" in answer["message"]
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:*/v1/POST/"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="in", PolicyDocument=document)
    status, _, answer = send(f"{door}/", signed(f"{door}/", keys))
    assert status == 201
    assert answer["event"]["requestContext"]["identity"]["userArn"].endswith(f":user/{name}")
    iam.update_access_key(UserName=name, AccessKeyId=keys[0], Status="Inactive")
    assert send(f"{door}/", signed(f"{door}/", keys))[0] == 403


@local
def test_the_session_of_a_role_is_let_in_with_its_token(cloud, door):
    iam, name = cloud.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(allow))
    session = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
    keys = (session["AccessKeyId"], session["SecretAccessKey"])
    status, _, answer = send(f"{door}/", signed(f"{door}/", keys, token=session["SessionToken"]))
    assert status == 201
    assert answer["event"]["requestContext"]["identity"]["userArn"].endswith(f":assumed-role/{name}/me")
    status, headers, _ = send(f"{door}/", signed(f"{door}/", keys))
    assert (status, headers["x-amzn-ErrorType"]) == (403, "UnrecognizedClientException")


@local
def test_a_connection_is_used_again_after_a_refusal(door, admin):
    parts = urlsplit(door)
    headers = {**signed(f"{door}/", admin), "Host": parts.netloc, "Content-Length": "2"}
    good = "POST /v1/ HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n{}"
    bad = f"POST /v1/nowhere HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 5\r\n\r\nhello"
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        file = connection.makefile("rb")
        for request, expected in ((bad, b"403"), (good, b"201"), (bad, b"403")):
            connection.sendall(request.encode())
            assert file.readline().split()[1] == expected
            length = 0
            while (line := file.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            file.read(length)


# -- pure -------------------------------------------------------------------------------------------------------------

CALLER = Caller("AKIA", "secret", "123456789012", "arn:user", "id")


@pytest.mark.parametrize(("minutes", "fine"), [(0, True), (4, True), (-4, True), (6, False), (-6, False)])
def test_a_signature_is_good_for_five_minutes(minutes, fine):
    url = "http://h/v1/a%2Fb?b=2&a=1"
    headers = {name.lower(): value for name, value in signed(url, ("AKIA", "secret")).items()} | {"host": "h"}
    now = datetime.now(UTC) + timedelta(minutes=minutes)
    if fine:
        assert verify("POST", url, headers, b"{}", "execute-api", {"AKIA": CALLER}.get, now) is CALLER
    else:
        with pytest.raises(SignatureError, match="Signature expired"):
            verify("POST", url, headers, b"{}", "execute-api", {"AKIA": CALLER}.get, now)


INTEGRATION = {
    "x-amazon-apigateway-integration": {
        "type": "aws_proxy",
        "uri": "arn:aws:apigateway:r:lambda:path/2015-03-31/functions/arn:aws:lambda:r:1:function:f/invocations",
    }
}


def test_the_more_exact_route_wins():
    paths = ["/{all+}", "/things/{id}", "/things/new", "/"]
    routes = read_routes({"paths": {path: {"get": INTEGRATION} for path in paths}})
    for path, resource, parameters in (
        ("/", "/", {}),
        ("/things/new", "/things/new", {}),
        ("/things/7", "/things/{id}", {"id": "7"}),
        ("/things/7/parts", "/{all+}", {"all": "things/7/parts"}),
    ):
        found = find(routes, "GET", path)
        assert found is not None
        assert (found.route.resource, found.parameters) == (resource, parameters)
        assert found.route.signed is False
    assert find(routes, "DELETE", "/things/7") is None


def test_other_integrations_are_refused():
    body = {"paths": {"/": {"get": {"x-amazon-apigateway-integration": {"type": "http", "uri": "http://x"}}}}}
    with pytest.raises(TemplateError, match="GET /: only Lambda proxy"):
        read_routes(body)
