"""Acting as service roles: sessions, refusals, and who is acted as when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber

from tidegate.acting import Acting
from tidegate.gateways.errors import DeniedError, ThrottledError
from tidegate.gateways.instances import Instances
from tidegate.gateways.service_roles import (
    RoleMissingError,
    RolePermissionsError,
    RoleSession,
    RoleSettings,
    ServiceRoles,
)

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/path/tidegate-web"
SETTINGS = RoleSettings(always=True, allowed=("arn:aws:iam::*:role/path/tidegate-*",), external_id="shop-17")


def refusing(stubbed: Callable[[str], tuple[Any, Stubber]], code: str, look: str | None) -> ServiceRoles:
    """Roles that STS refuses with ``code``; looking at one then gives ``look``, or the role where that is empty."""
    sts, stub = stubbed("sts")
    stub.add_client_error("assume_role", code, "no")
    clients = {"sts": sts}
    if look is not None:
        clients["iam"], stub = stubbed("iam")
        role = {"Path": "/path/", "RoleName": "tidegate-web", "RoleId": "A" * 16, "Arn": ROLE}
        if look:
            stub.add_client_error("get_role", look)
        else:
            stub.add_response("get_role", {"Role": {**role, "CreateDate": 0}}, {"RoleName": "tidegate-web"})
    return ServiceRoles(clients.__getitem__, SETTINGS, ACCOUNT)


def test_a_session_is_asked_for_with_the_external_id(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stub = stubbed("sts")
    keys = {"AccessKeyId": "ASIA" + "A" * 16, "SecretAccessKey": "secret", "SessionToken": "token"}
    asked = {
        "RoleArn": ROLE,
        "RoleSessionName": "tidegate-d-1",
        "DurationSeconds": 3600,
        "ExternalId": "shop-17",
    }
    expires = datetime(2026, 11, 26, 12, tzinfo=UTC)
    stub.add_response("assume_role", {"Credentials": {**keys, "Expiration": expires}}, asked)
    session = ServiceRoles(lambda _: client, SETTINGS, ACCOUNT).assume(ROLE, "tidegate-d-1")
    assert session.expires == expires.timestamp()
    assert session.keys == {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": "secret",
        "aws_session_token": "token",
    }


def test_a_role_that_is_not_allowed_is_never_asked_for() -> None:
    def nobody(service: str) -> Any:
        raise AssertionError(f"{service} was called")

    for arn in (f"arn:aws:iam::{ACCOUNT}:role/other", f"arn:aws:iam::{ACCOUNT}:role/tidegate-web"):
        with pytest.raises(RolePermissionsError, match="ServiceRoleArns"):
            ServiceRoles(nobody, SETTINGS, ACCOUNT).assume(arn, "tidegate-d-1")


def test_a_role_that_is_gone_and_one_that_does_not_trust_are_told_apart(
    stubbed: Callable[[str], tuple[Any, Stubber]],
) -> None:
    with pytest.raises(RoleMissingError, match=f"no IAM role {ROLE}"):
        refusing(stubbed, "AccessDenied", "NoSuchEntity").assume(ROLE, "tidegate-d-1")
    with pytest.raises(RolePermissionsError, match=r"trust policy must allow sts:AssumeRole.* external id"):
        refusing(stubbed, "AccessDenied", "").assume(ROLE, "tidegate-d-1")
    with pytest.raises(RolePermissionsError, match="trust policy"):
        refusing(stubbed, "AccessDenied", "AccessDenied").assume(ROLE, "tidegate-d-1")


def test_a_role_of_another_account_is_not_looked_for(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    with pytest.raises(RolePermissionsError, match="cannot be assumed"):
        refusing(stubbed, "AccessDenied", None).assume(ROLE.replace(ACCOUNT, "210987654321"), "tidegate-d-1")


def test_a_throttled_sts_is_not_the_roles_fault(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    with pytest.raises(ThrottledError, match="AWS STS"):
        refusing(stubbed, "Throttling", None).assume(ROLE, "tidegate-d-1")


# --- who is acted as


class Roles(ServiceRoles):
    """Sessions without STS; each is good for an hour of the test's clock."""

    def __init__(self) -> None:
        super().__init__(lambda _: None, SETTINGS, ACCOUNT)
        self.now = 1000.0
        self.assumed: list[tuple[str, str]] = []

    def assume(self, role_arn: str, name: str) -> RoleSession:
        self.assumed.append((role_arn, name))
        number = len(self.assumed)
        keys = {"aws_access_key_id": f"ASIA{number}", "aws_secret_access_key": "s", "aws_session_token": "t"}
        return RoleSession(keys, self.now + 3600)


def make(service: str, **keys: str) -> Any:
    return boto3.client(service, region_name="us-east-1", **keys)  # type: ignore[call-overload]


def key_of(client: Any) -> str:
    return str(client._request_signer._credentials.access_key)


@pytest.fixture
def roles() -> Roles:
    return Roles()


@pytest.fixture
def acting(roles: Roles) -> Acting:
    return Acting(make, roles, lambda: roles.now)


def test_a_kept_client_acts_for_whoever_is_acted_for(acting: Acting, roles: Roles) -> None:
    def key() -> str:
        return str(acting.client("ec2")._request_signer._credentials.access_key)

    kept = acting.client("ec2")
    assert key() == "testing", "nobody is acted for yet"
    acting.act_for(ROLE, "d-1")
    assert kept._request_signer._credentials.access_key == "ASIA1"
    acting.act_for(ROLE, "d-2")
    assert key() == "ASIA2"
    acting.act_for(ROLE, "d-1")
    assert key() == "ASIA1"
    acting.act_for(None, "d-3")
    assert key() == "testing"
    assert roles.assumed == [(ROLE, "tidegate-d-1"), (ROLE, "tidegate-d-2")]


def test_a_session_is_used_while_it_is_good_for_a_whole_call(acting: Acting, roles: Roles) -> None:
    acting.act_for(ROLE, "d-1")
    assert key_of(acting.current("ec2")) == key_of(acting.current("elbv2")) == "ASIA1"
    roles.now += 2600
    assert key_of(acting.current("ec2")) == "ASIA1"
    roles.now += 200
    assert key_of(acting.current("ec2")) == "ASIA2"


def test_few_sessions_are_held(acting: Acting, roles: Roles) -> None:
    for number in range(6):
        acting.act_for(ROLE, f"d-{number}")
        acting.current("ec2")
    acting.act_for(ROLE, "d-5")
    acting.current("ec2")
    assert len(roles.assumed) == 6
    acting.act_for(ROLE, "d-0")
    acting.current("ec2")
    assert len(roles.assumed) == 7


@pytest.mark.usefixtures("_own_credentials")
def test_without_roles_the_client_is_the_plain_one() -> None:
    acting = Acting(make, None, lambda: 0.0)
    acting.act_for(ROLE, "d-1")
    client = acting.client("ec2")
    assert key_of(client) == "testing"
    assert acting.client("ec2") is client


class Answers:
    """Answers every request of a client in place of the network."""

    def __init__(self, client: Any, status: int, body: str) -> None:
        class Raw:
            def stream(self, **_: Any) -> Any:
                yield body.encode()

        def answer(request: Any, **_: Any) -> Any:
            return AWSResponse(request.url, status, {"content-type": "text/xml"}, Raw())

        client.meta.events.register("before-send", answer)


UNAUTHORIZED = (
    "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized.</Message></Error>"
    "</Errors><RequestID>x</RequestID></Response>"
)


def test_a_right_that_the_role_lacks_is_the_roles_fault_and_named(acting: Acting) -> None:
    group = {"ec2TagFilters": [{"Key": "a", "Value": "b"}]}
    acting.act_for(ROLE, "d-1")
    Answers(acting.current("ec2"), 403, UNAUTHORIZED)
    with pytest.raises(RolePermissionsError) as caught:
        Instances(acting.client).selected_by(group)
    assert all(word in str(caught.value) for word in (ROLE, "ec2:DescribeInstances", "(EC2)", "policies"))
    acting.act_for(None, "d-1")
    Answers(acting.current("ec2"), 403, UNAUTHORIZED)
    with pytest.raises(DeniedError, match="UnauthorizedOperation"):
        Instances(acting.client).selected_by(group)


def test_services_are_named_as_iam_names_them(acting: Acting) -> None:
    acting.act_for(ROLE, "d-1")
    client = acting.current("cloudwatch")
    refused = {
        "http_response": SimpleNamespace(status_code=403),
        "parsed": {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {}},
        "model": client.meta.service_model.operation_model("DescribeAlarms"),
        "context": {},
    }
    with pytest.raises(RolePermissionsError, match="cloudwatch:DescribeAlarms"):
        client.meta.events.emit("after-call.cloudwatch.DescribeAlarms", **refused)
