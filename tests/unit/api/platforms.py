"""Applications of platforms Lambda and ECS, and what they deploy."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.unit.api.world import ROLE, World

from tidegate.api.service_models import codedeploy

LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
SHIFT = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
TOPIC = "arn:aws:sns:us-east-1:123456789012:deployments"
PAIR = {"targetGroups": [{"name": "blue"}, {"name": "green"}], "prodTrafficRoute": {"listenerArns": [LISTENER]}}
ECS_GROUP: dict[str, Any] = {
    "ecsServices": [{"clusterName": "prod", "serviceName": "web"}],
    "loadBalancerInfo": {"targetGroupPairInfoList": [PAIR]},
}
LAMBDA_APPSPEC = """version: 0.0
Resources:
  - shop:
      Type: AWS::Lambda::Function
      Properties: {Name: shop, Alias: live, CurrentVersion: "1", TargetVersion: "2"}
"""
SHA = hashlib.sha256(LAMBDA_APPSPEC.encode()).hexdigest()


def made(world: World, platform: str) -> World:
    """An application ``shop`` with a group ``prod``, of a platform."""
    world.call("CreateApplication", applicationName="shop", computePlatform=platform)
    create(world, "prod", **(ECS_GROUP if platform == "ECS" else {}))
    return world


def create(world: World, name: str, **given: Any) -> None:
    """Make a group of ``shop``."""
    world.call(
        "CreateDeploymentGroup",
        **{"applicationName": "shop", "deploymentGroupName": name, "serviceRoleArn": ROLE, **given},
    )


def update(world: World, **given: Any) -> None:
    """Change the group ``prod``."""
    world.call("UpdateDeploymentGroup", applicationName="shop", currentDeploymentGroupName="prod", **given)


def content(text: str = LAMBDA_APPSPEC, **more: str) -> dict[str, Any]:
    """The location of an AppSpec given as text."""
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": text, **more}}


def modelled(operation: str) -> set[str]:
    """The errors that an operation models."""
    return {shape.name for shape in codedeploy().operation_model(operation).error_shapes}
