"""From an SDK's plain request to the installation's, and its answer back. No input or output here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel

from tidegate.api import service_models
from tidegate.api.addresses import Scope, address_of, overrides_alarms, path_of
from tidegate.api.errors import ApiError
from tidegate.api.shape_errors import REQUIRED_BY_MEMBER
from tidegate.api.shapes import check_input
from tidegate_cli.proxy import cbor

__all__ = ["Answer", "Asked", "answered", "asked", "failed"]

JSON_TYPE = "application/x-amz-json-1.1"
_RPC = re.compile(r"/service/([A-Za-z0-9_]+)/operation/([A-Za-z0-9_]+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an SDK asks for: the operation, its input, and in which protocol."""

    operation: OperationModel
    given: Mapping[str, Any]
    is_cbor: bool

    @property
    def body(self) -> bytes:
        """The input as the installation reads it."""
        return json.dumps(self.given, separators=(",", ":")).encode()

    def path(self, scope: Scope | None) -> str:
        """The path that the installation has for it.

        Raises
        ------
        ApiError
            The input lacks what stands in the path.
        """
        address = address_of(self.operation)
        for member in address.members[: address.required]:
            if self.given.get(member) in (None, ""):
                code = REQUIRED_BY_MEMBER[member]
                raise ApiError(code, f"'{member}' is required; give it a value.")
            if not isinstance(self.given[member], str):
                check_input(self.operation, self.given)
        return path_of(address, self.given, scope, override_alarms=overrides_alarms(self.given))


@dataclass(frozen=True, slots=True)
class Answer:
    """What an SDK gets."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def asked(path: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """Read an SDK's request.

    Parameters
    ----------
    path
        Without what the proxy's own endpoint has in front.
    headers
        By lower-case name.

    Raises
    ------
    ApiError
        It is no request of either service.
    """
    rpc = _RPC.fullmatch(path)
    is_cbor = rpc is not None and headers.get("smithy-protocol") == "rpc-v2-cbor"
    if rpc is not None and is_cbor:
        prefix, name = rpc[1], rpc[2]
    elif path in ("", "/") and headers.get("x-amz-target"):
        prefix, _, name = headers["x-amz-target"].partition(".")
    else:
        message = "Operations are called by POST / with the header X-Amz-Target, or in the protocol RPC v2 CBOR."
        raise ApiError("UnknownOperationException", message)
    service = service_models.by_target(prefix)
    if service is None or name not in service.operation_names:
        raise ApiError("UnknownOperationException", f"There is no operation {f'{prefix}.{name}'!r}.")
    return Asked(service.operation_model(name), cbor.decoded(body) if is_cbor else _json(body), is_cbor)


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise ApiError("SerializationException", "The body is not JSON.") from None
    if not isinstance(given, dict):
        raise ApiError("SerializationException", "The body must be a JSON object.")
    return given


def answered(request: Asked, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """The installation's answer as the SDK understands it.

    API Gateway's own refusals name the error in a header alone, where JSON 1.1 has it in the body.
    """
    try:
        output = json.loads(body or b"{}")
    except ValueError:
        output = None
    if not isinstance(output, dict):
        return failed(ApiError("InternalFailure", "The installation's answer cannot be read.", 502), request.is_cbor)
    kept = {"x-amzn-RequestId": headers["x-amzn-requestid"]} if "x-amzn-requestid" in headers else {}
    if status >= 300:
        code = str(output.get("__type") or headers.get("x-amzn-errortype") or "InternalFailure").split(":")[0]
        message = str(output.get("message") or output.get("Message") or "")
        return _told(status, {"__type": code.rpartition("#")[2], "message": message}, kept, request.is_cbor)
    if request.is_cbor:
        body = cbor.encoded(request.operation.output_shape, output)
    return Answer(status, {**kept, **_kind(request.is_cbor)}, body or b"{}")


def failed(error: ApiError, is_cbor: bool) -> Answer:
    """An error of the proxy's own."""
    return _told(error.status, {"__type": error.code, "message": error.message}, {}, is_cbor)


def _told(status: int, error: Mapping[str, str], headers: Mapping[str, str], is_cbor: bool) -> Answer:
    body = cbor.encoded(None, error) if is_cbor else json.dumps(error).encode()
    return Answer(status, {**headers, "x-amzn-ErrorType": error["__type"], **_kind(is_cbor)}, body)


def _kind(is_cbor: bool) -> dict[str, str]:
    return (
        {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        if is_cbor
        else {"Content-Type": JSON_TYPE}
    )
