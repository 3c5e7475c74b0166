"""Hosts that run nothing: Run Command gets from each what a real local host answered once.

For fleets that no machine could hold. What is recorded is one run of ``examples/webapp`` on a local host: which events
there are, and how long each took. Everything else is as with local hosts: EC2 instances with tags, commands with their
statuses, events on the bus. A recorded host has no file system, and no failure that was not asked for (an agent that is
away); what really happens on hosts is not tested with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tidegate_local.hosts.shown import described

#: Seconds that each lifecycle event took on a local host; those that are not here took none.
RECORDED_RUN: Final[Mapping[str, float]] = {
    "ApplicationStop": 0.118,
    "DownloadBundle": 0.045,
    "BeforeInstall": 0.236,
    "Install": 0.006,
    "AfterInstall": 0.1,
    "ApplicationStart": 0.012,
    "ValidateService": 0.184,
}


@dataclass
class RecordedHost:
    """A managed node without a machine; its members are those of a local host that Systems Manager shows."""

    id: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    agent_online: bool = True
    state: str = "running"

    def describe(self) -> dict[str, Any]:
        """As local hosts are described; there is nothing to enter."""
        return described(self, "recorded")


def recorded_result(order: Mapping[str, Any], target_id: str, began: float) -> dict[str, Any]:
    """What the host runner prints of an order's run (``docs/host-contract.md``) that goes as the recorded one went.

    Parameters
    ----------
    order : the order that the command brought
    began : when the host took it, epoch seconds
    """
    events: list[list[Any]] = []
    now = began
    for name in order["events"]:
        end = now + RECORDED_RUN.get(name, 0.0)
        events.append([name, "Succeeded", round(now, 3), round(end, 3)])
        now = end
    return {
        "tidegate": 1,
        "deployment": order["deploymentId"],
        "target": target_id,
        "stage": order["stage"],
        "status": "Succeeded",
        "events": events,
    }


def recorded_seconds(order: Mapping[str, Any]) -> float:
    """How long the run of an order takes."""
    return sum(RECORDED_RUN.get(name, 0.0) for name in order["events"])
