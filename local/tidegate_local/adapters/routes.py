"""Which function of a REST API answers a path.

Follows "OpenAPI extensions for API Gateway" (x-amazon-apigateway-integration, aws_proxy) and "Set up proxy integration
with a proxy resource" for ``{name}`` and ``{name+}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tidegate_local.template import TemplateError

_INTEGRATION = re.compile(r"arn:[^:]+:apigateway:[^:]+:lambda:path/[^/]+/functions/(?P<function>arn:[^/]+)/invocations")


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    resource: str
    method: str
    function: str
    signed: bool
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Found:
    """The route of a request, with the values of its path's parameters."""

    route: Route
    parameters: Mapping[str, str]


def read_routes(body: Mapping[str, Any]) -> list[Route]:
    """Give the routes of an OpenAPI body, the more exact paths first.

    Raises
    ------
    TemplateError
        For an integration that is not a Lambda proxy.
    """
    schemes = body.get("securityDefinitions") or body.get("components", {}).get("securitySchemes", {})
    signed = {name for name, s in schemes.items() if s.get("x-amazon-apigateway-authtype") == "awsSigv4"}
    routes = []
    for path, methods in body.get("paths", {}).items():
        for method, operation in methods.items():
            if method.lower() == "options":
                continue
            integration = operation.get("x-amazon-apigateway-integration", {})
            found = _INTEGRATION.fullmatch(str(integration.get("uri")))
            if str(integration.get("type")).lower() != "aws_proxy" or found is None:
                raise TemplateError(f"{method.upper()} {path}: only Lambda proxy integrations are served locally")
            security = operation.get("security", body.get("security", []))
            needs = {name for requirement in security for name in requirement}
            verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            routes.append(Route(path, verb, found["function"], bool(needs & signed), _pattern(path)))
    return sorted(routes, key=lambda route: (route.resource.count("{"), "+}" in route.resource, route.method == "ANY"))


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", path.rstrip("/"))
    text = "".join(
        f"(?P<{part[1:-1].rstrip('+')}>{'.+' if part.endswith('+}') else '[^/]+'})"
        if part.startswith("{")
        else re.escape(part)
        for part in parts
    )
    return re.compile(text + "/?")


def find(routes: list[Route], method: str, path: str) -> Found | None:
    """Give the route of a request; the path undecoded, without the stage."""
    for route in routes:
        match = route.pattern.fullmatch(path)
        if match is not None and route.method in (method, "ANY"):
            return Found(route, {name: unquote(value) for name, value in match.groupdict().items()})
    return None
