"""What Auto Scaling needs of the services around it, and its parts of the whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from tidegate_local.autoscaling.activities import Activities
from tidegate_local.autoscaling.lifecycle import Member


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


class Keeper(Protocol):
    """Whoever keeps the groups as they are to be: what hooks and warm pools ask of it."""

    services: Services
    lock: threading.RLock
    account: str
    activities: Activities

    def later(self, task: Callable[[], None], delay: float = 0.0) -> None:
        """Run something without the caller's waiting."""

    def notify(self, target: str, message: dict[str, Any]) -> None:
        """Send a message to a notification target, aside."""

    def pause_left(self, group: Any) -> float:
        """How long no instance is launched after some that failed; seconds."""

    def launch(self, group: Any, warm: bool) -> bool:
        """Launch one instance, into the group or its warm pool; False where that cannot be."""

    def advance(self, member: Member) -> None:
        """Take an instance out of its wait when its hooks let it."""

    def begin_end(self, member: Member, why: str, *, hooks: bool = True, scale_in: bool = False) -> dict[str, Any]:
        """Begin to take an instance out; its activity."""
