"""What is seen of Lambda aliases and ECS services."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from tidegate.gateways.aliases import Aliases
from tidegate.gateways.ecs_services import EcsServices
from tidegate.gateways.errors import DeniedError, ThrottledError
from tidegate.model.shifts import AliasSeen, ServiceSeen

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:shop"
SERVICE = {"clusterName": "prod", "serviceName": "web"}
Stubbed = Callable[[str], tuple[Any, Stubber]]


@pytest.fixture
def function(cloud: Callable[[str], Any]) -> Any:
    """Function ``shop`` with versions 1 and 2 and the alias ``live`` on 1."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    role = cloud("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client = cloud("lambda")
    client.create_function(
        FunctionName="shop", Runtime="python3.13", Role=role, Handler="app.handler", Code={"ZipFile": code.getvalue()}
    )
    client.publish_version(FunctionName="shop")
    client.update_function_code(FunctionName="shop", ZipFile=code.getvalue() + b" ")
    client.publish_version(FunctionName="shop")
    client.create_alias(FunctionName="shop", Name="live", FunctionVersion="1")
    return client


def test_an_alias_and_its_versions(function: Any) -> None:
    aliases = Aliases(function)
    assert aliases.look("shop", "live", ["1", "2"]) == AliasSeen(FUNCTION, "1", {}, [])
    assert aliases.look("shop", "live", ["7", "2", "7"]).missing == ["7"]
    assert aliases.look("shop", "nightly", ["1"]) == AliasSeen(FUNCTION)
    assert aliases.look("nobody", "live", ["1"]) == AliasSeen()
    split = {"AdditionalVersionWeights": {"2": 0.25}}
    function.update_alias(FunctionName="shop", Name="live", FunctionVersion="1", RoutingConfig=split)
    assert aliases.look("shop", "live", []).weights == {"2": 0.25}


def test_lambda_refusing_is_not_a_function_missing(stubbed: Stubbed) -> None:
    client, stub = stubbed("lambda")
    stub.add_client_error("get_function_configuration", "AccessDeniedException", "no", 403)
    with pytest.raises(DeniedError, match="reading the function shop"):
        Aliases(client).look("shop", "live", ["1"])


def test_lambda_throttling_in_the_middle(stubbed: Stubbed) -> None:
    client, stub = stubbed("lambda")
    stub.add_response("get_function_configuration", {"FunctionArn": FUNCTION}, {"FunctionName": "shop"})
    stub.add_client_error("get_alias", "TooManyRequestsException", "slow down", 429)
    with pytest.raises(ThrottledError, match="reading the alias live"):
        Aliases(client).look("shop", "live", ["1"])


@pytest.fixture
def ecs(cloud: Callable[[str], Any]) -> Any:
    """Cluster ``prod`` with a service that CodeDeploy controls."""
    client = cloud("ecs")
    client.create_cluster(clusterName="prod")
    containers = [
        {"name": "web", "image": "w", "memory": 64, "portMappings": [{"containerPort": 80}]},
        {"name": "log", "image": "l", "memory": 64},
    ]
    client.register_task_definition(family="web", containerDefinitions=containers)
    client.create_service(
        cluster="prod",
        serviceName="web",
        taskDefinition="web:1",
        desiredCount=1,
        deploymentController={"type": "CODE_DEPLOY"},
    )
    client.create_task_set(cluster="prod", service="web", taskDefinition="web:1")
    return client


def test_a_service_and_a_task_definition(ecs: Any) -> None:
    seen = EcsServices(ecs).look(SERVICE, "web:1")
    assert (seen.arn, seen.status) == ("arn:aws:ecs:us-east-1:123456789012:service/prod/web", "ACTIVE")
    assert (seen.controller, len(seen.task_sets)) == ("CODE_DEPLOY", 1)
    assert seen.containers == {"web": [80], "log": []}
    by_arn = {"clusterName": "arn:aws:ecs:us-east-1:123456789012:cluster/prod", "serviceName": seen.arn}
    assert EcsServices(ecs).look(by_arn, "web:1").arn == seen.arn


def test_services_and_task_definitions_that_are_not_there(ecs: Any) -> None:
    services = EcsServices(ecs)
    assert services.look({**SERVICE, "serviceName": "api"}, "web:1") == ServiceSeen()
    assert services.look({**SERVICE, "clusterName": "test"}, "web:1") == ServiceSeen()
    assert services.look(SERVICE, "web:2").containers is None
    ecs.deregister_task_definition(taskDefinition="web:1")
    assert services.look(SERVICE, "web:1").containers is None


@pytest.mark.parametrize("refused", ["describe_services", "describe_task_definition"])
def test_ecs_refusing_is_not_a_service_missing(stubbed: Stubbed, refused: str) -> None:
    client, stub = stubbed("ecs")
    if refused == "describe_task_definition":
        found = {"services": [{"serviceArn": "arn:s", "status": "ACTIVE"}], "failures": []}
        stub.add_response("describe_services", found, {"cluster": "prod", "services": ["web"]})
    stub.add_client_error(refused, "AccessDeniedException", "no", 400)
    with pytest.raises(DeniedError, match="reading the"):
        EcsServices(client).look(SERVICE, "web:1")
