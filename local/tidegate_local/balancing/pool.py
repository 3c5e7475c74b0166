"""A target group's targets: their health, their connections, their draining.

Follows "Health checks for your target groups" and "Deregistration delay" in the Elastic Load Balancing user guides: a
new target needs one good answer, a healthy one as many bad ones as the group's threshold; what is taken out gets no
new connections and is gone when its last one ends, or the delay is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: State and reason of what is no target of a group.
NOT_REGISTERED = ("unused", "Target.NotRegistered")


@dataclass(frozen=True)
class Check:
    """How a group's targets are checked; ``path`` is empty where a connection is enough. Seconds."""

    path: str = "/"
    codes: frozenset[int] = frozenset({200})
    interval: float = 30.0
    timeout: float = 10.0
    healthy_after: int = 5
    unhealthy_after: int = 2
    port: int | None = None
    deregistration_delay: float = 300.0


@dataclass
class Target:
    """One target: where it is, how it is, and the ends of what goes through it."""

    target_id: str
    address: str
    port: int
    state: str = "initial"
    reason: str = "Elb.InitialHealthChecking"
    run: int = 0  # answers in a row that speak against its state
    gone_at: float = 0.0  # when its draining is over at the latest
    connections: set[asyncio.StreamWriter] = field(default_factory=set)


class Pool:
    """The targets of one target group; everything runs on the balancers' own loop.

    Parameters
    ----------
    check
        Gives the group's settings as they are now.
    """

    def __init__(self, check: Callable[[], Check]) -> None:
        self._check = check
        self.targets: dict[str, Target] = {}
        self._turn = 0
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Task[None] | None = None  # a new target's first look, for the interval may be long

    def register(self, target_id: str, address: str, port: int) -> None:
        """Add a target; one that is there already stays as it is, one that drains is a new one again."""
        found = self.targets.get(target_id)
        if found is None or found.state == "draining" or found.port != port:
            self.targets[target_id] = Target(target_id, address, port)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._keep_checking())
        else:
            self._first = asyncio.get_running_loop().create_task(self._look(self.targets[target_id], self._check()))

    def deregister(self, target_id: str) -> None:
        """Take a target out; it drains."""
        target = self.targets.get(target_id)
        if target is None or target.state == "draining":
            return
        target.state, target.reason = "draining", "Target.DeregistrationInProgress"
        target.gone_at = time.monotonic() + self._check().deregistration_delay
        self._drop_drained()

    def choose(self) -> Target | None:
        """The healthy target whose turn it is."""
        healthy = [target for target in self.targets.values() if target.state == "healthy"]
        self._turn += 1
        return healthy[self._turn % len(healthy)] if healthy else None

    def state_of(self, target_id: str) -> tuple[str, str]:
        """State and reason of a target."""
        self._drop_drained()
        target = self.targets.get(target_id)
        return (target.state, target.reason) if target else NOT_REGISTERED

    def end(self) -> None:
        """Stop checking and cut every connection."""
        if self._task is not None:
            self._task.cancel()
        for target in self.targets.values():
            _cut(target)

    def released(self, target: Target, writer: asyncio.StreamWriter) -> None:
        """A connection of a target ended."""
        target.connections.discard(writer)
        self._drop_drained()

    def _drop_drained(self) -> None:
        for target in list(self.targets.values()):
            if target.state == "draining" and (not target.connections or time.monotonic() > target.gone_at):
                del self.targets[target.target_id]
                _cut(target)

    async def _keep_checking(self) -> None:
        while self.targets:
            check = self._check()
            await asyncio.gather(*(self._look(each, check) for each in list(self.targets.values())))
            self._drop_drained()
            await asyncio.sleep(check.interval)

    async def _look(self, target: Target, check: Check) -> None:
        if target.state == "draining":
            return
        problem = await _problem(target.address, check.port or target.port, check)
        if target.state == "draining":
            return
        if target.state == ("unhealthy" if problem else "healthy"):
            target.reason, target.run = problem, 0
            return
        target.run += 1
        if not problem:
            if target.state == "initial" or target.run >= check.healthy_after:
                target.state, target.reason, target.run = "healthy", "", 0
            return
        if target.run >= check.unhealthy_after:
            target.state, target.reason, target.run = "unhealthy", problem, 0


async def _problem(address: str, port: int, check: Check) -> str:
    """Why a target is not well, as AWS's reasons name it; empty where it is."""
    try:
        async with asyncio.timeout(check.timeout):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                if not check.path:
                    return ""
                request = f"GET {check.path} HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode("ascii", "replace"))
                await writer.drain()
                words = (await reader.readline()).split()
            finally:
                writer.close()
    except TimeoutError:
        return "Target.Timeout"
    except (OSError, ValueError):
        return "Target.FailedHealthChecks"
    if len(words) > 1 and words[1].isdigit() and int(words[1]) in check.codes:
        return ""
    return "Target.ResponseCodeMismatch"


def _cut(target: Target) -> None:
    for writer in list(target.connections):
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()
    target.connections.clear()
