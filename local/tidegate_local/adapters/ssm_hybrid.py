"""Systems Manager's hybrid activations, and the tags of the nodes that come of them, on moto.

Stands in for what moto lacks: it knows neither activations nor nodes that are no EC2 instances. Follows
"Create a hybrid activation to register nodes with Systems Manager" and the API reference of the operations below.
"""

from __future__ import annotations

import secrets
import string
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.models import iam_backends
from moto.ssm.responses import SimpleSystemManagerResponse

from tidegate_local.hosts.runcommand.errors import RunCommandError
from tidegate_local.hosts.runcommand.listing import page

_DEFAULT_LIFE = timedelta(hours=24)
_LONGEST_LIFE = timedelta(days=30)
_MOST_REGISTRATIONS = 1000
_TAGGED = "ManagedInstance"
_FILTERS = {"ActivationIds": "ActivationId", "DefaultInstanceName": "DefaultInstanceName", "IamRole": "IamRole"}
# What these did before: they go on to do it for every other kind of resource.
_OF_MOTO = {
    name: getattr(SimpleSystemManagerResponse, name)
    for name in ("add_tags_to_resource", "remove_tags_from_resource", "list_tags_for_resource")
}

Operation = Callable[[SimpleSystemManagerResponse], ActionResult]


class ActivationError(ValueError):
    """A machine cannot be registered with this activation; the text says why."""


@dataclass
class Activation:
    """A hybrid activation, and how often it was used."""

    role: str
    name: str
    description: str
    limit: int
    expires: datetime
    tags: dict[str, str]
    created: datetime
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    code: str = field(
        default_factory=lambda: "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(20))
    )
    used: int = 0

    def shown(self, now: datetime) -> dict[str, Any]:
        """As an Activation of DescribeActivations: the code is told once, when it is made."""
        return {
            "ActivationId": self.id,
            "Description": self.description,
            "DefaultInstanceName": self.name,
            "IamRole": self.role,
            "RegistrationLimit": self.limit,
            "RegistrationsCount": self.used,
            "ExpirationDate": self.expires,
            "Expired": now >= self.expires,
            "CreatedDate": self.created,
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
        }


def _time(value: Any) -> datetime | None:
    """A time as moto hands it over: read already, or in epoch seconds."""
    if value is None or isinstance(value, datetime):
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(value), UTC)


class HybridNodes:
    """Activations, and the nodes that were registered with them, of one account and Region."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._activations: dict[str, Activation] = {}
        self._nodes: dict[str, Activation] = {}
        self._tags: dict[str, dict[str, str]] = {}

    def knows(self, node_id: str) -> bool:
        """Whether it is a registered node."""
        return node_id in self._nodes

    def role_of(self, node_id: str) -> str:
        """The role that a node's agent gets credentials of."""
        return self._nodes[node_id].role

    def shown(self, node_id: str) -> dict[str, Any]:
        """What InstanceInformation says of such a node and not of EC2 instances."""
        activation = self._nodes[node_id]
        return {
            "ResourceType": "ManagedInstance",
            "SourceType": "AWS::SSM::ManagedInstance",
            "ActivationId": activation.id,
            "IamRole": activation.role,
            "Name": activation.name,
        }

    def check(self, activation_id: str, code: str) -> Activation:
        """The activation, if a machine may be registered with it now.

        Raises
        ------
        ActivationError
        """
        found = self._activations.get(activation_id)
        if found is None or not secrets.compare_digest(found.code, code):
            raise ActivationError(f"activation {activation_id!r} is unknown, or its code is another one")
        if datetime.now(UTC) >= found.expires:
            raise ActivationError(f"activation {activation_id} has expired; create another one")
        if found.used >= found.limit:
            raise ActivationError(f"activation {activation_id} was used {found.used} times, as often as it may be")
        return found

    def register(self, activation_id: str, code: str) -> str:
        """Register a machine, as the agent does; its node's id.

        Raises
        ------
        ActivationError
        """
        with self._lock:
            activation = self.check(activation_id, code)
            activation.used += 1
            node_id = f"mi-{secrets.token_hex(9)[:17]}"
            self._nodes[node_id], self._tags[node_id] = activation, dict(activation.tags)
            return node_id

    def tags_of(self, node_id: str) -> dict[str, str]:
        """A node's tags; RunCommandError ``InvalidResourceId`` where there is no such node."""
        if node_id not in self._tags:
            raise RunCommandError("InvalidResourceId", f"there is no managed node {node_id!r}")
        return self._tags[node_id]

    def operations(self) -> dict[str, Operation]:
        """The operations, by the names that moto finds them by."""
        mine = (self.create_activation, self.describe_activations, self.delete_activation)
        tags = (self.add_tags_to_resource, self.remove_tags_from_resource, self.list_tags_for_resource)
        return {each.__name__: each for each in (*mine, self.deregister_managed_instance, *tags)}

    def create_activation(self, response: SimpleSystemManagerResponse) -> ActionResult:
        """CreateActivation."""
        now = datetime.now(UTC)
        given = response._get_param
        role, limit = given("IamRole", ""), int(given("RegistrationLimit", 1))
        expires = _time(given("ExpirationDate")) or now + _DEFAULT_LIFE
        if not now < expires <= now + _LONGEST_LIFE:
            raise RunCommandError("ValidationException", "ExpirationDate must be within the next 30 days")
        if not 1 <= limit <= _MOST_REGISTRATIONS:
            raise RunCommandError("ValidationException", f"RegistrationLimit is {limit}; 1 to 1000 are allowed")
        if not self._trusts_ssm(role.rpartition("/")[2]):
            message = f"Nonexistent role or missing ssm service principal in trust policy: {role}"
            raise RunCommandError("ValidationException", message)
        tags = {tag["Key"]: tag["Value"] for tag in given("Tags", [])}
        name, description = given("DefaultInstanceName", ""), given("Description", "")
        made = Activation(role, name, description, limit, expires, tags, now)
        self._activations[made.id] = made
        return ActionResult({"ActivationId": made.id, "ActivationCode": made.code})

    def _trusts_ssm(self, role: str) -> bool:
        known = iam_backends[self._account]["aws"].roles.values()
        return any(each.name == role and "ssm.amazonaws.com" in each.assume_role_policy_document for each in known)

    def describe_activations(self, response: SimpleSystemManagerResponse) -> ActionResult:
        """DescribeActivations."""
        wanted = [(item["FilterKey"], item["FilterValues"]) for item in response._get_param("Filters", [])]
        for key, _ in wanted:
            if key not in _FILTERS:
                raise RunCommandError("InvalidFilter", f"there is no filter {key!r}")
        rows = [activation.shown(datetime.now(UTC)) for activation in self._activations.values()]
        found = [row for row in rows if all(row[_FILTERS[key]] in values for key, values in wanted)]
        asked = response._get_int_param("MaxResults"), response._get_param("NextToken")
        shown, token = page(found, lambda row: str(row["ActivationId"]), *asked)
        return ActionResult({"ActivationList": shown, **({"NextToken": token} if token else {})})

    def delete_activation(self, response: SimpleSystemManagerResponse) -> ActionResult:
        """DeleteActivation; nodes that were registered with it stay."""
        activation_id = response._get_param("ActivationId")
        if self._activations.pop(activation_id, None) is None:
            raise RunCommandError("InvalidActivation", f"there is no activation {activation_id!r}")
        return EmptyResult()

    def deregister_managed_instance(self, response: SimpleSystemManagerResponse) -> ActionResult:
        """DeregisterManagedInstance."""
        node_id = response._get_param("InstanceId")
        if self._nodes.pop(node_id, None) is None:
            raise RunCommandError("InvalidInstanceId", f"there is no hybrid-activated node {node_id!r}")
        del self._tags[node_id]
        return EmptyResult()

    def add_tags_to_resource(self, response: SimpleSystemManagerResponse) -> ActionResult:
        """AddTagsToResource."""
        if response._get_param("ResourceType") != _TAGGED:
            return _OF_MOTO["add_tags_to_resource"](response)
        added = {tag["Key"]: tag["Value"] for tag in response._get_param("Tags", [])}
        self.tags_of(response._get_param("ResourceId")).update(added)
        return EmptyResult()

    def remove_tags_from_resource(self, response: SimpleSystemManagerResponse) -> ActionResult:
        """RemoveTagsFromResource."""
        if response._get_param("ResourceType") != _TAGGED:
            return _OF_MOTO["remove_tags_from_resource"](response)
        tags = self.tags_of(response._get_param("ResourceId"))
        for key in response._get_param("TagKeys", []):
            tags.pop(key, None)
        return EmptyResult()

    def list_tags_for_resource(self, response: SimpleSystemManagerResponse) -> ActionResult:
        """ListTagsForResource."""
        if response._get_param("ResourceType") != _TAGGED:
            return _OF_MOTO["list_tags_for_resource"](response)
        tags = self.tags_of(response._get_param("ResourceId"))
        return ActionResult({"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]})
