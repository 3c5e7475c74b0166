"""How a resource type is made known, and what its maker is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate_local.adapters.lambda_workers import LambdaWorkers
from tidegate_local.policy.roles import Roles
from tidegate_local.template import TemplateError


@dataclass(frozen=True)
class Made:
    """A resource that exists: what ``Ref`` and ``Fn::GetAtt`` of it are worth."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class QueueFeed:
    """An SQS queue that feeds a function."""

    queue_arn: str
    function: str
    batch_size: int
    window_seconds: float
    partial_failures: bool
    enabled: bool = True


@dataclass(frozen=True)
class StreamFeed:
    """A table's stream that feeds a function; -1 stands for "without end"."""

    stream_arn: str
    function: str
    batch_size: int
    window_seconds: float
    filters: tuple[str, ...]
    bisect: bool
    max_retries: int
    max_age_seconds: float
    on_failure: str
    starting_position: str = "LATEST"
    enabled: bool = True


@dataclass
class Api:
    """A REST API: its OpenAPI body, and its stages by name."""

    rest_api_id: str
    name: str
    body: Mapping[str, Any]
    stages: list[str] = field(default_factory=list)


@dataclass
class Stack:
    """Where resources are made, and what is gathered meanwhile.

    Attributes
    ----------
    name, suffix
        The stack's name, and what makes physical names its own.
    checkout
        Folder that local code paths are relative to.
    client
        Gives the administrator's boto3 client of a service.
    workers, roles
        Receive functions and roles.
    layers
        Folders by layer version ARN.
    """

    name: str
    suffix: str
    account: str
    region: str
    checkout: Path
    client: Callable[[str], Any]
    workers: LambdaWorkers
    roles: Roles
    layers: dict[str, Path] = field(default_factory=dict)
    mappings: list[QueueFeed] = field(default_factory=list)
    streams: list[StreamFeed] = field(default_factory=list)
    apis: dict[str, Api] = field(default_factory=dict)

    def physical_name(self, logical_id: str, limit: int = 64, *, lower: bool = False) -> str:
        """Make a name as CloudFormation does: stack, logical id, suffix, cut in the middle to fit."""
        room = limit - len(self.suffix) - 1
        name = f"{f'{self.name}-{logical_id}'[:room].rstrip('-')}-{self.suffix}"
        return name.lower() if lower else name

    def arn(self, service: str, resource: str) -> str:
        """Make an ARN of this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


Maker = Callable[[Stack, str, dict[str, Any]], Made]


@dataclass(frozen=True)
class ResourceType:
    """A CloudFormation type: the properties it may have, and what makes it."""

    properties: frozenset[str]
    make: Maker


RESOURCE_TYPES: dict[str, ResourceType] = {}


def resource(kind: str, *properties: str) -> Callable[[Maker], Maker]:
    """Register the maker of a type, with the properties it understands."""

    def register(maker: Maker) -> Maker:
        RESOURCE_TYPES[kind] = ResourceType(frozenset(properties), maker)
        return maker

    return register


def only(where: str, value: Mapping[str, Any], *members: str) -> Mapping[str, Any]:
    """Give a nested value back, having refused members that are not understood."""
    unknown = sorted(set(value) - set(members))
    if unknown:
        raise TemplateError(f"{where}.{unknown[0]} is not known to the local cloud; known: {', '.join(members)}")
    return value


def tag_list(tags: Any) -> list[dict[str, str]]:
    """Give tags as a list of Key and Value, whichever way they were written."""
    if isinstance(tags, Mapping):
        return [{"Key": str(k), "Value": str(v)} for k, v in tags.items()]
    return [{"Key": str(t["Key"]), "Value": str(t["Value"])} for t in tags or []]


def lower_first(value: Any) -> Any:
    """Turn CloudFormation's member names into lower camel case, at every depth."""
    if isinstance(value, Mapping):
        return {name[:1].lower() + name[1:]: lower_first(member) for name, member in value.items()}
    return [lower_first(member) for member in value] if isinstance(value, list) else value
