"""CloudFormation's resource types as far as the local cloud makes them; one small function a type."""

from tidegate_local.resources import apigateway, awslambda, iam, machines, messages, observability, storage
from tidegate_local.resources.registry import RESOURCE_TYPES

__all__ = ["RESOURCE_TYPES", "apigateway", "awslambda", "iam", "machines", "messages", "observability", "storage"]
