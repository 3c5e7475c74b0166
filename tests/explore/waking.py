"""The waking protocol in every order: passes that look, park and wait; signals; time-outs; deaths; late runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from functions.await_progress import app as await_progress
from functions.evaluate_health import app as evaluate_health
from functions.wake_deployment import app as wake_deployment
from tests.explore.steps import Stage, Task, Texts, handled, prepared
from tests.unit.functions.machine import Json
from tests.unit.functions.world import Account, hosts

from tidegate.model.decisions import HostReport, Sight, Sighting
from tidegate.runtime import Runtime
from tidegate.store.errors import DeploymentCompletedError, StaleGenerationError
from tidegate.store.ledgers import StaleLedgerError
from tidegate.store.table import Key

EVENT = '{"source": "aws.ssm", "detail": {"command-id": "cmd-0000", "instance-id": "i", "status": "Success"}}'
sys.setrecursionlimit(20_000)


class LostWakeUpError(AssertionError):
    """An execution waits though a signal came that its pass has not seen, and nobody is about to answer it."""


@dataclass(frozen=True)
class State:
    """All functions, the execution and the table together.

    Attributes
    ----------
    items : the table
    tasks : functions under way, the execution's own first where it runs one
    phase : what the execution does: ``evaluate``, ``await``, ``waiting`` or ``over``
    wait : the token that it waits for, and the signal count that its pass began with
    to_come : signals that have not begun
    """

    items: dict[Key, Any]
    tasks: tuple[Task, ...]
    phase: str
    passes: int
    wait: tuple[str, int]
    answered: frozenset[str]
    to_come: tuple[str, ...]
    ended: bool
    deaths: int
    ghosts: int
    generation: int = 1

    def key(self, texts: Texts) -> tuple[Any, ...]:
        """The state as a hashable value."""
        table = texts.of(self.items, SHARED)
        more = tuple(sorted(task.key for task in self.tasks if task.name != self.phase or task.ghost))
        own = tuple(task.key for task in self.tasks if task.name == self.phase and not task.ghost)
        head = (self.phase, self.passes, self.wait, self.answered, self.to_come, self.ended, self.deaths, self.ghosts)
        head = (*head, self.generation)
        return table, own, more, head


SHARED = ("DEP", "SIGNAL", "LEDGER", "LEDGER#0000")


class Waking:
    """Explores all orders, and counts them.

    Parameters
    ----------
    signals : which signals come, each at any time: ``event`` (the command ended), or ``stop`` (somebody stops the
        deployment), or ``hint`` (a signal that changes nothing). A doubled event is ``event`` twice. ``sweep`` is none,
        but comes as they do: the next generation goes on in another execution, while a function of this one may still
        run.
    passes : how many passes are made before the exploration ends
    deaths : how many functions may die, each at any of its calls; they are tried again
    ghosts : how many passes' functions may be taken for dead and go on beside those that take their place
    """

    def __init__(self, signals: tuple[str, ...], *, passes: int = 2, deaths: int = 0, ghosts: int = 0) -> None:
        self._passes = passes
        self._counts: dict[tuple[Any, ...], int] = {}
        self._open: set[tuple[Any, ...]] = set()
        self.stage, self.deployment_id = _prepared()
        self._first = State(
            self.stage.save(), (self._evaluate(1),), "evaluate", 1, ("", 0), frozenset(), signals, False, deaths,
            ghosts,
        )  # fmt: skip
        self.stage.account.fleet.look = self._look  # type: ignore[method-assign]

    @property
    def states(self) -> int:
        """How many states were reached."""
        return len(self._counts)

    def explore(self) -> int:
        """Try every order; return how many there are.

        Raises
        ------
        AssertionError
        """
        return self._count(self._first)

    def _count(self, state: State) -> int:
        key = state.key(self.stage.texts)
        if key in self._counts:
            return self._counts[key]
        assert key not in self._open, "the same state again, so it need never end"
        self._open.add(key)
        self._check(state)
        ways = 0
        successors = list(self._successors(state))
        for successor in successors:
            ways += self._count(successor)
        if not successors:
            self._check_end(state)
        self._open.discard(key)
        self._counts[key] = ways or 1
        return self._counts[key]

    # --- what may happen next

    def _successors(self, state: State) -> Iterator[State]:
        for signal in sorted(set(state.to_come)):
            rest = list(state.to_come)
            rest.remove(signal)
            task = Task(signal, (("deploymentId", self.deployment_id),))
            ended = state.ended or signal == "event"
            yield replace(state, to_come=tuple(rest), tasks=(*state.tasks, task), ended=ended)
        for number, task in enumerate(state.tasks):
            yield self._stepped(state, number)
            if state.deaths and task.answers:
                yield replace(state, tasks=self._again(state, number), deaths=state.deaths - 1)
            if state.ghosts and task.answers and not task.ghost and task.name in ("evaluate", "await"):
                both = (*self._again(state, number), replace(task, ghost=True))
                yield replace(state, tasks=both, ghosts=state.ghosts - 1)
        if state.phase == "waiting":
            yield self._next_pass(state)  # its token was answered, or its heartbeat is over

    def _again(self, state: State, number: int) -> tuple[Task, ...]:
        """The functions once one of them begins anew: as the machine, the queue or the user tries again."""
        task = state.tasks[number]
        payload = dict(task.payload)
        if task.name == "await":
            payload["token"] += "'"  # each try of the state has a token of its own
        fresh = Task(task.name, tuple(payload.items()))
        gone = () if task.ghost else (fresh,)
        return (*state.tasks[:number], *gone, *state.tasks[number + 1 :])

    def _stepped(self, state: State, number: int) -> State:
        task = state.tasks[number]
        ran = self.stage.run(state.items, task, state.ended)
        outcome = ran.outcome
        others = (*state.tasks[:number], *state.tasks[number + 1 :])
        now = replace(state, items=ran.items, answered=state.answered | ran.woken)
        if not outcome.over:
            return replace(now, tasks=(*state.tasks[:number], outcome.task, *state.tasks[number + 1 :]))
        if task.ghost or task.name in ("event", "stop", "hint", "sweep"):
            assert outcome.error is None or isinstance(outcome.error, StaleLedgerError), outcome.error
            swept = task.name == "sweep" and (outcome.result or {}).get("raised")
            return self._taken_over(replace(now, tasks=others)) if swept else replace(now, tasks=others)
        if isinstance(outcome.error, StaleLedgerError):
            return replace(now, tasks=self._again(state, number))
        assert outcome.error is None, outcome.error
        return self._went_on(replace(now, tasks=others), task, outcome.result or {})

    def _taken_over(self, state: State) -> State:
        """The execution is gone, but for what it called last, and the next generation's begins."""
        late = tuple(replace(task, ghost=True) if task.name == state.phase else task for task in state.tasks)
        return self._next_pass(replace(state, tasks=late, generation=state.generation + 1))

    def _went_on(self, state: State, task: Task, result: Json) -> State:
        """The execution after a function that it called has answered."""
        if task.name == "evaluate":
            if result["verdict"] != "WAIT":
                return replace(state, phase="over")
            payload = {"deploymentId": self.deployment_id, "generation": state.generation, "signal": result["signal"]}
            payload["token"] = f"token-{state.passes}"
            return replace(state, phase="await", tasks=(*state.tasks, Task("await", tuple(payload.items()))))
        token = dict(task.payload)["token"]
        return replace(state, phase="waiting", wait=(token, dict(task.payload)["signal"]))

    def _next_pass(self, state: State) -> State:
        if state.passes == self._passes:
            return replace(state, phase="over", wait=("", 0))
        number = state.passes + 1
        tasks = (*state.tasks, self._evaluate(number, state.generation))
        return replace(state, phase="evaluate", passes=number, wait=("", 0), tasks=tasks)

    def _evaluate(self, number: int, generation: int = 1) -> Task:
        payload = {"machineVersion": 2, "deploymentId": self.deployment_id, "generation": generation, "pass": number}
        return Task("evaluate", tuple(payload.items()))

    # --- what must hold

    def _check(self, state: State) -> None:
        signal = state.items.get((f"DEP#{self.deployment_id}", "SIGNAL"), {})
        token, seen = state.wait
        if state.phase == "waiting" and token not in state.answered and not state.tasks:
            if signal.get("count", 0) != seen:
                raise LostWakeUpError(f"waits since signal {seen}, and there were {signal.get('count', 0)}")
            if signal.get("token") != token:
                raise LostWakeUpError(
                    f"waits for {token}, and {signal.get('token')} is parked: the next signal is lost"
                )
            # Whatever the table says that it has counted: an event that is over has told of the end.
            if state.ended and state.items[f"DEP#{self.deployment_id}", "LEDGER"]["flights"]:
                raise LostWakeUpError("waits for the end of a command, and has been told of it")
        told = [item for (_, sk), item in state.items.items() if sk.startswith("DECISION#")]
        ends = [item["facts"]["targetId"] for item in told if item["kind"] == "Target"]
        assert len(ends) == len(set(ends)), f"the end of a target was acted on twice: {ends}"

    def _check_end(self, state: State) -> None:
        assert state.phase == "over", f"nothing goes on, and the execution is {state.phase}"
        head = state.items[f"DEP#{self.deployment_id}", "LEDGER"]
        told = [key for key in state.items if key[1].startswith("DECISION#")]
        assert head["decisions"] == len(told), "decisions are missing, or were written twice"

    def _look(self, command_id: str, deployment_id: str) -> dict[str, Sighting]:
        done = Sighting(Sight.ANSWERED, HostReport("Succeeded"))
        running = Sighting(Sight.RUNNING, detail="InProgress")
        return dict.fromkeys(self.stage.account.hosts, done if self.stage.world else running)


def _prepared() -> tuple[Stage, str]:
    """A deployment whose one command has been sent."""
    account = Account(hosts(1, takes=None))
    account.signals_arrive = 0
    deployment_id = account.deploy("v1.zip", ("HOST_COUNT", 0))

    prepared(account, "AwaitProgress")
    return Stage(account, _HANDLERS), deployment_id


def _stop(payload: Json, runtime: Runtime) -> Json:
    """What StopDeployment does."""
    try:
        runtime.deployments.request_stop(payload["deploymentId"], now=0.0, auto_rollback=None, by="alice")
    except DeploymentCompletedError:
        return {}
    runtime.signals.signal(payload["deploymentId"])
    return {"stopped": True}


def _hint(payload: Json, runtime: Runtime) -> Json:
    """A signal that changes nothing: a pass looks, and waits on."""
    runtime.signals.signal(payload["deploymentId"])
    return {"told": True}


def _sweep(payload: Json, runtime: Runtime) -> Json:
    """What the sweep does to a deployment without an execution."""
    deployment_id = payload["deploymentId"]
    loaded = runtime.ledgers.load(deployment_id)
    assert loaded is not None
    try:
        runtime.ledgers.take_over(deployment_id, 1, loaded, {}, [], 0.0)
    except StaleGenerationError:
        return {"raised": False}
    return {"raised": True}


def _event(payload: Json, runtime: Runtime) -> Json:
    answer = wake_deployment.run({"Records": [{"messageId": "m", "body": EVENT}]}, runtime)
    assert not answer["batchItemFailures"]
    return dict(answer)


_HANDLERS = {
    "evaluate": handled(evaluate_health.run),
    "await": handled(await_progress.run),
    "event": _event,
    "stop": _stop,
    "hint": _hint,
    "sweep": _sweep,
}
