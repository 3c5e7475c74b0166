"""Functions that are run call by call, so that any other may come between two of their calls.

A function is never suspended in the middle: to make its next call, it is run again from its start with the answers that
it got already. So a state of all functions together is a plain value, and every order of their calls can be tried from
it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.unit.functions.machine import Json
from tests.unit.functions.silence import SILENT
from tests.unit.functions.world import Account

from tidegate.runtime import Runtime, step
from tidegate.store.ledgers import Ledgers
from tidegate.store.table import Key
from tidegate.store.values import packed

if TYPE_CHECKING:
    pass

#: Parts of the table that only one of the functions ever touches: between calls to these, no order needs to be tried.
PRIVATE = ("ROSTER#", "TARGET#", "HOST#", "CMD")


class Texts:
    """Tables in words, by which they are told from each other: each table and each item is put into words once.

    Neither changes: items are replaced, and a step leaves another table.
    """

    def __init__(self) -> None:
        # By the id of what is told, and with it, so that nothing else gets its id.
        self._items: dict[int, tuple[Any, str]] = {}
        self._tables: dict[tuple[int, tuple[str, ...]], tuple[Any, tuple[tuple[Key, str], ...]]] = {}

    def of(self, items: Mapping[Key, Any], parts: tuple[str, ...] = ()) -> tuple[tuple[Key, str], ...]:
        """A table in words, or the parts of it that have one of these sort keys."""
        known = self._tables.get((id(items), parts))
        if known is None:
            told = ((key, self._of_item(item)) for key, item in items.items() if not parts or key[1] in parts)
            known = self._tables[id(items), parts] = items, tuple(sorted(told))
        return known[1]

    def _of_item(self, item: Any) -> str:
        known = self._items.get(id(item))
        if known is None:
            known = self._items[id(item)] = item, repr(item)
        return known[1]


class Suspended(BaseException):
    """The function has made the calls that it was to make."""


class Answer:
    """What a call was answered: a value that each run of the function gets a copy of, or an error.

    Attributes
    ----------
    text : the answer in words, by which it is told from others
    """

    def __init__(self, value: Any) -> None:
        self._error = value if isinstance(value, Exception) else None
        self._bytes = b"" if self._error else pickle.dumps(value)
        self.text = repr(value)

    def give(self) -> Any:
        """Return a copy of the value, or raise the error."""
        if self._error:
            raise self._error
        return pickle.loads(self._bytes)


@dataclass(frozen=True)
class Task:
    """A function that is under way.

    Attributes
    ----------
    answers : what its calls were answered so far
    """

    name: str
    payload: tuple[tuple[str, Any], ...]
    answers: tuple[Answer, ...] = ()
    ghost: bool = False

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What makes it different from others, as a hashable value."""
        return self.name, self.payload, tuple(answer.text for answer in self.answers), self.ghost


@dataclass(frozen=True)
class Outcome:
    """What a step came to: the task goes on, or it returned or raised."""

    task: Task
    result: Json | None = None
    error: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether the function has ended."""
        return self.result is not None or self.error is not None


@dataclass
class Recorder:
    """The answers of one run, and how many calls it may still make."""

    known: tuple[Answer, ...] = ()
    budget: int = 1
    at: int = 0
    fresh: list[Answer] = field(default_factory=list)

    def call(self, private: bool, method: Callable[[], Any]) -> Any:
        """Make a call, or answer it as it was answered before."""
        if self.at < len(self.known):
            answer = self.known[self.at]
        else:
            if self.budget == 0 and not private:
                raise Suspended
            self.budget -= not private
            try:
                answer = Answer(method())
            except Exception as error:
                answer = Answer(error)
            self.fresh.append(answer)
        self.at += 1
        return answer.give()


class SteppedPort:
    """A port whose calls go through the recorder of the running function."""

    def __init__(self, stage: Stage, port: Any) -> None:
        self._stage, self._port = stage, port

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._stage.recorder.call(_private(args), lambda: found(*args, **kwargs))

        return call


def _private(args: tuple[Any, ...]) -> bool:
    keys: list[str] = []
    for arg in args:
        keys += [str(part) for part in arg] if isinstance(arg, tuple) else [arg] if isinstance(arg, str) else []
        if isinstance(arg, list):
            keys += [str(each.item["SK"]) for each in arg if hasattr(each, "item")]
    return bool(keys) and any(key.startswith(PRIVATE) for key in keys)


@dataclass(frozen=True)
class Ran:
    """What came of a step: how far the function is, the table after it, and the tokens that were answered."""

    outcome: Outcome
    items: dict[Key, Any]
    woken: frozenset[str]


class Stage:
    """An account whose functions are run step by step, from a copy of its table.

    A step depends on the function, the answers that it got, the table, and what the stage is told of the world. Most
    orders lead through the same steps, so each is made once.
    """

    def __init__(self, account: Account, handlers: Mapping[str, Callable[[Json, Runtime], Json]]) -> None:
        self.account, self.handlers = account, handlers
        self.recorder = Recorder()
        self.texts = Texts()
        self.world: Hashable = None
        self._ran: dict[tuple[Any, ...], Ran] = {}
        account.wrap(lambda _name, port: SteppedPort(self, port))
        # A function makes the calls that it made before, again and again: nothing may be known meanwhile.
        vars(account.runtime)["ledgers"] = Ledgers(account.runtime.table, rosters_kept=0)

    def run(self, items: Mapping[Key, Any], task: Task, world: Hashable = None) -> Ran:
        """Let a function make its next call on a table, with all that it does until the one after it.

        Parameters
        ----------
        world : what else there is that functions see; they find it as ``world``
        """
        key = (task.key, world, self.texts.of(items))
        if key not in self._ran:
            self._load(items)
            self.world = world
            woken = set[str]()
            self.account.wake = woken.add  # type: ignore[method-assign]
            outcome = self._step(task)
            self._ran[key] = Ran(outcome, self.save(), frozenset(woken))
        return self._ran[key]

    def _step(self, task: Task) -> Outcome:
        self.recorder = Recorder(task.answers)
        try:
            result = self.handlers[task.name](dict(task.payload), self.account.runtime)
        except Suspended:
            return Outcome(replace(task, answers=task.answers + tuple(self.recorder.fresh)))
        except Exception as error:
            return Outcome(task, error=error)
        return Outcome(task, result=result)

    def save(self) -> dict[Key, Any]:
        """The table as it is; items are replaced when they change, so the dict is a copy."""
        return dict(self.account.table._items)

    def _load(self, items: Mapping[Key, Any]) -> None:
        """Bring the table into an earlier state."""
        table = self.account.table
        for key in set(table._items) | set(items):
            item = items.get(key)
            if table._items.get(key) is not item:
                table._store(key, item, b"" if item is None else packed(item))


class _Reached(BaseException):
    """The deployment has come as far as it was to come."""


def prepared(account: Account, state: str) -> None:
    """Let an account's deployment go on until it is about to enter a state of the machine."""

    def until(name: str, _state: Json) -> None:
        if name == state:
            raise _Reached

    account.before = until
    with suppress(_Reached):
        account.run()


def handled(run: Callable[[Json, Runtime], Json]) -> Callable[[Json, Runtime], Json]:
    """A step as its handler runs it, fence and all, without its log."""
    return lambda payload, runtime: step(SILENT, run, lambda: runtime)(payload, None)
