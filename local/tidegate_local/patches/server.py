"""moto's HTTP server: throttling on request.

Follows "Throttling" of the services' API references: ThrottlingException, status 400, in the JSON protocols.
"""

from __future__ import annotations

import json
from typing import Any

from tidegate_local.patches.hooks import HOOKS

_TARGETS = {
    "AmazonSSM": "ssm",
    "DynamoDB_20120810": "dynamodb",
    "AWSStepFunctions": "stepfunctions",
    "AWSEvents": "events",
    "Logs_20140328": "logs",
    "AmazonSQS": "sqs",
}


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
        return original(self, environ, start_response)

    DomainDispatcherApplication.__call__ = call
