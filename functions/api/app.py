"""CodeDeploy's API and our own, behind API Gateway (REST proxy events, format 1.0)."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.api import Services, handle
from tidegate.api.lambda_proxy import to_request, to_response
from tidegate.api_services import api_services
from tidegate.runtime import Runtime

logger = Logger()


@cache
def services() -> Services:
    """The API's ports, once a process."""
    return api_services(Runtime())


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Lambda's entry."""
    request = to_request(event)
    response = handle(request, services())
    logger.info(
        "api",
        target=request.header("X-Amz-Target") or request.path,
        caller=request.caller,
        requestId=response.headers["x-amzn-RequestId"],
        status=response.status,
    )
    return to_response(response)
