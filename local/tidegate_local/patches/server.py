"""moto's HTTP server: throttling on request, and refusing what a caller has no right to.

Follows "Throttling" of the services' API references: ThrottlingException, status 400, in the JSON protocols; Throttled,
status 429, of SNS.
Follows "Throttling" of the services' API references: ThrottlingException, status 400, in the JSON protocols; and S3's
"Error responses": SlowDown, status 503.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tidegate_local.patches.hooks import HOOKS

if TYPE_CHECKING:
    from tidegate_local.policy.server_judge import Answer

_TARGETS = {
    "AmazonSSM": "ssm",
    "DynamoDB_20120810": "dynamodb",
    "AWSStepFunctions": "stepfunctions",
    "AWSEvents": "events",
    "Logs_20140328": "logs",
    "AmazonSQS": "sqs",
}
_SLOW = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)

_BUSY = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttled</Code><Message>Rate exceeded</Message></Error>"
    b"<RequestId>LOCAL</RequestId></ErrorResponse>"
)


def install() -> None:
    """Patch moto's server."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    original = DomainDispatcherApplication.__call__

    def call(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
        service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if operation and HOOKS.throttled(f"{_TARGETS.get(service, service)}:{operation}"):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            body = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()
            head = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
            start_response("400 Bad Request", head)
            return [body]
        if "/sns/aws4_request" in environ.get("HTTP_AUTHORIZATION", "") and _throttled_query(environ):
            start_response("429 Too Many Requests", [("Content-Type", "text/xml"), ("Content-Length", str(len(_BUSY)))])
            return [_BUSY]

        if _posts_object(environ) and HOOKS.throttled("s3:PostObject"):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(_SLOW)))])
            return [_SLOW]
        refusal = _refusal(environ)
        if refusal is not None:
            start_response(refusal[0], refusal[1])
            return [refusal[2]]
        return original(self, environ, start_response)

    DomainDispatcherApplication.__call__ = call


def _throttled_query(environ: dict[str, Any]) -> bool:
    """Whether a call of SNS, whose operation stands in the form, is to be throttled."""
    action = parse_qs(_body(environ).decode("utf-8", "replace")).get("Action", [""])[0]
    return HOOKS.throttled(f"sns:{action}")


def _body(environ: dict[str, Any]) -> bytes:
    """The request's body, which can then be read once more."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _posts_object(environ: dict[str, Any]) -> bool:
    """Whether it is a form with a pre-signed POST policy."""
    kind = str(environ.get("CONTENT_TYPE", ""))
    return bool(environ["REQUEST_METHOD"] == "POST") and kind.startswith("multipart/form-data")


def _refusal(environ: dict[str, Any]) -> Answer | None:
    judge = HOOKS.judge
    if judge is None or judge.key_of(environ.get("HTTP_AUTHORIZATION", "")) is None:
        return None
    body = _body(environ)
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    return judge.refuse(environ["REQUEST_METHOD"], environ["REQUEST_URI"], headers, body)
