"""From a request to a response: which operation, is its input right, what does it answer."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any, Final

from botocore.model import OperationModel

from tidegate.api import service_models
from tidegate.api.errors import ApiError, internal_failure, of_store
from tidegate.api.messages import ApiRequest, ApiResponse
from tidegate.api.operations import OPERATIONS, UNSUPPORTED
from tidegate.api.services import Call, Services
from tidegate.api.shapes import check_input, cut_output
from tidegate.store.errors import StoreError

CONTENT_TYPE: Final = "application/x-amz-json-1.1"
_log = logging.getLogger(__name__)


def handle(request: ApiRequest, services: Services) -> ApiResponse:
    """Answer one request of either service. Nothing is raised: every fault becomes an error that clients understand.

    An operation is named by the header ``X-Amz-Target: <service's prefix>.<operation>`` of a ``POST /``; its input is
    the JSON body (protocol JSON 1.1).
    """
    request_id = request.request_id or str(uuid.uuid4())
    try:
        return _response(200, _answer(request, services), request_id)
    except ApiError as error:
        return _error_response(error, request_id)
    except StoreError as error:
        known = of_store(error)
        if known is None:
            _log.exception("request %s failed", request_id)
        return _error_response(known or internal_failure(request_id), request_id)
    except Exception:
        _log.exception("request %s failed", request_id)
        return _error_response(internal_failure(request_id), request_id)


def _answer(request: ApiRequest, services: Services) -> dict[str, Any]:
    prefix, name, model = _operation(request)
    given = check_input(model, _body(request.body))
    run = OPERATIONS.get((prefix, name))
    if run is None:
        code = UNSUPPORTED.get(name, "UnsupportedOperationException")
        raise ApiError(code, f"{name} is not available in this version of Tidegate.")
    return cut_output(model, run(Call(services, request.caller, name), given))


def _operation(request: ApiRequest) -> tuple[str, str, OperationModel]:
    target = request.header("X-Amz-Target")
    prefix, _, name = target.partition(".")
    if request.method != "POST" or request.path not in ("", "/"):
        message = f"Operations are called by POST /, not by {request.method} {request.path}."
        raise ApiError("UnknownOperationException", message)
    if not target:
        message = "The header X-Amz-Target, which names the operation, is missing."
        raise ApiError("UnknownOperationException", message)
    service = service_models.by_target(prefix)
    if service is None or name not in service.operation_names:
        raise ApiError("UnknownOperationException", f"There is no operation {target!r}.")
    return prefix, name, service.operation_model(name)


def _body(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise ApiError("SerializationException", "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise ApiError("SerializationException", "The body must be a JSON object.")
    return value


def _response(status: int, output: Mapping[str, Any], request_id: str, **headers: str) -> ApiResponse:
    body = json.dumps(output, separators=(",", ":")).encode()
    return ApiResponse(status, body, {"Content-Type": CONTENT_TYPE, "x-amzn-RequestId": request_id, **headers})


def _error_response(error: ApiError, request_id: str) -> ApiResponse:
    # botocore reads the name from the body alone, other SDKs from the header.
    body = {"__type": error.code, "message": error.message}
    return _response(error.status, body, request_id, **{"x-amzn-errortype": error.code})
