"""Every operation by an unmodified boto3 over HTTP: answers, errors, all the paginators, the waiter."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError
from tests.conformance.test_boto3_over_http import Server
from tests.unit.api.error_cases import GOOD, MINIMUM, REFUSES_ALL
from tests.unit.api.furnished import furnished
from tests.unit.api.world import CODEDEPLOY, ROLE, TIDEGATE, World, s3

from tidegate.api import service_models
from tidegate.api.client_model import write_client_models
from tidegate.api.operations import OPERATIONS
from tidegate.store.table import Put, sort_time

MANY = 130
LIVE = {"deploymentId": "d-LIVE00001"}
#: Their clients' tests are those of their own.
ELSEWHERE = {"list_on_premises_instances", "list_git_hub_account_token_names"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, Any]]]:
    """One server and one client of each service for the whole module; each test has a world of its own."""
    models = tmp_path_factory.mktemp("models")
    write_client_models(models)
    server = Server(World())
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in settings(models, server.url).items():
            patch.setenv(name, value)
        session: Any = boto3.session.Session()
        config = Config(retries={"max_attempts": 1})
        yield server, {CODEDEPLOY: session.client("codedeploy", config=config), TIDEGATE: session.client("tidegate")}
    server.stop()


def settings(models: Path, url: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_DATA_PATH": str(models),
        "AWS_ENDPOINT_URL_CODEDEPLOY": url,
        "AWS_ENDPOINT_URL_TIDEGATE": url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@pytest.fixture
def clients(shared: tuple[Server, dict[str, Any]]) -> dict[str, Any]:
    server, clients = shared
    server.world = furnished()
    return clients


@pytest.fixture
def world(shared: tuple[Server, dict[str, Any]], clients: dict[str, Any]) -> World:
    return shared[0].world


TABLED = [pair for pair in sorted(OPERATIONS) if pair[1] in GOOD]


@pytest.mark.parametrize(("service", "operation"), TABLED, ids=[name for _, name in TABLED])
def test_an_operation_answers(clients: dict[str, Any], service: str, operation: str) -> None:
    client, given = clients[service], GOOD[operation]
    call = getattr(client, xform_name(operation))
    if operation in REFUSES_ALL:
        with pytest.raises(getattr(client.exceptions, REFUSES_ALL[operation])) as caught:
            call(**given)
        answer = caught.value.response
    else:
        answer = call(**given)
    model = service_models.by_target(service)
    assert model is not None
    output = model.operation_model(operation).output_shape
    told = set(answer) - {"ResponseMetadata", "Error", "message"}
    assert told <= set(output.members if output else ())
    assert answer["ResponseMetadata"]["RequestId"]
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("operation", "given", "error"),
    [
        ("get_application", {"applicationName": "nobody"}, "ApplicationDoesNotExistException"),
        ("get_application", {"applicationName": "a b"}, "InvalidApplicationNameException"),
        ("get_deployment", {"deploymentId": "d-NOBODY001"}, "DeploymentDoesNotExistException"),
        ("get_deployment_instance", LIVE | {"instanceId": "i-9"}, "InstanceDoesNotExistException"),
        ("tag_resource", {"ResourceArn": "x", "Tags": [{"Key": "k"}]}, "InvalidArnException"),
        ("list_applications", {"nextToken": "x"}, "InvalidNextTokenException"),
    ],
)
def test_errors_are_typed_and_bear_the_requests_id(
    clients: dict[str, Any], operation: str, given: dict[str, Any], error: str
) -> None:
    client = clients[CODEDEPLOY]
    with pytest.raises(getattr(client.exceptions, error)) as caught:
        getattr(client, operation)(**given)
    found: ClientError = caught.value
    assert found.response["ResponseMetadata"]["RequestId"]
    assert found.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert found.response["Error"]["Message"]


def many_applications(world: World) -> dict[str, Any]:
    for number in range(MANY):
        world.call("CreateApplication", applicationName=f"a{number}")
    return {}


def many_groups(world: World) -> dict[str, Any]:
    other = {"applicationName": "other"}
    for number in range(MANY):
        world.call("CreateDeploymentGroup", **other, deploymentGroupName=f"g{number}", serviceRoleArn=ROLE)
    return other


def many_configs(world: World) -> dict[str, Any]:
    for number in range(MANY):
        world.call("CreateDeploymentConfig", deploymentConfigName=f"c{number}", minimumHealthyHosts=MINIMUM)
    return {}


def many_revisions(world: World) -> dict[str, Any]:
    for number in range(MANY):
        world.call("RegisterApplicationRevision", applicationName="other", revision=s3(f"{number}.zip"))
    return {"applicationName": "other", "sortBy": "registerTime", "sortOrder": "descending"}


def many_deployments(world: World) -> dict[str, Any]:
    for _ in range(MANY):
        world.end(world.deploy(group="idle"))
    return {"applicationName": "shop", "deploymentGroupName": "idle", "includeOnlyStatuses": ["Succeeded"]}


def many_targets(world: World) -> dict[str, Any]:
    world.fleet("d-LIVE00001", {f"i-{number:03}": None for number in range(MANY)})
    return {"deploymentId": "d-LIVE00001"}


def many_decisions(world: World) -> dict[str, Any]:
    pk = "DEP#d-LIVE00001"
    told = {"time": world.now, "kind": "Plan", "reason": "Why."}
    world.table.write_many([Put({"PK": pk, "SK": f"DECISION#{n:06}", "code": f"C{n}", **told}) for n in range(MANY)])
    return {"deploymentId": "d-LIVE00001"}


def many_installations(world: World) -> dict[str, Any]:
    told = {"deploymentId": "d-LIVE00001", "location": s3(), "revisionKey": "a" * 40, "result": "Succeeded"}
    items = [{"PK": "HOST#i-1", "SK": f"{sort_time(world.now + n)}#d", "startTime": world.now + n} for n in range(MANY)]
    world.table.write_many([Put({**item, **told, "endTime": world.now}) for item in items])
    return {"targetId": "i-1"}


def many_lines(world: World) -> dict[str, Any]:
    records = [[world.now, "AfterInstall", "stdout", f"line {n}"] for n in range(1000 + MANY)]
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    world.logs["d-LIVE00001/i-1/host.000000.jsonl"] = lines
    return {"deploymentId": "d-LIVE00001", "targetId": "i-1"}


#: By paginator: what makes more than a page of entries, and how many there are besides.
PAGES: dict[tuple[str, str], tuple[Callable[[World], dict[str, Any]], str, int]] = {
    (CODEDEPLOY, "list_application_revisions"): (many_revisions, "revisions", 0),
    (CODEDEPLOY, "list_applications"): (many_applications, "applications", 3),
    (CODEDEPLOY, "list_deployment_configs"): (many_configs, "deploymentConfigsList", 18),
    (CODEDEPLOY, "list_deployment_groups"): (many_groups, "deploymentGroups", 0),
    (CODEDEPLOY, "list_deployment_instances"): (many_targets, "instancesList", 0),
    (CODEDEPLOY, "list_deployment_targets"): (many_targets, "targetIds", 0),
    (CODEDEPLOY, "list_deployments"): (many_deployments, "deployments", 0),
    (TIDEGATE, "get_logs"): (many_lines, "lines", 1000),
    (TIDEGATE, "list_decisions"): (many_decisions, "decisions", 0),
    (TIDEGATE, "list_installations"): (many_installations, "installations", 0),
}


@pytest.mark.parametrize(("service", "operation"), PAGES, ids=[name for _, name in PAGES])
def test_a_paginator_reads_all_pages(clients: dict[str, Any], world: World, service: str, operation: str) -> None:
    make, member, more = PAGES[service, operation]
    given = make(world)
    if operation == "list_deployment_targets":
        pages = by_hand(clients[service].list_deployment_targets, given)  # botocore has no paginator for it
    else:
        pages = list(clients[service].get_paginator(operation).paginate(**given))
    sizes = [len(page[member]) for page in pages]
    assert len([size for size in sizes if size]) == 2
    entries = [str(entry) for page in pages for entry in page[member]]
    assert len(set(entries)) == len(entries) == MANY + more


def by_hand(call: Callable[..., dict[str, Any]], given: dict[str, Any]) -> list[dict[str, Any]]:
    pages = [call(**given)]
    while "nextToken" in pages[-1]:
        pages.append(call(**given, nextToken=pages[-1]["nextToken"]))
    return pages


def test_no_paginator_is_left_out(clients: dict[str, Any]) -> None:
    for service, client in clients.items():
        model = service_models.by_target(service)
        assert model is not None
        known = {xform_name(name) for name in model.operation_names if client.can_paginate(xform_name(name))}
        tried = {name for each, name in PAGES if each == service}
        assert known - ELSEWHERE - tried <= {"list_changes"}
        assert known


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_the_waiter_tells_a_failure(clients: dict[str, Any], world: World, status: str) -> None:
    world.end("d-LIVE00001", status)
    waiter = clients[CODEDEPLOY].get_waiter("deployment_successful")
    with pytest.raises(WaiterError, match="terminal failure state"):
        waiter.wait(deploymentId="d-LIVE00001", WaiterConfig={"Delay": 0, "MaxAttempts": 3})


def test_the_waiter_waits_while_the_deployment_lives(
    clients: dict[str, Any], world: World, shared: tuple[Server, dict[str, Any]]
) -> None:
    client, seen = clients[CODEDEPLOY], len(shared[0].authorizations)
    waiter = client.get_waiter("deployment_successful")
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        waiter.wait(deploymentId="d-LIVE00001", WaiterConfig={"Delay": 0, "MaxAttempts": 3})
    assert len(shared[0].authorizations) == seen + 3
    world.end("d-LIVE00001")
    waiter.wait(deploymentId="d-LIVE00001", WaiterConfig={"Delay": 0, "MaxAttempts": 3})
    assert len(shared[0].authorizations) == seen + 4
