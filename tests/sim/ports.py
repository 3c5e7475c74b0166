"""Ports whose calls take time, are throttled, or kill the function that makes them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.unit.functions.machine import Killed

from tidegate.gateways.alarms import AlarmsUnreadError
from tidegate.gateways.errors import ThrottledError
from tidegate.store.errors import DeploymentCompletedError, TableBusyError
from tidegate.store.ledgers import StaleLedgerError

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

CALL_LASTS = 0.01  # seconds
#: What a function may die of here; anything else is a fault of the code.
EXPECTED: tuple[type[Exception], ...] = (ThrottledError, TableBusyError, StaleLedgerError, AlarmsUnreadError)
#: Likewise a function that was taken for dead, and finds that the world has gone on.
EXPECTED_LATE = (*EXPECTED, DeploymentCompletedError)
#: Calls that nothing can fence once a function is late: such a function dies of its time-out before them.
UNFENCED = frozenset({"run_command.send", "balancers.block", "balancers.allow"})
#: Ports that are asked by no network call of their own that could be throttled.
NEVER_THROTTLED = frozenset({"orders", "bundles", "nodes"})


class Superseded(Killed):
    """A function that was taken for dead reached the point from which it goes on later."""


class FaultyPort:
    """A port behind which the world is hostile."""

    def __init__(self, world: SimWorld, name: str, port: Any) -> None:
        self._world, self._name, self._port = world, name, port

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if not callable(found):
            return found
        call = self._call(f"{self._name}.{method}", found)
        setattr(self, method, call)  # looked up once
        return call

    def _call(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        world, throttled = self._world, _throttled(self._name)

        def call(*args: Any, **kwargs: Any) -> Any:
            # Most calls go well: no fault, nothing that happens meanwhile, and a function that is nobody's ghost.
            current = world.current
            if current and current[-1].is_plain and throttled and world.goes_well(current[-1]):
                return method(*args, **kwargs)
            return world.call(name, throttled, partial(method, *args, **kwargs))

        return call


def _throttled(port: str) -> Callable[[], Exception] | None:
    if port in NEVER_THROTTLED:
        return None
    if port == "table":
        return lambda: TableBusyError("throttled by the simulation")
    return lambda: ThrottledError(f"asking {port}: Throttling: by the simulation")


class Invocation:
    """A run of a function, and what its calls were answered.

    A function that Step Functions takes for dead may go on: it is run again from the start, with the answers that it
    got already, and its further calls are made later than those of the run that took its place.
    """

    def __init__(
        self,
        function: str,
        began: float,
        *,
        place: str = "",
        generation: int = 0,
        stops_at: int = 0,
        known: list[bytes | Exception] | None = None,
    ) -> None:
        self.function, self.began, self.place, self.generation = function, began, place, generation
        self.stops_at = stops_at
        self.known = known or []
        self.answers: list[bytes | Exception] = []
        self.calls = 0
        self.ghost = known is not None
        self.is_plain = known is None and not stops_at  # it ends in its first life, and nothing need be noted

    @property
    def deployment_id(self) -> str:
        """The deployment whose step it is, where it is one's."""
        return self.place.partition(" ")[0]

    def replayed(self) -> bool:
        """Whether this call was made in the first life of the function already."""
        self.calls += 1
        return self.calls <= len(self.known)

    def note(self, answer: Any) -> None:
        """Keep what a call is answered, as it is now, where the function is to go on later."""
        if self.stops_at:
            self.answers.append(answer if isinstance(answer, Exception) else pickle.dumps(answer, -1))

    @property
    def known_answer(self) -> Any:
        """What it was answered then; an exception is raised again."""
        answer = self.known[self.calls - 1]
        if isinstance(answer, Exception):
            raise answer
        return pickle.loads(answer)
