"""How a host is shown, whatever kind it is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Shown(Protocol):
    """What all hosts have: their EC2 instance id, host name, address, tags, and ``running`` or ``stopped``."""

    id: str
    name: str
    address: str
    tags: Mapping[str, str]

    @property
    def state(self) -> str:
        """``running`` or ``stopped``."""


def described(host: Shown, isolation: str, **more: Any) -> dict[str, Any]:
    """What `tidegate local hosts --json` shows of a host; ``isolation`` is what separates it from the machine."""
    found = {"id": host.id, "name": host.name, "address": host.address, "state": host.state, "tags": dict(host.tags)}
    return {**found, "isolation": isolation, **more}
