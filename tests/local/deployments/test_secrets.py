"""Hooks read secrets with their host's own role: what it allows, and nothing else."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.local

REVISION = Path(__file__).parents[3] / "examples/secrets/revision"
ROLE = "tidegate-local-host"
PASSWORD = "correct horse battery staple"


@pytest.fixture
def allow(cloud: Any, request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], None]]:
    """Allow the hosts' role an action on a resource, for this test."""
    iam = cloud.client("iam")
    names: list[str] = []

    def put(action: str, resource: str) -> None:
        names.append(f"{request.node.name}-{len(names)}"[:128])
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=ROLE, PolicyName=names[-1], PolicyDocument=document)

    yield put
    for name in names:
        iam.delete_role_policy(RoleName=ROLE, PolicyName=name)


def example() -> dict[str, str]:
    return {str(p.relative_to(REVISION)): p.read_text() for p in REVISION.rglob("*") if p.is_file()}


def arn(name: str) -> str:
    return f"arn:aws:ssm:us-east-1:123456789012:parameter{name}"


def as_host(cloud: Any, host: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A boto3 session that has only what a program in the host has; hosts share this machine's network."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    for name, value in host["environment"].items():
        monkeypatch.setenv(name, value)
    return boto3.Session()


def test_the_example_reads_its_parameter_with_exactly_that_right(group: Any, cloud: Any, allow: Any) -> None:
    fleet = group(1)
    name = f"/{fleet.name}/group/password"
    cloud.client("ssm").put_parameter(Name=name, Value=PASSWORD, Type="SecureString")
    revision = fleet.upload(fleet.archive(example()))

    refused = fleet.deploy(revision)
    assert fleet.wait(refused)["status"] == "Failed"
    events = fleet.targets(refused)["host-1"]["lifecycleEvents"]
    diagnostics = next(e for e in events if e["lifecycleEventName"] == "AfterInstall")["diagnostics"]
    assert diagnostics["errorCode"] == "ScriptFailed"
    for part in (f"The parameter {name} cannot be read", "AccessDeniedException", arn(name), "Allow the role"):
        assert part in diagnostics["logTail"]

    allow("ssm:GetParameter", arn(name))
    deployed = fleet.deploy(revision)
    assert fleet.wait(deployed)["status"] == "Succeeded"
    assert cloud.read("host-1", "/srv/secrets-example/application.conf") == f"password={PASSWORD}\n"
    told = cloud.client("tidegate").get_logs(deploymentId=deployed, targetId=fleet.hosts[0]["id"])
    assert PASSWORD not in json.dumps(told["lines"], default=str)


def test_boto3_in_a_host_may_what_its_role_may(cloud: Any, allow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host = cloud.hosts[0]
    for name in ("/secrets-test/mine", "/secrets-test/other"):
        cloud.client("ssm").put_parameter(Name=name, Value=PASSWORD, Type="SecureString", Overwrite=True)
    cloud.client("secretsmanager").create_secret(Name="secrets-test", SecretString=PASSWORD)
    cloud.client("s3").create_bucket(Bucket="secrets-test")
    cloud.client("s3").put_object(Bucket="secrets-test", Key="open/a", Body=b"a")
    session = as_host(cloud, host, monkeypatch)
    ssm, manager, s3 = (session.client(service) for service in ("ssm", "secretsmanager", "s3"))

    assert session.client("sts").get_caller_identity()["Arn"].endswith(f":assumed-role/{ROLE}/{host['id']}")
    for refused in (
        lambda: ssm.get_parameter(Name="/secrets-test/mine"),
        lambda: ssm.get_parameters_by_path(Path="/secrets-test"),
        lambda: manager.get_secret_value(SecretId="secrets-test"),
        lambda: s3.get_object(Bucket="secrets-test", Key="open/a"),
        lambda: s3.put_object(Bucket="secrets-test", Key="open/a", Body=b"b"),
        lambda: session.client("ec2").describe_instances(),
        lambda: session.client("iam").put_role_policy(RoleName=ROLE, PolicyName="x", PolicyDocument="{}"),
        lambda: session.client("lambda").list_functions(),
        lambda: session.client("dynamodb").list_tables(),
    ):
        with pytest.raises(ClientError, match="not authorized to perform"):
            refused()

    allow("ssm:GetParameter", arn("/secrets-test/mine"))
    allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:123456789012:secret:secrets-test-??????")
    allow("s3:GetObject", "arn:aws:s3:::secrets-test/open/*")
    assert ssm.get_parameter(Name="/secrets-test/mine", WithDecryption=True)["Parameter"]["Value"] == PASSWORD
    assert manager.get_secret_value(SecretId="secrets-test")["SecretString"] == PASSWORD
    assert s3.get_object(Bucket="secrets-test", Key="open/a")["Body"].read() == b"a"
    with pytest.raises(ClientError, match="secrets-test/other"):
        ssm.get_parameter(Name="/secrets-test/other")
    with pytest.raises(ClientError, match="s3:PutObject"):
        s3.put_object(Bucket="secrets-test", Key="open/a", Body=b"b")


def test_a_forged_signature_is_refused(cloud: Any, allow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.client("ssm").put_parameter(Name="/secrets-test/forged", Value=PASSWORD, Type="SecureString")
    allow("ssm:GetParameter", arn("/secrets-test/forged"))
    credentials = as_host(cloud, cloud.hosts[0], monkeypatch).get_credentials().get_frozen_credentials()
    forger = boto3.client(
        "ssm",
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key="not the secret",
        aws_session_token=credentials.token,
    )
    with pytest.raises(ClientError, match="signature"):
        forger.get_parameter(Name="/secrets-test/forged")


def test_each_host_has_metadata_of_its_own_behind_a_token(cloud: Any) -> None:
    def ask(host: Mapping[str, Any], path: str, method: str = "GET", **headers: str) -> str:
        url = f"{host['environment']['AWS_EC2_METADATA_SERVICE_ENDPOINT']}/latest/{path}"
        request = urllib.request.Request(url, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    for host in cloud.hosts[:2]:
        assert host["environment"]["AWS_EC2_METADATA_SERVICE_ENDPOINT"].startswith(f"http://{host['address']}:")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(host, "meta-data/instance-id")
        token = ask(host, "api/token", "PUT", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        header = {"X-aws-ec2-metadata-token": token}
        assert ask(host, "meta-data/instance-id", **header) == host["id"]
        assert ask(host, "meta-data/iam/security-credentials/", **header) == ROLE
        identity = json.loads(ask(host, "dynamic/instance-identity/document", **header))
        assert (identity["instanceId"], identity["privateIp"]) == (host["id"], host["address"])
        assert "iam/" in ask(host, "meta-data", **header).split()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            ask(host, "meta-data/nothing", **header)


def test_hooks_have_nothing_of_the_coordinators(group: Any, cloud: Any) -> None:
    fleet = group(1)
    hooks = "hooks:\n  AfterInstall:\n    - location: env.sh\n"
    script = '#!/bin/sh\nenv | cut -d= -f1 | sort > "${TIDEGATE_HOST_ROOT:-}/var/tmp/hook-environment"\n'
    assert fleet.wait(fleet.deploy(fleet.push("x", hooks, {"env.sh": script})))["status"] == "Succeeded"
    names = cloud.read("host-1", "/var/tmp/hook-environment").split()
    ours = {name for name in names if name.startswith(("AWS_", "TIDEGATE_"))} - {
        "TIDEGATE_HOST_ROOT",
        "TIDEGATE_HOST_ADDRESS",
    }
    assert ours == {
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SSM_INSTANCE_ID",
        "AWS_SSM_REGION_NAME",
    }
