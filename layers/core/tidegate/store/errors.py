"""What can go wrong in a store, in the words of the domain.

::

    StoreError
    ├── TableError                     the table itself
    │   ├── ConditionFailedError       a write's condition did not hold (which write, and what stands there)
    │   ├── TableBusyError             throttled or in conflict, after the retries: try again later
    │   ├── ItemTooLargeError          an item would be larger than the database takes
    │   ├── TableUnavailableError      anything else the database refused
    │   └── InvalidCursorError         a paging position that does not belong to the query
    ├── NotFoundError
    │   ├── ApplicationNotFoundError · DeploymentGroupNotFoundError · DeploymentConfigNotFoundError
    │   ├── RevisionNotFoundError · DeploymentNotFoundError · LedgerGoneError · HookNotFoundError
    │   └── InstanceNotRegisteredError on-premises: unknown, or deregistered
    └── ConflictError
        ├── ApplicationExistsError · DeploymentGroupExistsError · DeploymentConfigExistsError
        ├── ApplicationLimitError · DeploymentGroupLimitError · DeploymentConfigLimitError
        ├── DeploymentConfigInUseError
        ├── EcsServiceMappedError      the service belongs to another deployment group
        ├── InstanceRegisteredError · IamUserArnTakenError · IamSessionArnTakenError   on-premises
        ├── DeploymentGroupBusyError   the group has a live deployment
        ├── DeploymentExistsError      a deployment with this id is there already
        ├── DeploymentCompletedError   the deployment has ended
        ├── NotWaitingError            the deployment does not wait for what is to be continued
        ├── HookCompletedError         the execution of a lifecycle hook was answered before
        └── StaleGenerationError       an execution that is no longer the deployment's own wanted to write
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_HOLDS = "already belongs to a registered on-premises instance; each instance needs its own."


class StoreError(Exception):
    """Root of everything a store raises."""


class TableError(StoreError):
    """The table could not do what was asked."""


class ConditionFailedError(TableError):
    """A condition did not hold; nothing of the call was written.

    Attributes
    ----------
    index
        Position of the write whose condition failed, in the order given to ``write``.
    item
        The item that stands at its key, or ``None`` where there is none.
    """

    def __init__(self, index: int, item: Mapping[str, Any] | None) -> None:
        super().__init__(f"The condition of write {index} did not hold.")
        self.index = index
        self.item = item


class TableBusyError(TableError):
    """Throttled, or in conflict with other writers, for longer than the retries last."""


class ItemTooLargeError(TableError):
    """An item would be larger than 400 KB: what was given is too much to be kept."""

    def __init__(self) -> None:
        super().__init__("This is more than can be kept in one record (400 KB); give less.")


class TableUnavailableError(TableError):
    """The database refused or could not be reached."""


class InvalidCursorError(TableError):
    """The paging position was made for another query."""


class NotFoundError(StoreError):
    """Something named does not exist."""


class ApplicationNotFoundError(NotFoundError):
    """No application has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No application found for name: {name}")


class DeploymentGroupNotFoundError(NotFoundError):
    """The application has no such deployment group."""

    def __init__(self, application: str, group: str) -> None:
        super().__init__(f"No deployment group named '{group}' is in application '{application}'.")


class DeploymentConfigNotFoundError(NotFoundError):
    """No deployment configuration, predefined or custom, has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No deployment configuration found for name: {name}")


class RevisionNotFoundError(NotFoundError):
    """The revision is not registered with the application."""

    def __init__(self, application: str) -> None:
        super().__init__(f"The revision is not registered with application '{application}'.")


class LedgerGoneError(NotFoundError):
    """A deployment that is under way has lost its ledger, or never got one."""

    def __init__(self, deployment_id: str) -> None:
        super().__init__(
            f"The ledger of the deployment {deployment_id} is not in the table, so it is not known which of its "
            "instances are done. Deploy again."
        )


class DeploymentNotFoundError(NotFoundError):
    """No deployment has this id."""

    def __init__(self, deployment_id: str) -> None:
        super().__init__(f"The deployment '{deployment_id}' does not exist.")


class InstanceNotRegisteredError(NotFoundError):
    """No on-premises instance is registered under this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No on-premises instance is registered under the name '{name}'.")


class HookNotFoundError(NotFoundError):
    """The deployment waits for no lifecycle hook of this execution id."""

    def __init__(self, deployment_id: str) -> None:
        super().__init__(f"Deployment '{deployment_id}' has called no lifecycle hook with this execution id.")


class ConflictError(StoreError):
    """What is there already stands in the way."""


class ApplicationExistsError(ConflictError):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"An application named '{name}' already exists.")


class DeploymentGroupExistsError(ConflictError):
    """The name is taken in this application."""

    def __init__(self, application: str, group: str) -> None:
        super().__init__(f"Application '{application}' already has a deployment group named '{group}'.")


class DeploymentConfigExistsError(ConflictError):
    """The name is taken, by a custom or a predefined configuration."""

    def __init__(self, name: str) -> None:
        super().__init__(f"A deployment configuration named '{name}' already exists.")


class LimitError(ConflictError):
    """There are as many of a kind as there may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"There may be {most} {self.kind}; delete one first.")

    kind = "of these"


class ApplicationLimitError(LimitError):
    """No more applications."""

    kind = "applications"


class DeploymentGroupLimitError(LimitError):
    """No more deployment groups in an application."""

    kind = "deployment groups in an application"


class DeploymentConfigLimitError(LimitError):
    """No more custom deployment configurations."""

    kind = "custom deployment configurations"


class DeploymentConfigInUseError(ConflictError):
    """Deployment groups still refer to the configuration."""

    def __init__(self, name: str, groups: int) -> None:
        super().__init__(
            f"The deployment configuration '{name}' is used by {groups} deployment group(s); "
            "give them another configuration first."
        )


class InstanceRegisteredError(ConflictError):
    """The name of an on-premises instance is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"An on-premises instance is already registered under the name '{name}'; "
            "deregister it first, or choose another name."
        )


class IamUserArnTakenError(ConflictError):
    """Another on-premises instance is registered with the IAM user."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"The IAM user {arn} {_HOLDS}")


class IamSessionArnTakenError(ConflictError):
    """Another on-premises instance is registered with the IAM session."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"The IAM session {arn} {_HOLDS}")


class DeploymentGroupBusyError(ConflictError):
    """The group has a live deployment; its lock is held."""

    def __init__(self, group: str, live: str) -> None:
        # Tools in the wild look for the quoted id in this sentence.
        super().__init__(f"The Deployment Group '{group}' already has an active Deployment '{live}'")
        self.live = live


class InstanceBusyError(ConflictError):
    """Auto Scaling has started a deployment for the instance before, and that one is live or was a moment ago."""

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"A deployment that Auto Scaling started for {instance_id} is live, or was a moment ago.")


class DeploymentExistsError(ConflictError):
    """The id is taken: draw another one."""

    def __init__(self, deployment_id: str) -> None:
        super().__init__(f"A deployment '{deployment_id}' already exists.")


class DeploymentCompletedError(ConflictError):
    """The deployment has ended, or is ending: nothing about it changes any more."""

    def __init__(self, deployment_id: str, status: str = "") -> None:
        done = f"has already ended with status {status}" if status else "is ending just now"
        super().__init__(f"The deployment '{deployment_id}' {done}.")


class NotWaitingError(ConflictError):
    """The deployment does not wait for what somebody wants to be over."""

    def __init__(self, deployment_id: str, status: str, wait: str) -> None:
        originals = "while its original instances wait to be terminated"
        when = "while it is Ready" if wait == "READY_WAIT" else originals
        super().__init__(f"Deployment '{deployment_id}' is {status}; a {wait} can be continued {when}.")


class HookCompletedError(ConflictError):
    """A lifecycle event ended before: nothing about it changes any more."""

    def __init__(self, event: str, status: str) -> None:
        super().__init__(f"The lifecycle event '{event}' has already ended with status {status}.")


class StaleGenerationError(ConflictError):
    """The writer belongs to an execution that has been replaced; it must end at once."""

    def __init__(self, deployment_id: str, generation: int) -> None:
        super().__init__(f"Generation {generation} of deployment '{deployment_id}' is no longer the current one.")


class EcsServiceMappedError(ConflictError):
    """Another deployment group has the Amazon ECS service."""

    def __init__(self, services: Sequence[str]) -> None:
        super().__init__(
            f"The Amazon ECS service {', '.join(services)} (cluster:service) belongs to another deployment group; "
            "it can belong to one only."
        )
