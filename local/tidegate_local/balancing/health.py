"""How the targets of a target group are checked and drained, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Health(NamedTuple):
    """State and reason of a target, as DescribeTargetHealth names them; ``code`` is the status code that was wrong."""

    state: str
    reason: str = ""
    code: str = ""


INITIAL = Health("initial", "Elb.InitialHealthChecking")
HEALTHY = Health("healthy")
DRAINING = Health("draining", "Target.DeregistrationInProgress")
#: What is no target of a group.
NOT_REGISTERED = Health("unused", "Target.NotRegistered")


@dataclass(frozen=True)
class Check:
    """How a group's targets are checked; ``path`` is empty where a connection is enough. Seconds.

    Attributes
    ----------
    port
        Where it asks; None for the target's own port.
    deregistration_delay
        How long a target drains at most.
    cuts
        Whether what is left is cut then; Network Load Balancers leave it alone.
    """

    path: str = "/"
    codes: frozenset[int] = frozenset({200})
    interval: float = 30.0
    timeout: float = 10.0
    healthy_after: int = 5
    unhealthy_after: int = 2
    port: int | None = None
    deregistration_delay: float = 300.0
    cuts: bool = True


class Forwarding(Protocol):
    """What carries the traffic: listeners in front, target groups ("pools") behind them, both named by keys."""

    name: str

    def pool(self, key: str, check: Callable[[], Check], http: bool) -> None:
        """Make a pool, if there is none of that key; ``check`` gives its settings as they are now."""

    def drop(self, key: str) -> None:
        """Forget a pool and cut what goes through it."""

    def listen(
        self, key: str, address: str, port: int, routes: Callable[[], Sequence[tuple[str, int]]], http: bool
    ) -> int:
        """Open a listener; returns its port, another one where this process may not use the one wanted.

        Parameters
        ----------
        routes
            The pools that get its traffic, with their weights, as they are now.
        http
            Whether requests are forwarded, or connections.

        Raises
        ------
        OSError
            The address is in use.
        """

    def close(self, key: str) -> None:
        """Close a listener; what goes through it goes on."""

    def register(self, pool: str, target_id: str, address: str, port: int) -> None:
        """Add a target; one that is there already stays as it is, one that drains is a new one again."""

    def deregister(self, pool: str, target_id: str) -> None:
        """Take a target out; it drains."""

    def states(self, pool: str) -> dict[str, Health]:
        """The targets of a pool, those that drain among them."""

    def refresh(self) -> None:
        """Take up settings and routes that have changed."""

    def stop(self) -> None:
        """End all listeners and connections; nothing is left when this returns."""
