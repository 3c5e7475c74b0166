"""Answer Lambda's Invoke API from the workers.

Stands in for "Invoke" in the Lambda API reference: synchronous calls wait, asynchronous ones are queued and tried again
up to twice, after one and two minutes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from tidegate_local.adapters.lambda_workers import LambdaWorkers
from tidegate_local.background import Background

_LOG = logging.getLogger(__name__)
_RETRY_DELAYS = (60.0, 120.0)


class Invocations:
    """The way from moto's Lambda to the workers."""

    def __init__(self, workers: LambdaWorkers, background: Background) -> None:
        self._workers = workers
        self._background = background

    def install(self) -> None:
        """Put the workers in place of moto's containers."""
        from moto.awslambda.models import LambdaFunction

        workers, call_async = self._workers, self.call_async

        def invoke_lambda(function: Any, event: Any = None) -> tuple[str, bool, str]:
            result = workers.invoke(function.function_name, json.loads(event) if isinstance(event, str) else event)
            return result.payload, result.failed, ""

        def invoke(function: Any, body: Any, request_headers: Any, response_headers: Any) -> str | bytes:
            kind = request_headers.get("X-Amz-Invocation-Type", "RequestResponse")
            event = json.loads(body) if body else {}
            if kind == "DryRun":
                return b""
            if kind == "Event":
                call_async(function.function_name, event, _attempts(function))
                return b""
            result = workers.invoke(function.function_name, event)
            if result.failed:
                response_headers["x-amz-function-error"] = "Unhandled"
            response_headers["x-amz-executed-version"] = "$LATEST"
            return result.payload.encode()

        LambdaFunction._invoke_lambda = invoke_lambda
        LambdaFunction.invoke = invoke

    def call_async(self, function: str, event: Any, retries: int = 2) -> None:
        """Call a function without waiting; a failed call is tried again."""

        def attempt(number: int) -> None:
            result = self._workers.invoke(function, event)
            if not result.failed:
                return
            if number < min(retries, len(_RETRY_DELAYS)):
                self._background.submit(lambda: attempt(number + 1), _RETRY_DELAYS[number])
            else:
                _LOG.error("the asynchronous call of %s failed for good: %s", function, result.payload)

        self._background.submit(lambda: attempt(0))


def _attempts(function: Any) -> int:
    # moto keeps EventInvokeConfig as it was put.
    config = getattr(function, "event_invoke_config", None)
    settings: Mapping[str, Any] = config[0].config if config else {}
    return int(settings.get("MaximumRetryAttempts", 2))
