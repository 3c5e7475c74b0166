"""``tidegate hosts deregister``: a machine goes, with what was made for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate_cli.clients import aws, codedeploy
from tidegate_cli.hosts.nodes import found_instance, hybrid_nodes, is_registered, nodes_of, unused_activations

__all__ = ["Gone", "deregister_host"]


@dataclass(frozen=True, slots=True)
class Gone:
    """What was taken away, and what was left."""

    name: str
    was_registered: bool
    activations: tuple[str, ...]
    nodes: tuple[str, ...]
    kept: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return it in sentences."""
        lines = [f"{self.name} {'is deregistered.' if self.was_registered else 'was not registered.'}"]
        lines += [f"Its unused activation {each} is deleted." for each in self.activations]
        lines += [f"Its managed node {each} is deregistered from Systems Manager." for each in self.nodes]
        lines += [f"Its managed node {each} is left in Systems Manager." for each in self.kept]
        return lines

    def as_data(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {
            "instanceName": self.name,
            "wasRegistered": self.was_registered,
            "deletedActivations": list(self.activations),
            "deregisteredNodes": list(self.nodes),
            "keptNodes": list(self.kept),
        }


def deregister_host(name: str, *, keep_node: bool) -> Gone:
    """Take a machine out. Deployments stop first; a repeat finishes what was left half done."""
    deployments, ssm = codedeploy(), aws("ssm")
    info = found_instance(deployments, name)
    nodes = nodes_of(info or {"instanceName": name}, hybrid_nodes(ssm, None))
    registered = is_registered(info)
    if registered:
        deployments.deregister_on_premises_instance(instanceName=name)
    activations = unused_activations(ssm, name)
    for each in activations:
        ssm.delete_activation(ActivationId=each)
    # A node that only a tag or a session ties to the name was made for something else.
    going = [] if keep_node else [node.node_id for node in nodes if node.name == name]
    for node_id in going:
        ssm.deregister_managed_instance(InstanceId=node_id)
    kept = tuple(node.node_id for node in nodes if node.node_id not in going)
    return Gone(name, registered, tuple(activations), tuple(going), kept)
