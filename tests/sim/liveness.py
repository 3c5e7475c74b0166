"""Liveness as a number: a lost event costs at most one heartbeat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

#: What keeps a function from its next pass. Lost events, hosts and balancers do not.
TROUBLE = ("killed", "throttled", "slow call", "execution aborted", "taken for dead", "balancer throttled")
LOOK_SHARE = 20  # commands that a pass looks at which no signal woke
CALLS_TAKE = 5.0  # seconds of the calls of two passes: one that looked just too early, and the one that sees it


class Liveness:
    """How long a ledger does not know of commands that have ended, where nothing but their events is lost.

    A stretch begins when the deployment's execution waits, and no function has met a fault since then. A command that
    ends in it is known one heartbeat later at most, whether its event is lost or not. A pass that no signal woke looks
    at 20 commands; where more are under way, it takes as many heartbeats as they take turns.

    Attributes
    ----------
    longest : the longest that a lost event has cost, in seconds
    lost : how many lost events were held to it
    """

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._seen = 0  # so many of the faults that happened were looked at
        self._troubles = 0
        self._waits: dict[str, int] = {}  # by deployment: how much trouble there was when it last began to wait
        self._ended: dict[tuple[str, str, str], tuple[float, int]] = {}
        self._lost: set[tuple[str, str, str]] = set()
        self.longest, self.lost = 0.0, 0

    def trouble(self) -> None:
        """A function does what could hold up another one."""
        self._troubles += 1

    def parked(self, deployment_id: str) -> None:
        """The deployment's execution waits for a signal."""
        self._waits[deployment_id] = self._count()

    def command_ended(self, command_id: str, node_id: str, *, lost: bool) -> None:
        """Systems Manager knows that a command has ended on a host; its event is on its way, or lost."""
        deployment_id = self._world.fleet.commands[command_id].order["deploymentId"]
        troubles = self._count()
        if self._waits.get(deployment_id) != troubles or deployment_id not in self._world.watch.live:
            return
        place, ledger = (deployment_id, command_id, node_id), self._world.table.items[f"DEP#{deployment_id}", "LEDGER"]
        if self._is_in(place, _commands(ledger)):  # it may have been given up long ago
            self._ended[place] = self._world.now, troubles
            if lost:
                self._lost.add(place)

    def ledger_changed(self, deployment_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """A ledger was written: what it no longer waits for, it knows of.

        Raises
        ------
        Violation
        """
        if not self._ended:
            return
        there = _commands(new)
        for place in [each for each in self._ended if each[0] == deployment_id]:
            if not self._is_in(place, there):
                self._known(place, turns=math.ceil(len(old["flights"]) / LOOK_SHARE))

    def deployment_ended(self, deployment_id: str) -> None:
        """What a deployment knows when it ends is all that it will know.

        Raises
        ------
        Violation
        """
        for place in [each for each in self._ended if each[0] == deployment_id]:
            self._known(place, turns=1)

    def _is_in(self, place: tuple[str, str, str], there: Mapping[str, str]) -> bool:
        deployment_id, command_id, node_id = place
        if command_id not in there:
            return False
        position = self._world.watch.stories[deployment_id].fleet.index(self._world.target_of(node_id))
        ranges = [each.partition("-") for each in there[command_id].split(",") if each]
        return any(int(first) <= position <= int(last or first) for first, _, last in ranges)

    def _known(self, place: tuple[str, str, str], turns: int) -> None:
        ended, troubles = self._ended.pop(place)
        lost = place in self._lost
        self._lost.discard(place)
        if troubles != self._count():
            return
        took = self._world.now - ended
        if lost:
            self.longest, self.lost = max(self.longest, took), self.lost + 1
        most = turns * (float(self._world.env["TIDEGATE_HEARTBEAT_SECONDS"]) + 2) + CALLS_TAKE
        what = f"{place[0]} knew {took:.0f} s later, not {most:.0f}, that {place[2]} had ended {place[1]}"
        self._world.watch.require(took <= most, "liveness", what)

    def _count(self) -> int:
        happened = self._world.chance.happened
        if len(happened) > self._seen:
            self._troubles += sum(each.startswith(TROUBLE) for each in happened[self._seen :])
            self._seen = len(happened)
        return self._troubles


def _commands(ledger: Mapping[str, Any]) -> dict[str, str]:
    """The commands that a ledger waits for, with the positions of their targets."""
    return {flight["commandId"]: flight["positions"] for flight in ledger["flights"] if flight["commandId"]}
