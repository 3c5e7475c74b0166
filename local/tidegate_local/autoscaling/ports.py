"""What Auto Scaling needs of the services around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class Hosts(Protocol):
    """The local hosts that instances are."""

    def start_instance(self, instance_id: str, tags: Mapping[str, str], profile: str | None) -> None:
        """Start the host of an instance; any exception tells why it cannot be."""

    def end_instance(self, instance_id: str) -> None:
        """End the host of an instance, if there is one."""


class Services(Protocol):
    """EC2, the load balancers and the notification targets of one account and Region; a group is moto's."""

    def groups(self) -> Iterable[Any]:
        """All groups."""

    def forget(self, group: Any) -> None:
        """Remove a group and its hooks."""

    def hooks(self, group: Any, transition: str) -> list[Any]:
        """The group's hooks of a transition."""

    def run(self, group: Any, zone: str) -> Any:
        """Run one instance as the group's template says; any exception tells why it cannot be."""

    def profile(self, group: Any) -> str | None:
        """Name or ARN of the instance profile that the group's template gives."""

    def terminate(self, instance_id: str) -> None:
        """End an instance and its host; one that is gone already is left alone."""

    def power(self, instance_id: str, on: bool) -> None:
        """Start or stop an instance."""

    def register(self, group: Any, instance_ids: list[str]) -> None:
        """Register instances with all load balancers of the group."""

    def deregister(self, group: Any, instance_ids: list[str]) -> None:
        """Take instances out of all load balancers of the group."""

    def is_draining(self, group: Any, instance_id: str) -> bool:
        """Whether a load balancer still waits for the instance's connections."""

    def emit(self, event: Mapping[str, Any]) -> None:
        """Put an event on the default bus."""

    def notify(self, target: str, message: Mapping[str, Any]) -> None:
        """Send a message to a hook's notification target (a queue or a topic)."""
