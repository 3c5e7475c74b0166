"""CodeDeploy's API and our own, behind API Gateway (REST proxy events, format 1.0)."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.api import ExecutionsBusyError, Services, Settings, handle
from tidegate.api.lambda_proxy import to_request, to_response
from tidegate.gateways.errors import ThrottledError
from tidegate.runtime import Runtime

logger = Logger()


class _Executions:
    """The machine, with throttling told in the API's words."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def start(self, deployment_id: str, generation: int) -> None:
        try:
            self._runtime.executions.start(deployment_id, generation)
        except ThrottledError as error:
            raise ExecutionsBusyError(str(error)) from error


@cache
def services() -> Services:
    """The API's ports, once a process."""
    runtime = Runtime()
    settings = runtime.settings
    return Services(
        table=runtime.table,
        executions=_Executions(runtime),
        signals=runtime.signals,
        progress=runtime.progress,
        logs=runtime.logs,
        github_tokens=runtime.github_tokens,
        clock=runtime.clock,
        new_id=runtime.new_deployment_id,
        new_uuid=runtime.new_uuid,
        account=settings.account,
        region=settings.region,
        settings=Settings(revision_buckets=settings.revision_buckets),
    )


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
