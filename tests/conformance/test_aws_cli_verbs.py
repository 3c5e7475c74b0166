"""Every verb of ``aws deploy`` and ``aws tidegate``, unmodified, over HTTP to a server that checks signatures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from moto.server import ThreadedMotoServer
from tests.conformance.aws_commands import aws
from tests.conformance.signed_server import ALICE, SignedServer
from tests.unit.api.world import ROLE

from tidegate.api import service_models
from tidegate.api.client_model import write_client_models

SERVICES = {"deploy": service_models.codedeploy(), "tidegate": service_models.tidegate()}


@pytest.fixture
def installation() -> Iterator[SignedServer]:
    server = SignedServer()
    yield server
    server.stop()


@pytest.fixture
def environment(installation: SignedServer, tmp_path: Path) -> dict[str, str]:
    write_client_models(tmp_path / "models")
    return {
        "AWS_ACCESS_KEY_ID": ALICE.access_key,
        "AWS_SECRET_ACCESS_KEY": ALICE.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_DATA_PATH": str(tmp_path / "models"),
        "AWS_ENDPOINT_URL_CODEDEPLOY": installation.url,
        "AWS_ENDPOINT_URL_TIDEGATE": installation.url,
    }


def sample(shape: Any, depth: int = 0) -> Any:
    """An input with the members that the model requires, and the ones whose names are known here."""
    named = {
        "applicationName": "nothing",
        "deploymentGroupName": "nothing",
        "currentDeploymentGroupName": "nothing",
        "deploymentId": "d-ZZZZZZZZZ",
    }
    if shape.type_name == "structure":
        wanted = [name for name in shape.members if name in shape.required_members or (not depth and name in named)]
        return {name: named.get(name) or sample(shape.members[name], depth + 1) for name in wanted}
    if shape.type_name == "list":
        return [sample(shape.member, depth + 1)]
    return {"boolean": True, "integer": 1, "long": 1, "timestamp": 1764000000}.get(shape.type_name, "nothing")


def test_every_verb_reaches_its_operation(installation: SignedServer, environment: dict[str, str]) -> None:
    commands, paths = [], []
    for command, model in SERVICES.items():
        for name in model.operation_names:
            shape = model.operation_model(name).input_shape
            given = sample(shape) if shape is not None else {}
            commands.append([command, xform_name(name, "-"), "--cli-input-json", json.dumps(given)])
            paths.append(name)
    done = aws(environment, commands)
    for name, each in zip(paths, done, strict=True):
        # What is asked for does not exist: the service refuses, not the client (252), and it has no fault of its own.
        assert each.status in (0, 254, 255), (name, each.stderr)
        found = re.search(r"An error occurred \((\w+)\)", each.stderr)
        assert each.status == 0 or (found and found[1] not in ("InternalFailure", "UnknownOperationException")), (
            name,
            each.stderr,
        )
    assert [path.split("/")[1] for path in installation.paths] == paths
    assert len(paths) >= 47 + 4


def test_a_life_of_an_application_by_the_command_line(
    installation: SignedServer, environment: dict[str, str], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "appspec.yml").write_text("version: 0.0\nos: linux\n")
    s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3.start()
    try:
        host, port = s3.get_host_and_port()
        with_s3 = environment | {"AWS_ENDPOINT_URL_S3": f"http://{host}:{port}"}
        application = ("--application-name", "shop")
        group = (*application, "--deployment-group-name", "prod")
        place = "bucket=releases,key=v1.zip,bundleType=zip"
        names = ["create-application", "create-deployment-group", "mb", "push", "list-application-revisions"]
        done = aws(
            with_s3,
            [
                ["deploy", "create-application", *application],
                ["deploy", "create-deployment-group", *group, "--service-role-arn", ROLE],
                ["s3", "mb", "s3://releases"],
                ["deploy", "push", *application, "--source", str(source), "--s3-location", "s3://releases/v1.zip"],
                ["deploy", "list-application-revisions", *application],
            ],
        )
        for name, each in zip(names, done, strict=True):
            assert each.status == 0, (name, each.stderr)
    finally:
        s3.stop()
    (pushed,) = done[-1].answer["revisions"]
    assert pushed["s3Location"]["key"] == "v1.zip"
    assert f"eTag={pushed['s3Location']['eTag']}" in done[3].stdout

    first = [
        ["deploy", "register-application-revision", *application, "--s3-location", place, "--description", "again"],
        ["deploy", "create-deployment", *group, "--s3-location", place, "--description", "go"],
        ["deploy", "create-deployment-config", "--deployment-config-name", "Two",
         "--minimum-healthy-hosts", "type=HOST_COUNT,value=2"],
    ]  # fmt: skip
    done = aws(environment, first)
    assert [each.status for each in done] == [0, 0, 0], [each.stderr for each in done]
    deployment = done[1].answer["deploymentId"]
    later = [
        ["deploy", "get-application", *application],
        ["deploy", "batch-get-applications", "--application-names", "shop"],
        ["deploy", "list-applications"],
        ["deploy", "update-application", *application],
        ["deploy", "get-deployment-group", *group],
        ["deploy", "batch-get-deployment-groups", *application, "--deployment-group-names", "prod"],
        ["deploy", "list-deployment-groups", *application],
        ["deploy", "update-deployment-group", *application, "--current-deployment-group-name", "prod",
         "--deployment-config-name", "Two"],
        ["deploy", "get-application-revision", *application, "--s3-location", place],
        ["deploy", "batch-get-application-revisions", *application, "--revisions",
         f"revisionType=S3,s3Location={{{place}}}"],
        ["deploy", "get-deployment", "--deployment-id", deployment],
        ["deploy", "batch-get-deployments", "--deployment-ids", deployment],
        ["deploy", "list-deployments", *group, "--include-only-statuses", "Created"],
        ["deploy", "list-deployments", "--create-time-range", "start=2025-11-24T00:00:00Z"],
        ["deploy", "get-deployment-config", "--deployment-config-name", "Two"],
        ["deploy", "list-deployment-configs"],
        ["deploy", "stop-deployment", "--deployment-id", deployment, "--no-auto-rollback-enabled"],
        ["tidegate", "list-decisions", "--deployment-id", deployment],
        ["tidegate", "list-installations", "--deployment-id", deployment],
        ["tidegate", "list-changes", "--application-name", "shop"],
    ]  # fmt: skip
    done = aws(environment, later)
    for words, each in zip(later, done, strict=True):
        assert each.status == 0, (words, each.stderr)
    assert done[0].answer["application"]["applicationName"] == "shop"
    assert done[10].answer["deploymentInfo"]["description"] == "go"
    assert done[12].answer["deployments"] == done[13].answer["deployments"] == [deployment]
    assert done[16].answer["status"] == "Pending"
    assert [each["operation"] for each in done[19].answer["changes"]].count("CreateDeployment") == 1

    installation.world.end(deployment)
    last = [
        ["deploy", "wait", "deployment-successful", "--deployment-id", deployment],
        ["deploy", "delete-deployment-group", *group],
        ["deploy", "delete-deployment-config", "--deployment-config-name", "Two"],
        ["deploy", "delete-application", *application],
    ]
    done = aws(environment, last)
    assert [each.status for each in done] == [0, 0, 0, 0], [each.stderr for each in done]
    assert installation.world.call("ListApplications")["applications"] == []
