"""REST APIs; the door serves them."""

from __future__ import annotations

import hashlib
from typing import Any

from tidegate_local.resources.registry import Api, Made, Stack, resource
from tidegate_local.template import TemplateError


@resource(
    "AWS::ApiGateway::RestApi",
    "ApiKeySourceType",
    "BinaryMediaTypes",
    "Body",
    "Description",
    "DisableExecuteApiEndpoint",
    "EndpointConfiguration",
    "MinimumCompressionSize",
    "Name",
    "Parameters",
    "Tags",
)
def rest_api(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::ApiGateway::RestApi with an OpenAPI body."""
    if "Body" not in props:
        raise TemplateError(f"{logical_id}.Body is missing: the local cloud serves APIs from their OpenAPI body")
    name = props.get("Name") or props["Body"].get("info", {}).get("title") or logical_id
    # The door serves it; moto has no part in it.
    api_id = hashlib.sha256(f"{logical_id}-{stack.suffix}".encode()).hexdigest()[:10]
    stack.apis[api_id] = Api(api_id, name, props["Body"])
    return Made(api_id, {"RestApiId": api_id, "RootResourceId": api_id[::-1]})


@resource("AWS::ApiGateway::Deployment", "Description", "RestApiId", "StageName")
def deployment(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::ApiGateway::Deployment: the door always serves the body as it is."""
    if props["RestApiId"] not in stack.apis:
        raise TemplateError(f"{logical_id}.RestApiId names no REST API of the template")
    return Made(logical_id.lower(), {"DeploymentId": logical_id.lower()})


@resource(
    "AWS::ApiGateway::Stage",
    "AccessLogSetting",
    "DeploymentId",
    "Description",
    "MethodSettings",
    "RestApiId",
    "StageName",
    "Tags",
    "TracingEnabled",
    "Variables",
)
def stage(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::ApiGateway::Stage."""
    if props["RestApiId"] not in stack.apis:
        raise TemplateError(f"{logical_id}.RestApiId names no REST API of the template")
    stack.apis[props["RestApiId"]].stages.append(props["StageName"])
    return Made(props["StageName"])
