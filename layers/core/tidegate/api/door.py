"""From a request to a response: which operation, is its input right, what does it answer."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.model import OperationModel

from tidegate.api import service_models
from tidegate.api.addresses import (
    Address,
    Scope,
    address_of,
    check_count,
    check_override,
    operation_in,
    placed,
    read_path,
)
from tidegate.api.audit import Who, recorded
from tidegate.api.errors import ApiError, internal_failure, of_store
from tidegate.api.messages import ApiRequest, ApiResponse
from tidegate.api.operations import OPERATIONS
from tidegate.api.scopes import confined
from tidegate.api.services import Call, Services
from tidegate.api.shapes import check_input, cut_output
from tidegate.store.errors import StoreError

CONTENT_TYPE: Final = "application/x-amz-json-1.1"
_log = logging.getLogger(__name__)


def handle(request: ApiRequest, services: Services) -> ApiResponse:
    """Answer one request of either service. Nothing is raised: every fault becomes an error that clients understand.

    An operation is named by the header ``X-Amz-Target: <service's prefix>.<operation>`` of a ``POST /`` (protocol JSON
    1.1), or by the path (:mod:`tidegate.api.addresses`). Its input is the JSON body, with what the path names.
    """
    request_id = request.request_id or str(uuid.uuid4())
    try:
        return _response(200, _answer(request, services, request_id), request_id)
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


def _answer(request: ApiRequest, services: Services, request_id: str) -> dict[str, Any]:
    target = _target(request)
    name = target.model.name
    body = placed(target.address, target.names, _body(request.body))
    given = check_input(target.model, body)
    check_override(target.first, given)
    run = OPERATIONS.get((target.prefix, name))
    if run is None:
        message = f"{name} is not available in this version of Tidegate."
        raise ApiError("UnsupportedOperationException", message)
    scope = Scope(*target.names) if target.names and target.address.scoped else None
    if scope is not None:
        given = confined(scope, given, services.deployments)
    services = recorded(services, Who(request.caller, request_id), target.model, given)
    return cut_output(target.model, run(Call(services, request.caller, name, scope), given))


@dataclass(frozen=True, slots=True)
class _Target:
    """An operation, and what its path names; ``first`` is the path's first part, empty where a header names all."""

    prefix: str
    model: OperationModel
    address: Address
    names: Sequence[str] = ()
    first: str = ""


def _target(request: ApiRequest) -> _Target:
    if request.method != "POST":
        message = f"Operations are called by POST, not by {request.method} {request.path}."
        raise ApiError("UnknownOperationException", message)
    return _by_header(request) if request.path in ("", "/") else _by_path(request)


def _by_header(request: ApiRequest) -> _Target:
    target = request.header("X-Amz-Target")
    if not target:
        message = "The header X-Amz-Target, which names the operation, is missing."
        raise ApiError("UnknownOperationException", message)
    prefix, _, name = target.partition(".")
    service = service_models.by_target(prefix)
    if service is None or name not in service.operation_names:
        raise ApiError("UnknownOperationException", f"There is no operation {target!r}.")
    model = service.operation_model(name)
    return _Target(prefix, model, address_of(model))


def _by_path(request: ApiRequest) -> _Target:
    if request.path.startswith("/service/"):
        message = (
            "The protocol RPC v2 CBOR is not spoken here; send JSON, or send through `tidegate proxy`, which does."
        )
        raise ApiError("UnknownOperationException", message)
    first, *names = read_path(request.path)
    name = operation_in(first)
    found = service_models.by_operation(name)
    if found is None:
        raise ApiError("UnknownOperationException", f"There is no operation {name!r}.")
    prefix, service = found
    header = request.header("X-Amz-Target")
    if header not in ("", f"{prefix}.{name}"):
        message = f"The path names the operation {name}, the header X-Amz-Target {header!r}; send one of them."
        raise ApiError("ValidationException", message)
    model = service.operation_model(name)
    address = address_of(model)
    check_count(address, names)
    return _Target(prefix, model, address, names, first)


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
