"""The HTTP door: REST APIs of the template, with IAM authorization.

Stands in for Amazon API Gateway: "Control access to a REST API with IAM permissions", "Set up Lambda proxy
integrations" (event format 1.0) and "Gateway response types" of its developer guide. Signatures are
verified, and identity policies judged for ``execute-api:Invoke``.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Request, Response

from tidegate_local.adapters.callers import Callers
from tidegate_local.adapters.lambda_workers import LambdaWorkers, Result
from tidegate_local.adapters.routes import Found, find, read_routes
from tidegate_local.adapters.sigv4 import Caller, SignatureError, verify
from tidegate_local.http_server import close, serve
from tidegate_local.resources.registry import Api

_LOG = logging.getLogger(__name__)
_BODY_LIMIT = 10 * 1024 * 1024
#: Serves what lies under ``/_local/``: method, rest of the path, query, body in; status and JSON out.
LocalPages = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Any]]


class _RefusedError(Exception):
    """API Gateway answers by itself."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class Door:
    """Serves REST APIs at ``http://127.0.0.1:<port>/<stage>``.

    Parameters
    ----------
    apis
        The APIs by id.
    workers
        Runs the functions.
    callers
        Finds who calls.
    place
        Account and region.
    pages
        Serves ``/_local/``.
    """

    def __init__(
        self,
        apis: Mapping[str, Api],
        workers: LambdaWorkers,
        callers: Callers,
        place: tuple[str, str],
        pages: LocalPages,
    ) -> None:
        self._stages = {stage: (api, read_routes(api.body)) for api in apis.values() for stage in api.stages}
        self._workers = workers
        self._callers = callers
        self._account, self._region = place
        self._pages = pages
        self._server: BaseWSGIServer | None = None

    def start(self) -> int:
        """Begin to serve, and give the port."""
        self._server = serve(self._application, "door")
        return int(self._server.port)

    def stop(self) -> None:
        """End serving."""
        if self._server is not None:
            close(self._server)
            self._server = None

    def _application(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        # Read whole, whatever the answer: the connection is used again.
        body = request.get_data(cache=True)
        try:
            response = self._answer(request, body)
        except _RefusedError as refused:
            response = _json_response(refused.status, {"message": str(refused)})
            response.headers["x-amzn-ErrorType"] = refused.kind
        except Exception:
            _LOG.exception("the door failed on %s %s", request.method, request.path)
            response = _json_response(500, {"message": "Internal server error"})
            response.headers["x-amzn-ErrorType"] = "InternalServerErrorException"
        response.headers.setdefault("x-amzn-RequestId", str(uuid.uuid4()))
        return response(environ, start_response)

    def _answer(self, request: Request, body: bytes) -> Response:
        path, _, query = str(request.environ["REQUEST_URI"]).partition("?")
        if path.startswith("/_local/"):
            status, answer = self._pages(request.method, path.removeprefix("/_local/"), dict(parse_qsl(query)), body)
            return _json_response(status, answer)
        stage, _, rest = path.lstrip("/").partition("/")
        if stage not in self._stages:
            raise _RefusedError(403, "ForbiddenException", "Forbidden")
        if len(body) > _BODY_LIMIT:
            raise _RefusedError(413, "RequestTooLargeException", "Request Too Long")
        api, routes = self._stages[stage]
        found = find(routes, request.method, f"/{rest}")
        if found is None:
            raise _RefusedError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        caller = self._authorise(request, path, query, body, api, stage) if found.route.signed else None
        event = self._event(request, f"/{rest}", path, query, body, found, api, stage, caller)
        return _lambda_response(self._invoke(found.route.function, event), event["requestContext"]["requestId"])

    def _authorise(self, request: Request, path: str, query: str, body: bytes, api: Api, stage: str) -> Caller:
        url = f"http://{request.host}{path}" + (f"?{query}" if query else "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            caller = verify(request.method, url, headers, body, "execute-api", self._callers.find, datetime.now(UTC))
        except SignatureError as error:
            raise _RefusedError(403, error.kind, str(error)) from error
        tail = path.lstrip("/").partition("/")[2]
        arn = f"arn:aws:execute-api:{self._region}:{self._account}:{api.rest_api_id}/{stage}/{request.method}/{tail}"
        if not self._callers.may(caller, "execute-api:Invoke", arn):
            hidden = arn.replace(self._account, "********" + self._account[-4:])
            text = f"User: {caller.arn} is not authorized to perform: execute-api:Invoke on resource: {hidden}"
            raise _RefusedError(403, "AccessDeniedException", text)
        return caller

    def _invoke(self, function: str, event: Mapping[str, Any]) -> Result:
        result: list[Result] = []
        # API Gateway gives up after 29 seconds whatever the function's own time-out.
        thread = threading.Thread(target=lambda: result.append(self._workers.invoke(function, event)), daemon=True)
        thread.start()
        thread.join(29.0)
        if not result:
            raise _RefusedError(504, "InternalServerErrorException", "Endpoint request timed out")
        if result[0].failed:
            raise _RefusedError(502, "InternalServerErrorException", "Internal server error")
        return result[0]

    def _event(
        self,
        request: Request,
        path: str,
        full_path: str,
        query: str,
        body: bytes,
        found: Found,
        api: Api,
        stage: str,
        caller: Caller | None,
    ) -> dict[str, Any]:
        headers = _gather(request.headers.items())
        queries = _gather(parse_qsl(query, keep_blank_values=True))
        text, encoded = _body_text(body)
        now = time.time()
        return {
            "resource": found.route.resource,
            "path": path,
            "httpMethod": request.method,
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": {name: values[-1] for name, values in queries.items()} or None,
            "multiValueQueryStringParameters": queries or None,
            "pathParameters": dict(found.parameters) or None,
            "stageVariables": None,
            "requestContext": {
                "accountId": self._account,
                "apiId": api.rest_api_id,
                "domainName": request.host,
                "httpMethod": request.method,
                "identity": _identity(request, caller),
                "path": full_path,
                "protocol": "HTTP/1.1",
                "requestId": str(uuid.uuid4()),
                "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
                "requestTimeEpoch": int(now * 1000),
                "resourcePath": found.route.resource,
                "stage": stage,
            },
            "body": text,
            "isBase64Encoded": encoded,
        }


def _gather(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for name, value in pairs:
        result.setdefault(name, []).append(value)
    return result


def _identity(request: Request, caller: Caller | None) -> dict[str, str | None]:
    return {
        "accessKey": caller.access_key if caller else None,
        "accountId": caller.account if caller else None,
        "caller": caller.user_id if caller else None,
        "sourceIp": request.remote_addr,
        "user": caller.user_id if caller else None,
        "userAgent": request.headers.get("User-Agent"),
        "userArn": caller.arn if caller else None,
    }


def _body_text(body: bytes) -> tuple[str | None, bool]:
    if not body:
        return None, False
    try:
        return body.decode("utf-8"), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


def _json_response(status: int, answer: Any) -> Response:
    return Response(json.dumps(answer), status=status, content_type="application/json")


def _lambda_response(result: Result, request_id: str) -> Response:
    answer = json.loads(result.payload)
    if not isinstance(answer, dict) or not isinstance(answer.get("statusCode"), int):
        raise _RefusedError(502, "InternalServerErrorException", "Internal server error")
    body = answer.get("body") or ""
    if not isinstance(body, str):
        raise _RefusedError(502, "InternalServerErrorException", "Internal server error")
    data = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    response = Response(data, status=answer["statusCode"], content_type="application/json")
    for name, value in (answer.get("headers") or {}).items():
        response.headers[name] = str(value)
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        response.headers.setlist(name, [str(value) for value in values])
    response.headers.setdefault("x-amzn-RequestId", request_id)
    return response
