"""The balancers of one local cloud: whose listeners are where, and what their target groups say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate_local.balancing import any_address, forwarder
from tidegate_local.balancing.health import Check, Health

_TRIES = 20
#: Where an instance that is no local host is: a network for documentation (RFC 5737), so that its checks fail.
_NOWHERE = "192.0.2.1"


@dataclass(frozen=True)
class _Open:
    balancer: str
    address: str
    routes: Callable[[], Sequence[tuple[str, int]]]


class Balancing:
    """Listeners and target groups of all kinds of load balancers, named by keys.

    Parameters
    ----------
    address_of
        Gives the address of an instance; None for what is no local host.
    folder
        The local cloud's.
    """

    def __init__(self, address_of: Callable[[str], str | None], folder: Path) -> None:
        self._address_of = address_of
        self._forwarder, self.missing = forwarder(folder)
        self._lock = threading.Lock()
        self._addresses: dict[str, str] = {}  # by load balancer
        self._open: dict[str, _Open] = {}

    @property
    def name(self) -> str:
        """What forwards."""
        return self._forwarder.name

    def pool(self, key: str, check: Callable[[], Check], http: bool) -> None:
        """Make a target group, if there is none of that key."""
        self._forwarder.pool(key, check, http)

    def drop(self, key: str) -> None:
        """Forget a target group."""
        self._forwarder.drop(key)

    def register(self, pool: str, target_id: str, port: int) -> None:
        """Register an instance."""
        self._forwarder.register(pool, target_id, self._address_of(target_id) or _NOWHERE, port)

    def deregister(self, pool: str, target_id: str) -> None:
        """Drain an instance."""
        self._forwarder.deregister(pool, target_id)

    def states(self, pool: str) -> dict[str, Health]:
        """How the instances of a target group are; one that no listener uses checks none of them."""
        found = self._forwarder.states(pool)
        if any(pool in (key for key, _ in each.routes()) for each in list(self._open.values())):
            return found
        unused = Health("unused", "Target.NotInUse")
        return {name: health if health.state == "draining" else unused for name, health in found.items()}

    def refresh(self) -> None:
        """Take up settings and routes that have changed."""
        self._forwarder.refresh()

    def open(
        self,
        key: str,
        balancer: tuple[str, str],
        port: int,
        routes: Callable[[], Sequence[tuple[str, int]]],
        *,
        http: bool,
    ) -> str:
        """Open a listener at its load balancer's own address, which it returns.

        Parameters
        ----------
        balancer
            Its key, and the name to show.

        Raises
        ------
        OSError
            The port is in use there.
        """
        balancer_key, name = balancer
        with self._lock:
            known = self._addresses.get(balancer_key)
            for attempt in range(_TRIES):
                address = known or any_address()
                try:
                    opened = self._forwarder.listen(key, address, port, routes, http)
                    break
                except OSError:
                    if known or attempt == _TRIES - 1:
                        raise
            self._addresses[balancer_key] = address
            self._open[key] = _Open(name, f"{address}:{opened}", routes)
        return address

    def close(self, key: str) -> None:
        """Close a listener."""
        if self._open.pop(key, None) is not None:
            self._forwarder.close(key)

    def describe(self) -> list[dict[str, Any]]:
        """The listeners: where they are, and the states of their targets."""
        return [
            {
                "name": each.balancer,
                "address": each.address,
                "forwarder": self.name,
                "targets": {
                    target_id: health.state
                    for key, _ in each.routes()
                    for target_id, health in self._forwarder.states(key).items()
                },
            }
            for each in list(self._open.values())
        ]

    def stop(self) -> None:
        """End all listeners and connections."""
        self._forwarder.stop()
