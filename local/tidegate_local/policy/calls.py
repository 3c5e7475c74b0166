"""Read from an HTTP request which AWS operation it calls, and with what.

Follows the protocols' descriptions in Smithy: AWS JSON names the operation in a header, AWS Query in the form, the REST
protocols in method and path, RPC v2 in the path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

# botocore's name of a service, where signatures bear another one.
_SIGNED_AS = {
    "states": "stepfunctions",
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
    "tagging": "resourcegroupstaggingapi",
}
_COPIES = ("CopyObject", "UploadPartCopy")


@dataclass(frozen=True)
class AwsCall:
    """An operation that a request calls; ``protocol`` is json, query, rest-json or rest-xml."""

    service: str
    operation: str
    params: Mapping[str, Any]
    protocol: str


@dataclass(frozen=True)
class _Route:
    method: str
    path: re.Pattern[str]
    query: frozenset[str]
    operation: str


def read_call(
    signed_for: str, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> AwsCall | None:
    """The operation that a request calls; None where it cannot be told.

    Parameters
    ----------
    signed_for
        The service in the signature's scope.
    path, query
        As they came, not decoded.
    headers
        By lower-case name.
    """
    service = _SIGNED_AS.get(signed_for, signed_for)
    if "x-amz-target" in headers:
        return AwsCall(service, headers["x-amz-target"].rpartition(".")[2], _json(body), "json")
    in_path = re.fullmatch(r"/service/[^/]+/operation/(\w+)", path)
    if in_path:
        return AwsCall(service, in_path[1], {}, "json")
    form = dict(parse_qsl(query, keep_blank_values=True))
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form |= dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if "Action" in form:
        return AwsCall(service, form["Action"], form, "query")
    return _rest_call(service, method, path, form, headers, body)


def _rest_call(
    service: str, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> AwsCall | None:
    try:
        protocol, routes = _routes(service)
    except Exception:  # botocore knows no such service
        return None
    is_copy = "x-amz-copy-source" in headers
    best: tuple[int, _Route, re.Match[str]] | None = None
    for route in routes:
        found = route.path.fullmatch(path) if route.method == method and route.query <= query.keys() else None
        if found is None or (route.operation in _COPIES) != is_copy:
            continue
        if best is None or len(route.query) > best[0]:
            best = (len(route.query), route, found)
    if best is None:
        return None
    params: dict[str, Any] = {name: unquote(value) for name, value in best[2].groupdict().items()}
    params |= {"VersionId": query["versionId"]} if "versionId" in query else {}
    params |= {"CopySource": unquote(headers["x-amz-copy-source"])} if is_copy else {}
    params |= {"Prefix": query["prefix"]} if "prefix" in query else {}
    if protocol == "rest-json":
        params = {**_json(body), **params}
    return AwsCall(service, best[1].operation, params, protocol)


@lru_cache(maxsize=32)
def _routes(service: str) -> tuple[str, list[_Route]]:
    from botocore.loaders import Loader

    model = Loader().load_service_model(service, "service-2")
    routes = []
    for name, operation in model["operations"].items():
        path, _, query = operation["http"]["requestUri"].partition("?")
        pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", _group, re.escape(path.rstrip("/")))
        literal = frozenset(part.split("=")[0] for part in query.split("&") if part and "{" not in part)
        routes.append(_Route(operation["http"]["method"], re.compile(pattern + "/?"), literal, name))
    return model["metadata"]["protocol"], routes


def _group(found: re.Match[str]) -> str:
    return f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
