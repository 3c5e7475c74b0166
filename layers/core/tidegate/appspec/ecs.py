"""The AppSpec of Amazon ECS deployments, compiled and checked.

Follows AWS's "AppSpec 'resources' section" and "AppSpec 'hooks' section".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.appspec.checks import Findings, is_absent, text_of
from tidegate.appspec.errors import AppSpecError
from tidegate.appspec.reader import Node
from tidegate.appspec.shifting import (
    Map,
    hooks_of,
    lowered,
    only_resource,
    read_sections,
    required_text,
    whole_number,
)

ECS_HOOKS = ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic")
_PROPERTIES = (
    "TaskDefinition",
    "LoadBalancerInfo",
    "PlatformVersion",
    "NetworkConfiguration",
    "CapacityProviderStrategy",
)
_TASK_DEFINITION = re.compile(r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:task-definition/[A-Za-z0-9_-]{1,255}:\d{1,10}")
_MOST_BASE, _MOST_WEIGHT = 100_000, 1000


@dataclass(frozen=True, slots=True)
class EcsAppSpec:
    """What the replacement task set is made of.

    Attributes
    ----------
    network : map or None
        ``awsvpcConfiguration`` as ECS's API takes it; ``None``: the service's own.
    capacity : tuple of maps
        ``capacityProviderStrategy`` as ECS's API takes it; empty: the service's own.
    hooks : map
        Functions by lifecycle event.
    """

    task_definition: str
    container: str
    port: int
    platform_version: str | None
    network: Mapping[str, Any] | None
    capacity: tuple[Mapping[str, Any], ...]
    hooks: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As kept on the deployment."""
        return {
            "platform": "ECS",
            "taskDefinition": self.task_definition,
            "container": self.container,
            "port": self.port,
            "platformVersion": self.platform_version,
            "network": None if self.network is None else dict(self.network),
            "capacity": [dict(each) for each in self.capacity],
            "hooks": dict(self.hooks),
        }


def compile_ecs_appspec(text: str) -> EcsAppSpec:
    """Compile the AppSpec of an ECS revision.

    Parameters
    ----------
    text : str
        YAML 1.1 or JSON, at most 1 MiB of UTF-8. Keys may be written in either case.

    Raises
    ------
    AppSpecError
        With every problem found, each with its place and what to write instead.
    """
    findings = Findings()
    sections = read_sections(text, findings)
    path, properties = only_resource(sections, "AWS::ECS::Service", _PROPERTIES, findings)
    task_definition = _task_definition(properties, path, findings)
    container, port = _balancer(properties.get("loadbalancerinfo"), f"{path}.LoadBalancerInfo", findings)
    network = _network(properties.get("networkconfiguration"), f"{path}.NetworkConfiguration", findings)
    strategy = properties.get("capacityproviderstrategy")
    capacity = _capacity(strategy, f"{path}.CapacityProviderStrategy", findings)
    hooks = hooks_of(sections, ECS_HOOKS, findings)
    version = text_of(properties.get("platformversion")) or None
    if findings.problems:
        raise AppSpecError(findings.problems)
    return EcsAppSpec(task_definition, container, port, version, network, capacity, hooks, tuple(findings.warnings))


def _task_definition(properties: Map, path: str, findings: Findings) -> str:
    remedy = "Give the task definition's ARN with its revision"
    text = required_text(properties, path, "TaskDefinition", findings, remedy)
    if text and not _TASK_DEFINITION.fullmatch(text):
        if text.startswith("<"):
            remedy = f"Replace {text} by the ARN before deploying; 'aws ecs deploy' does it"
        findings.problem(
            f"invalid TaskDefinition ({text})",
            f"{path}.TaskDefinition",
            properties["taskdefinition"],
            "the ARN of a task definition with its revision",
            remedy,
        )
    return text


def _balancer(node: Node | None, path: str, findings: Findings) -> tuple[str, int]:
    if not isinstance(node, dict):
        message, expected = "LoadBalancerInfo must be a map", "ContainerName and ContainerPort"
        findings.problem(message, path, node, expected, "Name the container that takes the traffic, and its port")
        return "", 0
    parts = lowered(node, path, ("ContainerName", "ContainerPort"), findings)
    container = required_text(parts, path, "ContainerName", findings, "Name the container that takes the traffic")
    port = whole_number(parts.get("containerport"))
    if port is None or not 1 <= port <= 65535:
        findings.problem(
            "invalid ContainerPort",
            f"{path}.ContainerPort",
            parts.get("containerport"),
            "a number from 1 to 65535",
            "Give the port that the container listens on",
        )
    return container, port or 0


def _network(node: Node | None, path: str, findings: Findings) -> dict[str, Any] | None:
    """All three parts or none: with none, the service's own network counts."""
    if is_absent(node):
        return None
    outer = lowered(node, path, ("AwsvpcConfiguration",), findings) if isinstance(node, dict) else {}
    inner, where = outer.get("awsvpcconfiguration"), f"{path}.AwsvpcConfiguration"
    if not isinstance(inner, dict):
        findings.problem(
            "NetworkConfiguration must hold AwsvpcConfiguration",
            path,
            node,
            "Subnets, SecurityGroups and AssignPublicIp",
            "Give all three, or leave the section out",
        )
        return None
    parts = lowered(inner, where, ("Subnets", "SecurityGroups", "AssignPublicIp"), findings)
    found: dict[str, Any] = {}
    for name, member in (("Subnets", "subnets"), ("SecurityGroups", "securityGroups")):
        values = _texts(parts.get(name.lower()))
        if not values:
            findings.problem(
                f"{name} is missing",
                f"{where}.{name}",
                parts.get(name.lower()),
                "a list of ids",
                "Give Subnets, SecurityGroups and AssignPublicIp, or leave the section out",
            )
        found[member] = values
    public = text_of(parts.get("assignpublicip"))
    if public not in ("ENABLED", "DISABLED"):
        findings.problem(
            "invalid AssignPublicIp",
            f"{where}.AssignPublicIp",
            parts.get("assignpublicip"),
            "ENABLED or DISABLED",
            "Give Subnets, SecurityGroups and AssignPublicIp, or none of them",
        )
    return {**found, "assignPublicIp": public}


def _texts(node: Node | None) -> list[str]:
    """The texts of a list; empty where it is anything else, or holds anything else."""
    if not isinstance(node, list):
        return []
    texts = [text_of(each) for each in node]
    return [text for text in texts if text] if all(texts) else []


def _capacity(node: Node | None, path: str, findings: Findings) -> tuple[dict[str, Any], ...]:
    if is_absent(node):
        return ()
    if not isinstance(node, list):
        findings.problem("CapacityProviderStrategy must be a list", path, node, "maps", "Begin each entry with '- '")
        return ()
    found = tuple(_provider(entry, f"{path}[{position}]", findings) for position, entry in enumerate(node))
    if sum(each.get("base", 0) > 0 for each in found) > 1:
        findings.problem(
            "only one capacity provider may have a Base",
            path,
            node,
            "one Base above 0 at most",
            "Keep the Base of one provider",
        )
    return found


def _provider(entry: Node, path: str, findings: Findings) -> dict[str, Any]:
    if not isinstance(entry, dict):
        findings.problem(f"{path} must be a map", path, entry, "Base, CapacityProvider and Weight", "Indent them")
        return {}
    parts = lowered(entry, path, ("Base", "CapacityProvider", "Weight"), findings)
    name = required_text(parts, path, "CapacityProvider", findings, "Name a capacity provider of the cluster")
    found: dict[str, Any] = {"capacityProvider": name}
    for part, most in (("Base", _MOST_BASE), ("Weight", _MOST_WEIGHT)):
        given = parts.get(part.lower())
        if is_absent(given):
            continue
        value = whole_number(given)
        if value is None or not 0 <= value <= most:
            findings.problem(f"invalid {part}", f"{path}.{part}", given, f"a number from 0 to {most}", "Give a number")
        else:
            found[part.lower()] = value
    return found
