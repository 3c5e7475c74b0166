"""Things that go wrong between Systems Manager and a host, switched on by tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Faults:
    """What goes wrong, from the next command on.

    Attributes
    ----------
    delivery_delay_seconds : a command stays Pending that long before the agent takes it
    swallow : the agent takes the command and never runs anything
    step_death_seconds : a running step's process group is killed after that long
    duplicate_delivery : the agent runs the command twice at the same time; the first answer counts
    deliver_cancelled : a command that was cancelled while Pending runs all the same, unseen
    instances : instance ids it happens to; all when empty
    """

    delivery_delay_seconds: float = 0.0
    swallow: bool = False
    step_death_seconds: float | None = None
    duplicate_delivery: bool = False
    deliver_cancelled: bool = False
    instances: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Faults":
        """From JSON-like settings; ValueError names a setting there is not."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise ValueError(f"there is no fault {unknown[0]!r}; there are: {', '.join(sorted(known))}")
        return cls(**{**settings, "instances": frozenset(settings.get("instances") or ())})

    def at(self, instance_id: str) -> "Faults":
        """What goes wrong at one instance."""
        return self if not self.instances or instance_id in self.instances else Faults()
