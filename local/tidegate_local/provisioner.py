"""Create what an expanded template describes.

Stands in for CloudFormation: resources in the order of their dependencies, each by the API calls of its own service. A
type or a property that is not known is an error: moto's own CloudFormation would drop it silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local.intrinsics import Resolver, parameter_values
from tidegate_local.resources import RESOURCE_TYPES
from tidegate_local.resources.registry import Made, Stack
from tidegate_local.template import TemplateError

_KNOWN_MEMBERS = frozenset(
    {"Type", "Properties", "Condition", "DependsOn", "Metadata", "DeletionPolicy", "UpdateReplacePolicy"}
)


class Provisioner:
    """Makes the resources of one template, each once.

    Parameters
    ----------
    template
        The expanded template.
    stack
        Where and through what the resources are made.
    parameters
        Values given for the template's parameters.
    """

    def __init__(self, template: Mapping[str, Any], stack: Stack, parameters: Mapping[str, str]) -> None:
        self._resources: Mapping[str, Any] = template.get("Resources", {})
        self._outputs: Mapping[str, Any] = template.get("Outputs", {})
        self._stack = stack
        self._made: dict[str, Made] = {}
        self._making: list[str] = []
        values = {
            **parameter_values(template, parameters),
            "AWS::AccountId": stack.account,
            "AWS::Region": stack.region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack.name,
            "AWS::StackId": f"arn:aws:cloudformation:{stack.region}:{stack.account}:stack/{stack.name}/{stack.suffix}",
            "AWS::NotificationARNs": [],
        }
        self._resolver = Resolver(template, values, lambda name: self._get(name).ref, self._attribute)

    def run(self) -> dict[str, str]:
        """Make everything, and give the template's outputs.

        Raises
        ------
        TemplateError
            Naming the resource, what is wrong, and what would do.
        """
        for logical_id, resource in self._resources.items():
            if self._wanted(resource):
                self._get(logical_id)
        return {
            name: str(self._resolver.resolve(output["Value"]))
            for name, output in self._outputs.items()
            if self._wanted(output)
        }

    def made(self) -> Mapping[str, Made]:
        """What was made, by logical id."""
        return self._made

    def _wanted(self, member: Mapping[str, Any]) -> bool:
        return "Condition" not in member or self._resolver.condition(member["Condition"])

    def _attribute(self, logical_id: str, name: str) -> str:
        attributes = self._get(logical_id).attributes
        if name not in attributes:
            known = ", ".join(sorted(attributes)) or "none"
            raise TemplateError(f"{logical_id} ({self._type(logical_id)}) has no attribute {name}; known: {known}")
        return attributes[name]

    def _type(self, logical_id: str) -> str:
        return str(self._resources[logical_id].get("Type"))

    def _get(self, logical_id: str) -> Made:
        if logical_id in self._made:
            return self._made[logical_id]
        if logical_id not in self._resources:
            raise TemplateError(f"{logical_id} is referred to, but the template has no such resource or parameter")
        if logical_id in self._making:
            circle = " -> ".join([*self._making[self._making.index(logical_id) :], logical_id])
            raise TemplateError(f"resources depend on each other in a circle: {circle}")
        self._making.append(logical_id)
        try:
            self._made[logical_id] = self._make(logical_id, self._resources[logical_id])
        finally:
            self._making.pop()
        return self._made[logical_id]

    def _make(self, logical_id: str, resource: Mapping[str, Any]) -> Made:
        kind = self._type(logical_id)
        resource_type = RESOURCE_TYPES.get(kind)
        if resource_type is None:
            raise TemplateError(f"{logical_id}: the type {kind} is not known to the local cloud")
        strange = sorted(set(resource) - _KNOWN_MEMBERS)
        if strange:
            raise TemplateError(f"{logical_id} ({kind}): {strange[0]} is not known to the local cloud")
        before = resource.get("DependsOn", [])
        for other in [before] if isinstance(before, str) else before:
            self._get(other)
        properties = self._resolver.resolve(resource.get("Properties", {}))
        unknown = sorted(set(properties) - resource_type.properties)
        if unknown:
            known = ", ".join(sorted(resource_type.properties))
            raise TemplateError(
                f"{logical_id} ({kind}): the property {unknown[0]} is not known to the local cloud; known: {known}"
            )
        try:
            return resource_type.make(self._stack, logical_id, properties)
        except (ClientError, BotoCoreError) as error:
            raise TemplateError(f"{logical_id} ({kind}) could not be made: {error}") from error
        except KeyError as error:
            raise TemplateError(f"{logical_id} ({kind}): {error} is missing") from error
