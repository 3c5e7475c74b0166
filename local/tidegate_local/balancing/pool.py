"""A target group's targets: their health, their connections, their draining.

Follows "Health checks for your target groups" and "Deregistration delay" in the Elastic Load Balancing user guides: a
new target needs one good answer, a healthy one as many bad ones as the group's threshold; what is taken out gets no
new connections and is gone when its last one ends, or the delay is over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from tidegate_local.balancing.health import DRAINING, HEALTHY, INITIAL, Check, Health


@dataclass
class Target:
    """One target: where it is, how it is, and the ends of what goes through it."""

    target_id: str
    address: str
    port: int
    health: Health = INITIAL
    run: int = 0  # answers in a row that speak against its state
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
        if found is None or found.health == DRAINING or found.port != port:
            self.targets[target_id] = Target(target_id, address, port)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._keep_checking())
        else:
            self._first = asyncio.get_running_loop().create_task(self._look(self.targets[target_id], self._check()))

    def deregister(self, target_id: str) -> None:
        """Take a target out; it drains."""
        target = self.targets.get(target_id)
        if target is None or target.health == DRAINING:
            return
        target.health = DRAINING
        check = self._check()
        asyncio.get_running_loop().call_later(check.deregistration_delay, self._leave, target, check.cuts)
        self._drop_drained()

    def choose(self) -> Target | None:
        """The healthy target whose turn it is."""
        healthy = [target for target in self.targets.values() if target.health == HEALTHY]
        self._turn += 1
        return healthy[self._turn % len(healthy)] if healthy else None

    def states(self) -> dict[str, Health]:
        """The targets, those that drain among them."""
        self._drop_drained()
        return {target_id: target.health for target_id, target in self.targets.items()}

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
            if target.health == DRAINING and not target.connections:
                del self.targets[target.target_id]

    def _leave(self, target: Target, cut: bool) -> None:
        """The deregistration delay of a target is over; it may be registered again by now, as another one."""
        if self.targets.get(target.target_id) is target:
            del self.targets[target.target_id]
        if cut:
            _cut(target)

    async def _keep_checking(self) -> None:
        while self.targets:
            check = self._check()
            await asyncio.gather(*(self._look(each, check) for each in list(self.targets.values())))
            self._drop_drained()
            await asyncio.sleep(check.interval)

    async def _look(self, target: Target, check: Check) -> None:
        if target.health == DRAINING:
            return
        seen = await _seen(target.address, check.port or target.port, check)
        if target.health == DRAINING:
            return
        if target.health.state == seen.state:
            target.health, target.run = seen, 0
            return
        target.run += 1
        needed = check.healthy_after if seen == HEALTHY else check.unhealthy_after
        if target.run >= needed or (seen == HEALTHY and target.health == INITIAL):
            target.health, target.run = seen, 0


async def _seen(address: str, port: int, check: Check) -> Health:
    """How a target answers one check."""
    try:
        async with asyncio.timeout(check.timeout):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                if not check.path:
                    return HEALTHY
                request = f"GET {check.path} HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode("ascii", "replace"))
                await writer.drain()
                words = (await reader.readline()).split()
            finally:
                writer.close()
    except TimeoutError:
        return Health("unhealthy", "Target.Timeout")
    except (OSError, ValueError):
        return Health("unhealthy", "Target.FailedHealthChecks")
    code = words[1].decode("ascii", "replace") if len(words) > 1 else ""
    if code.isdigit() and int(code) in check.codes:
        return HEALTHY
    return Health("unhealthy", "Target.ResponseCodeMismatch", code)


def _cut(target: Target) -> None:
    for writer in list(target.connections):
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()
    target.connections.clear()
