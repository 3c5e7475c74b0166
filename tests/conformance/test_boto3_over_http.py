"""Real clients over real HTTP: unmodified boto3 and AWS CLI, with the models made for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from tests.unit.api.world import ROLE, World, s3
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tidegate.api import ApiRequest, handle, service_models
from tidegate.api.client_model import write_client_models
from tidegate.store.table import Put, sort_time


class Server:
    """The API behind a socket; remembers the headers it saw."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.authorizations: list[str] = []
        self.paths: list[str] = []
        self._server = make_server("127.0.0.1", 0, self._app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        return self._response(Request(environ))(environ, start_response)

    def _response(self, request: Request) -> Response:
        self.authorizations.append(request.headers.get("Authorization", ""))
        # Not decoded, as API Gateway hands it over.
        stage, _, rest = str(request.environ["REQUEST_URI"]).lstrip("/").partition("/")
        assert stage == "v1"
        self.paths.append(f"/{rest}")
        sent = ApiRequest(request.method, f"/{rest}", dict(request.headers), request.get_data(), caller="arn:x")
        answer = handle(sent, self.world.services)
        return Response(answer.body, answer.status, dict(answer.headers))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(World())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_client_models(folder)
    return folder


@pytest.fixture
def environment(server: Server, models: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a user sets to talk to Tidegate."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    found = {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_DATA_PATH": str(models),
        "AWS_ENDPOINT_URL_CODEDEPLOY": server.url,
        "AWS_ENDPOINT_URL_TIDEGATE": server.url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PAGER": "",
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def client(environment: dict[str, str]) -> Any:
    return boto3.session.Session().client("codedeploy", config=Config(retries={"max_attempts": 1}))


def own_client() -> Any:
    session: Any = boto3.session.Session()
    return session.client("tidegate")


def prepared(client: Any) -> str:
    client.create_application(applicationName="shop")
    client.create_deployment_group(
        applicationName="shop",
        deploymentGroupName="prod",
        serviceRoleArn=ROLE,
        ec2TagFilters=[{"Key": "Fleet", "Value": "demo", "Type": "KEY_AND_VALUE"}],
    )
    client.register_application_revision(applicationName="shop", revision=s3(eTag="e"), description="first")
    created = client.create_deployment(
        applicationName="shop", deploymentGroupName="prod", revision=s3(eTag="e"), description="go"
    )
    return str(created["deploymentId"])


def test_a_deployment_from_creation_to_success(client: Any, server: Server) -> None:
    deployment_id = prepared(client)
    info = client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
    assert info["createTime"] == datetime.fromtimestamp(server.world.now, UTC)
    assert info["revision"] == s3(eTag="e")
    assert info["status"] == "Created"
    server.world.end(deployment_id)
    client.get_waiter("deployment_successful").wait(deploymentId=deployment_id)
    assert client.get_paginator("list_deployments").paginate().build_full_result() == {"deployments": [deployment_id]}
    found = client.get_application_revision(applicationName="shop", revision=s3(eTag="e"))
    assert found["revisionInfo"]["description"] == "first"
    assert found["revisionInfo"]["deploymentGroups"] == ["prod"]


def test_requests_are_signed_for_api_gateway(client: Any, server: Server) -> None:
    client.list_applications()
    assert "/us-east-1/execute-api/aws4_request" in server.authorizations[0]


def test_errors_are_the_clients_own_exceptions(client: Any) -> None:
    deployment_id = prepared(client)
    with pytest.raises(client.exceptions.DeploymentLimitExceededException) as caught:
        client.create_deployment(applicationName="shop", deploymentGroupName="prod", revision=s3())
    assert caught.value.response["Error"]["Message"] == (
        f"The Deployment Group 'prod' already has an active Deployment '{deployment_id}'"
    )
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    with pytest.raises(client.exceptions.ApplicationDoesNotExistException):
        client.get_application(applicationName="nobody")
    with pytest.raises(client.exceptions.GitHubAccountTokenDoesNotExistException):
        client.delete_git_hub_account_token(tokenName="nobody")
    assert client.list_git_hub_account_token_names()["tokenNameList"] == []


def test_on_premises_instances(client: Any) -> None:
    session = "arn:aws:sts::123456789012:assumed-role/hosts/"
    for number in range(120):
        client.register_on_premises_instance(instanceName=f"box-{number:03}", iamSessionArn=f"{session}box-{number:03}")
    client.register_on_premises_instance(instanceName="pc", iamUserArn="arn:aws:iam::123456789012:user/fleet/pc")
    tags = [{"Key": "Fleet", "Value": "shop"}, {"Key": "Floor", "Value": "2"}]
    client.add_tags_to_on_premises_instances(tags=tags, instanceNames=["pc", "box-007"])
    client.remove_tags_from_on_premises_instances(tags=tags[1:], instanceNames=["pc"])
    client.deregister_on_premises_instance(instanceName="box-119")

    pages = _pages(client.list_on_premises_instances)
    assert [len(page["instanceNames"]) for page in pages] == [100, 21]
    wanted = [{"Key": "Fleet", "Type": "KEY_ONLY"}]
    assert client.list_on_premises_instances(tagFilters=wanted)["instanceNames"] == ["box-007", "pc"]
    assert client.list_on_premises_instances(registrationStatus="Deregistered")["instanceNames"] == ["box-119"]
    info = client.get_on_premises_instance(instanceName="pc")["instanceInfo"]
    assert info["tags"] == tags[:1]
    assert info["iamUserArn"].endswith("user/fleet/pc")
    assert info["instanceArn"].startswith("arn:aws:codedeploy:us-east-1:123456789012:instance/pc_")
    gone, other = client.batch_get_on_premises_instances(instanceNames=["box-119", "nobody", "pc"])["instanceInfos"]
    assert (gone["instanceName"], "deregisterTime" in gone, "deregisterTime" in other) == ("box-119", True, False)
    with pytest.raises(client.exceptions.InstanceNameAlreadyRegisteredException):
        client.register_on_premises_instance(instanceName="pc", iamSessionArn=f"{session}pc")
    with pytest.raises(client.exceptions.IamSessionArnAlreadyRegisteredException):
        client.register_on_premises_instance(instanceName="pc2", iamSessionArn=f"{session}box-001")
    with pytest.raises(client.exceptions.InstanceNotRegisteredException):
        client.add_tags_to_on_premises_instances(tags=tags, instanceNames=["box-119"])


def _pages(call: Any) -> list[dict[str, Any]]:
    found = [call()]
    while "nextToken" in found[-1]:
        found.append(call(nextToken=found[-1]["nextToken"]))
    return found


def test_pages_and_time_ranges(client: Any, server: Server) -> None:
    prepared(client)
    for number in range(120):
        client.create_deployment_group(applicationName="shop", deploymentGroupName=f"g{number:03}", serviceRoleArn=ROLE)
    groups = client.get_paginator("list_deployment_groups").paginate(applicationName="shop").build_full_result()
    assert groups["deploymentGroups"] == [*(f"g{number:03}" for number in range(120)), "prod"]
    day = {"start": datetime.fromtimestamp(server.world.now - 9, UTC), "end": datetime.fromtimestamp(0, UTC)}
    with pytest.raises(client.exceptions.InvalidTimeRangeException):
        client.list_deployments(createTimeRange=day)
    assert len(client.list_deployments(createTimeRange={"start": day["start"]})["deployments"]) == 1


def test_our_own_service_is_a_client_like_any_other(client: Any, server: Server) -> None:
    deployment_id = prepared(client)
    decide(server.world, deployment_id)
    own = own_client()
    pages = own.get_paginator("list_decisions").paginate(deploymentId=deployment_id)
    assert [each["code"] for each in pages.build_full_result()["decisions"]] == [f"C{n}" for n in range(3)]
    assert own.list_installations(targetId="i-1")["installations"] == []
    with pytest.raises(own.exceptions.DeploymentDoesNotExistException):
        own.list_decisions(deploymentId="d-ZZZZZZZZZ")


def decide(world: World, deployment_id: str) -> None:
    for number in range(3):
        key = {"PK": f"DEP#{deployment_id}", "SK": f"DECISION#{number:06}"}
        world.table.write(Put({**key, "time": world.now, "kind": "Plan", "code": f"C{number}", "reason": "Why."}))


def aws(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("aws"))
    path = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    return subprocess.run(
        [program, *words, "--output", "json"], env=path | environment, capture_output=True, text=True, check=False
    )


def test_the_command_line_deploys_and_reads_decisions(environment: dict[str, str], client: Any, server: Server) -> None:
    client.create_application(applicationName="shop")
    client.create_deployment_group(applicationName="shop", deploymentGroupName="prod", serviceRoleArn=ROLE)
    place = "bucket=releases,key=v1.zip,bundleType=zip"
    group = ("--application-name", "shop", "--deployment-group-name", "prod")
    created = aws(environment, "deploy", "create-deployment", *group, "--s3-location", place)
    assert created.returncode == 0, created.stderr
    deployment_id = json.loads(created.stdout)["deploymentId"]
    again = aws(environment, "deploy", "create-deployment", *group, "--s3-location", place)
    assert f"already has an active Deployment '{deployment_id}'" in again.stderr
    decide(server.world, deployment_id)
    told = aws(environment, "tidegate", "list-decisions", "--deployment-id", deployment_id)
    assert told.returncode == 0, told.stderr
    assert [each["reason"] for each in json.loads(told.stdout)["decisions"]] == ["Why."] * 3
    assert all("/execute-api/aws4_request" in each for each in server.authorizations)


def test_installations_reach_the_client_with_their_times(client: Any, server: Server) -> None:
    deployment_id, now = prepared(client), server.world.now
    item = {
        "PK": "HOST#i-1",
        "SK": f"{sort_time(now)}#{deployment_id}",
        "deploymentId": deployment_id,
        "location": s3(),
        "revisionKey": "a" * 40,
        "result": "Succeeded",
        "startTime": now,
        "endTime": now + 1.5,
    }
    server.world.table.write(Put(item))
    found = own_client().list_installations(targetId="i-1")["installations"]
    assert found[0]["targetId"] == "i-1"
    assert (found[0]["endTime"] - found[0]["startTime"]).total_seconds() == 1.5
    assert found[0]["location"] == s3()


def test_the_changed_model_keeps_what_clients_know(models: Path) -> None:
    changed = json.loads((models / "codedeploy" / "2014-10-06" / "service-2.json").read_text())
    original = service_models.codedeploy()
    new = {"signingName": "execute-api", "protocol": "rest-json", "protocols": ["rest-json"]}
    assert changed["metadata"] == {**original.metadata, **new}
    assert sorted(changed["operations"]) == sorted(original.operation_names)
    names = {path.name for path in (models / "codedeploy" / "2014-10-06").iterdir()}
    assert {"paginators-1.json", "waiters-2.json", "service-2.json"} <= names
    assert "service-2.json.gz" not in names
