"""Signals: hints that a pass is worth making, and the parked task token they answer.

The order of steps makes waking race-free: a signal first raises the count, then reads the token, sends it, and only
then takes it away; parking succeeds only while the count is the one that the pass began with. So a signal
that comes between a pass's look and its parking is never lost: the parking fails, and the token is answered at once.
Nor does an execution that was overtaken, late as it is, put its token in place of its successor's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from tidegate.store.deployment_items import deployment_key, still_live
from tidegate.store.errors import ConditionFailedError
from tidegate.store.table import AnyOf, AttributeAbsent, Check, Equals, Table, Update


class Waker(Protocol):
    """Answers task tokens."""

    def wake(self, token: str) -> None:
        """Answer a token; one that is used, expired or unknown counts as answered."""


@dataclass(frozen=True, slots=True)
class Signal:
    """How many signals a deployment has had, and the commands they named since the last pass that cleared them."""

    count: int
    changed: frozenset[str]


class Signals:
    """Signals of deployments."""

    def __init__(self, table: Table, waker: Waker) -> None:
        self._table, self._waker = table, waker

    def read(self, deployment_id: str) -> Signal:
        """What a pass begins with."""
        item = self._table.get(_key(deployment_id)) or {}
        return Signal(item.get("count", 0), frozenset(item.get("changed", ())))

    def clear_changed(self, deployment_id: str, seen: Signal) -> None:
        """Forget the commands that a pass has looked at, unless a newer signal has named more."""
        if not seen.changed:
            return
        try:
            self._table.write(Update(_key(deployment_id), remove=("changed",), condition=Equals("count", seen.count)))
        except ConditionFailedError:
            return  # they are looked at once more, which does no harm

    def signal(self, deployment_id: str, commands: Collection[str] = ()) -> None:
        """Make the deployment take another look, now if it is parked."""
        named = {"changed": frozenset(commands)} if commands else {}
        item = self._table.update_returning(Update(_key(deployment_id), add={"count": 1}, add_to_set=named))
        token = item.get("token")
        if not token:
            return
        self._waker.wake(token)
        try:
            self._table.write(Update(_key(deployment_id), remove=("token",), condition=Equals("token", token)))
        except ConditionFailedError:
            return  # the deployment has parked again since

    def park(self, deployment_id: str, token: str, *, generation: int, seen_count: int) -> bool:
        """Leave a token for the next signal.

        Parameters
        ----------
        generation : the execution's
        seen_count : how many signals there were when its pass began

        Returns
        -------
        False where the token is to be answered at once: a signal came since, or the deployment has ended or belongs to
        a later generation.
        """
        unmoved = Equals("count", seen_count) if seen_count else AnyOf(AttributeAbsent("count"), Equals("count", 0))
        try:
            self._table.write(
                Update(_key(deployment_id), set={"token": token}, condition=unmoved),
                Check(deployment_key(deployment_id), still_live(generation)),
            )
        except ConditionFailedError:
            return False
        return True


def _key(deployment_id: str) -> tuple[str, str]:
    return f"DEP#{deployment_id}", "SIGNAL"
