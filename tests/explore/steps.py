"""Functions that are run call by call, so that any other may come between two of their calls.

A function is never suspended in the middle: to make its next call, it is run again from its start with the answers that
it got already. So a state of all functions together is a plain value, and every order of their calls can be tried from
it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from tests.unit.functions.machine import Json
from tests.unit.functions.world import Account

from tidegate.runtime import Runtime, step
from tidegate.store.table import Key

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

#: Parts of the table that only one of the functions ever touches: between calls to these, no order needs to be tried.
PRIVATE = ("ROSTER#", "TARGET#", "HOST#", "CMD")


class Suspended(BaseException):
    """The function has made the calls that it was to make."""


@dataclass(frozen=True)
class Task:
    """A function that is under way.

    Attributes
    ----------
    answers : what its calls were answered so far
    """

    name: str
    payload: tuple[tuple[str, Any], ...]
    answers: tuple[Any, ...] = ()
    ghost: bool = False

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes it different from others, as a hashable value."""
        return self.name, self.payload, repr(self.answers), self.ghost


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

    known: tuple[Any, ...] = ()
    budget: int = 1
    at: int = 0
    fresh: list[Any] = field(default_factory=list)

    def call(self, private: bool, method: Callable[[], Any]) -> Any:
        """Make a call, or answer it as it was answered before."""
        if self.at < len(self.known):
            answer = self.known[self.at]
        else:
            if self.budget == 0 and not private:
                raise Suspended
            self.budget -= not private
            try:
                answer = method()
            except Exception as error:
                answer = error
            self.fresh.append(answer)
        self.at += 1
        if isinstance(answer, Exception):
            raise answer
        return copy.deepcopy(answer)


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


class Stage:
    """An account whose functions are run step by step, from a copy of its table."""

    def __init__(self, account: Account, handlers: Mapping[str, Callable[[Json, Runtime], Json]]) -> None:
        self.account, self.handlers = account, handlers
        self.recorder = Recorder()
        account.wrap(lambda _name, port: SteppedPort(self, port))

    def step(self, task: Task) -> Outcome:
        """Let a function make its next call, with all that it does until the one after it."""
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

    def load(self, items: Mapping[Key, Any]) -> None:
        """Bring the table into an earlier state."""
        table = self.account.table
        if table._items == items:
            return
        for key in set(table._items) | set(items):
            if table._items.get(key) is not items.get(key):
                table._store(key, items.get(key))


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
    return lambda payload, runtime: step(cast("Logger", _Silent()), run, lambda: runtime)(payload, None)


class _Silent:
    def append_keys(self, **_keys: object) -> None:
        """Nothing is logged."""

    def info(self, *_args: object, **_keys: object) -> None:
        """Nothing is logged."""
