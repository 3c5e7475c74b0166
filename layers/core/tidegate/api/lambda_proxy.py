"""Requests and responses as API Gateway's REST proxy integration has them (payload format 1.0)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tidegate.api.messages import ApiRequest, ApiResponse


def to_request(event: Mapping[str, Any]) -> ApiRequest:
    """The request in a proxy event. The path is without the stage; the caller is who IAM authorised."""
    context = event.get("requestContext") or {}
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    return ApiRequest(
        method=event.get("httpMethod", ""),
        path=event.get("path") or "/",
        headers=event.get("headers") or {},
        body=raw,
        caller=(context.get("identity") or {}).get("userArn") or "",
        request_id=context.get("requestId") or "",
    )


def to_response(response: ApiResponse) -> dict[str, Any]:
    """The answer of the integration. All bodies are JSON in ASCII, so none needs base64."""
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": response.body.decode(),
        "isBase64Encoded": False,
    }
