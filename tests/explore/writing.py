"""The single writer of the ledger in every order: runs of a pass side by side; they die and are tried again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from functions.evaluate_health import app as evaluate_health
from functions.pick_batch import app as pick_batch
from tests.explore.steps import Stage, Task, Texts, handled, prepared
from tests.unit.functions.machine import Json
from tests.unit.functions.world import Account, hosts

from tidegate.store.ledgers import StaleLedgerError
from tidegate.store.table import Key

SHARED = ("DEP", "SIGNAL", "LEDGER", "LEDGER#0000")
ROOM = 1  # targets that may be out at a time


@dataclass(frozen=True)
class State:
    """The runs, each at one function of its pass, and the table; ``commits`` of its ledger were made."""

    items: dict[Key, Any]
    tasks: tuple[Task, ...]
    deaths: int
    commits: int = 0

    def key(self, texts: Texts) -> tuple[Any, ...]:
        """The state as a hashable value; which run is which makes no difference."""
        table = texts.of(self.items, SHARED)
        return table, tuple(sorted(task.key for task in self.tasks)), self.deaths, self.commits


class Writing:
    """Explores all orders of so many runs of one pass: EvaluateHealth, then PickBatch."""

    def __init__(self, runs: int = 2, deaths: int = 0) -> None:
        self._counts: dict[tuple[Any, ...], int] = {}
        account = Account(hosts(3))
        account.signals_arrive = 0
        self.deployment_id = account.deploy("v1.zip", ("HOST_COUNT", 3 - ROOM))
        prepared(account, "EvaluateHealth")
        self.stage = Stage(account, {"evaluate": handled(evaluate_health.run), "pick": handled(pick_batch.run)})
        payload = {"machineVersion": 2, "deploymentId": self.deployment_id, "generation": 1, "pass": 1}
        task = Task("evaluate", tuple(payload.items()))
        self._head = (f"DEP#{self.deployment_id}", "LEDGER")
        self._first = State(self.stage.save(), (task,) * runs, deaths)
        self._version = self._first.items[self._head]["version"]

    @property
    def states(self) -> int:
        """How many states were reached."""
        return len(self._counts)

    def explore(self) -> int:
        """Try every order; return how many there are."""
        return self._count(self._first)

    def _count(self, state: State) -> int:
        key = state.key(self.stage.texts)
        if key not in self._counts:
            self._check(state)
            self._counts[key] = sum(map(self._count, self._successors(state))) or 1
        return self._counts[key]

    def _successors(self, state: State) -> Iterator[State]:
        for number, task in enumerate(state.tasks):
            others = (*state.tasks[:number], *state.tasks[number + 1 :])
            fresh = Task(task.name, task.payload)
            if state.deaths and task.answers:
                yield replace(state, tasks=(*others, fresh), deaths=state.deaths - 1)
            ran = self.stage.run(state.items, task)
            outcome, items, head = ran.outcome, ran.items, self._head
            now = replace(state, items=items, commits=state.commits + (items[head] is not state.items[head]))
            if not outcome.over:
                yield replace(now, tasks=(*others, outcome.task))
            elif isinstance(outcome.error, StaleLedgerError):
                yield replace(now, tasks=(*others, fresh))
            else:
                assert outcome.error is None, outcome.error
                yield replace(now, tasks=(*others, *self._next(task, outcome.result or {})))

    def _next(self, task: Task, result: Json) -> list[Task]:
        return [Task("pick", tuple(result.items()))] if result["verdict"] == "ACT" and task.name == "evaluate" else []

    def _check(self, state: State) -> None:
        pk = f"DEP#{self.deployment_id}"
        head, cells = state.items[pk, "LEDGER"], state.items[pk, "LEDGER#0000"]["cells"]
        out = [position for position, cell in enumerate(cells) if cell & 7 == 1]
        assert len(out) <= ROOM, f"{len(out)} are out, and {ROOM} may be"
        flights = [flight["positions"] for flight in head["flights"]]
        assert flights == [str(position) for position in out], f"{flights} are in flight, and {out} are out"
        told = [key for key in state.items if key[1].startswith("DECISION#")]
        assert head["decisions"] == len(told), "decisions are missing, or were written twice"
        assert head["version"] == self._version + state.commits, "two runs wrote the same version"
        if not state.tasks:
            assert len(out) == ROOM, "nothing was begun"
