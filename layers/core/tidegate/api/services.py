"""What the API needs of the world: ports, and the few settings it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tidegate.api.addresses import Scope
from tidegate.model.logs import Segment
from tidegate.scaling.hook_settling import HookPort
from tidegate.store.applications import Applications
from tidegate.store.configs import Configs
from tidegate.store.deployments import Deployments
from tidegate.store.groups import Groups
from tidegate.store.onpremises import OnPremisesInstances
from tidegate.store.revisions import Revisions
from tidegate.store.scaled_groups import ScaledGroups
from tidegate.store.table import Table


class ExecutionsBusyError(Exception):
    """Executions cannot be started just now; the caller may try again."""


class Executions(Protocol):
    """Starts the state machine."""

    def start(self, deployment_id: str, generation: int) -> None:
        """Start a deployment's execution; starting it again is fine.

        Raises
        ------
        ExecutionsBusyError
            Throttled. Any other exception counts as a fault of ours.
        """


class Signals(Protocol):
    """Wakes deployments."""

    def signal(self, deployment_id: str) -> None:
        """Make the deployment take another look soon."""


class Progress(Protocol):
    """What hosts say while they work."""

    def read(self, deployment_id: str, target_id: str) -> Mapping[str, Any] | None:
        """The target's progress object (``docs/host-contract.md``), ``None`` where there is none."""


class Logs(Protocol):
    """What hosts' events print."""

    def segments(self, deployment_id: str, target_id: str, brought_by: str = "") -> Sequence[Segment]:
        """The target's log segments; those that a later deployment brought, where one is named."""

    def read(self, segment: Segment, offset: int) -> bytes:
        """What a segment holds from an offset on."""


class GitHubTokens(Protocol):
    """Tokens of GitHub accounts, by name; what they hold is not for the API."""

    def names(self) -> Sequence[str]:
        """Names of all, in order."""

    def delete(self, name: str) -> bool:
        """Delete one; whether there was one."""


class LifecycleHooks(HookPort, Protocol):
    """Auto Scaling groups and their hooks. What Auto Scaling refuses is a ``ScalingFault``."""

    def act_for(self, role_arn: str, on: str) -> None:
        """Use a service role's rights from now on, where the stack is so set; ``on`` names the session."""

    def groups(self, names: Sequence[str]) -> Mapping[str, object]:
        """Auto Scaling groups by name; unknown ones are left out."""

    def names(self, scaling_group: str) -> Sequence[str]:
        """The names of all hooks of an Auto Scaling group."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the stack that the API minds.

    Attributes
    ----------
    revision_buckets
        Patterns (``*``, ``?``) of the buckets that revisions may come from: the stack parameter ``RevisionBuckets``.
    """

    revision_buckets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Services:
    """The ports, wired once a process.

    Attributes
    ----------
    clock
        Now, in epoch seconds.
    new_id
        Draws a deployment id (``d-`` and nine capital letters or digits).
    new_uuid
        Draws a lower-case UUID.
    """

    table: Table
    executions: Executions
    signals: Signals
    progress: Progress
    logs: Logs
    github_tokens: GitHubTokens
    lifecycle_hooks: LifecycleHooks
    clock: Callable[[], float]
    new_id: Callable[[], str]
    new_uuid: Callable[[], str]
    account: str
    region: str
    settings: Settings

    @property
    def applications(self) -> Applications:
        return Applications(self.table)

    @property
    def groups(self) -> Groups:
        return Groups(self.table)

    @property
    def scaled_groups(self) -> ScaledGroups:
        return ScaledGroups(self.table)

    @property
    def revisions(self) -> Revisions:
        return Revisions(self.table)

    @property
    def configs(self) -> Configs:
        return Configs(self.table)

    @property
    def deployments(self) -> Deployments:
        return Deployments(self.table)

    @property
    def on_premises(self) -> OnPremisesInstances:
        return OnPremisesInstances(self.table)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation: the ports, and who called.

    Attributes
    ----------
    scope
        What the path confines the call to, where the operation has no members that name it.
    """

    services: Services
    caller: str
    operation: str
    scope: Scope | None = None
