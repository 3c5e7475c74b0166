"""What the commands share: an instance as the API tells of it, and the nodes that answer to its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.gateways.errors import GatewayError
from tidegate.gateways.nodes import Nodes
from tidegate.model.nodes import Node
from tidegate.rollout.nodes import nodes_by_instance
from tidegate_cli.clients import UserError

__all__ = ["found_instance", "hybrid_nodes", "is_registered", "nodes_of", "unused_activations"]


def found_instance(codedeploy: Any, name: str) -> Mapping[str, Any] | None:
    """Return ``InstanceInfo``, or None where the name was never registered."""
    try:
        info: Mapping[str, Any] = codedeploy.get_on_premises_instance(instanceName=name)["instanceInfo"]
    except codedeploy.exceptions.InstanceNotRegisteredException:
        return None
    return info


def is_registered(info: Mapping[str, Any] | None) -> bool:
    """Return whether an instance is registered now."""
    return info is not None and not info.get("deregisterTime")


def hybrid_nodes(ssm: Any, opt_in: tuple[str, str] | None) -> list[Node]:
    """Return all managed nodes that are no EC2 instances."""
    try:
        return Nodes(ssm, opt_in).hybrid()
    except GatewayError as error:
        raise UserError(str(error)) from error


def nodes_of(info: Mapping[str, Any], nodes: list[Node]) -> tuple[Node, ...]:
    """Return the nodes that answer to an instance's name: the rule that deployments go by."""
    name = str(info["instanceName"])
    return nodes_by_instance({name: str(info.get("iamSessionArn") or "")}, nodes)[name]


def unused_activations(ssm: Any, name: str) -> list[str]:
    """Return ids of the name's activations that no machine was registered with."""
    wanted = [{"FilterKey": "DefaultInstanceName", "FilterValues": [name]}]
    pages = ssm.get_paginator("describe_activations").paginate(Filters=wanted)
    found = [each for page in pages for each in page["ActivationList"]]
    return [each["ActivationId"] for each in found if not each.get("RegistrationsCount")]
