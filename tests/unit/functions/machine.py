"""A small interpreter of the deployed state machine, in virtual time: what is tested is the file that is deployed.

It knows what ``statemachines/server_deployment.asl.yaml`` uses of the Amazon States Language, and refuses the rest.
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import yaml

ROOT = Path(__file__).resolve().parents[3]
DEFINITION: dict[str, Any] = yaml.safe_load((ROOT / "statemachines" / "server_deployment.asl.yaml").read_text())
SYNC, TOKEN = "arn:aws:states:::lambda:invoke", "arn:aws:states:::lambda:invoke.waitForTaskToken"
TASK = "Type Resource Parameters OutputPath ResultPath HeartbeatSecondsPath Retry Catch Next"
KNOWN = {
    "Task": set(re.findall(r"\w+", TASK)),
    "Choice": {"Type", "Choices", "Default"},
    "Succeed": {"Type"},
    "Wait": {"Type", "SecondsPath", "Next"},
}
MOST_STATES = 4000
_JSON = json.JSONEncoder(allow_nan=False)
_CHECKED: dict[int, Json] = {}
_PARTS: dict[int, tuple[Json, list[tuple[str, Any, bool, bool]]]] = {}
_AS_THEY_ARE = {str, int, bool, type(None)}  # JSON leaves them alone
_FUNCTION, _NAME = re.compile(r"\$\{(\w+)Arn\}"), re.compile(r"\$\.(\w+)")

Json = dict[str, Any]


class Killed(BaseException):
    """A function's process died: nothing in the function can catch it."""


class StepError(Exception):
    """An error as Step Functions sees it."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error)
        self.error, self.cause = error, cause


class World(Protocol):
    """What executions need of the world around them."""

    now: float

    def invoke(self, function: str, payload: Json) -> Json:
        """Call a function by its name in the template."""

    def pass_time_until(self, deadline: float, done: Callable[[], bool]) -> bool:
        """Let things happen until ``done``; False when the deadline comes first."""


@dataclass(frozen=True)
class Pause:
    """What an execution waits for: a time, or that its ``token`` is answered before that."""

    deadline: float
    token: str = ""


Walk = Generator[Pause, bool, Any]


@dataclass
class Execution:
    """One execution: where it went, and how it ended (``SUCCEEDED``, ``FAILED``, ``ABORTED`` from
    outside).

    ``run`` goes to its end at once. ``walk`` gives the pauses to somebody who has more executions than one: what is
    sent back says whether the token was answered.
    """

    world: World
    name: str
    state: Json
    before: Callable[[str, Json], None] = lambda _name, _state: None
    path: list[str] = field(default_factory=list)
    status: str = "RUNNING"
    error: str = ""
    definition: Json = field(default_factory=lambda: DEFINITION)
    answered: dict[str, Json] = field(default_factory=dict)
    token: str = ""
    retries: list[tuple[str, str]] = field(default_factory=list)

    def run(self) -> Execution:
        """Walk from the first state to the end."""
        walk = self.walk()
        try:
            pause = next(walk)
            while True:
                done = partial(self.is_answered, pause.token)
                pause = walk.send(self.world.pass_time_until(pause.deadline, done))
        except StopIteration:
            return self

    def is_answered(self, token: str) -> bool:
        """Whether somebody answered the token."""
        return token in self.answered

    def walk(self) -> Walk:
        """From the first state to the end, pause by pause."""
        check_known(self.definition)
        name: str | None = self.definition["StartAt"]
        try:
            while name is not None and self.status == "RUNNING":
                assert len(self.path) < MOST_STATES, f"no end: {self.path[-12:]}"
                self.path.append(name)
                self.before(name, self.state)
                if self.status != "RUNNING":
                    break
                name = yield from self._step(name, self.definition["States"][name])
        except StepError as error:
            self.status, self.error = "FAILED", f"{error.error}: {error.cause}"
        else:
            self.status = "SUCCEEDED" if self.status == "RUNNING" else self.status  # or it was aborted

    def _step(self, name: str, state: Json) -> Walk:
        if state["Type"] == "Succeed":
            return None
        if state["Type"] == "Choice":
            return self._chosen(state)
        if state["Type"] == "Wait":
            yield Pause(self.world.now + self._path(state["SecondsPath"]))
            return str(state["Next"])
        return (yield from self._task(name, state))

    def _chosen(self, state: Json) -> str:
        for rule in state["Choices"]:
            if self._path(rule["Variable"]) == rule["StringEquals"]:
                return str(rule["Next"])
        return str(state["Default"])

    def _task(self, name: str, state: Json) -> Walk:
        tried: dict[int, int] = {}
        while self.status == "RUNNING":
            try:
                result = yield from self._attempt(name, state)
            except StepError as error:
                wait = self._again(name, state, error, tried)
                if wait is None:
                    return self._caught(state, error)
                yield Pause(self.world.now + wait)
                continue
            if "ResultPath" not in state:
                self.state = result
            else:
                assert state["ResultPath"] is None
            return str(state["Next"])
        return None  # aborted before the next try

    def _again(self, name: str, state: Json, error: StepError, tried: dict[int, int]) -> float | None:
        """Seconds until the next try, where there is one."""
        for i, rule in enumerate(state.get("Retry", ())):
            if _matches(rule["ErrorEquals"], error.error):
                if tried.get(i, 0) >= rule["MaxAttempts"]:
                    return None
                wait = min(rule["IntervalSeconds"] * rule["BackoffRate"] ** tried.get(i, 0), rule["MaxDelaySeconds"])
                tried[i] = tried.get(i, 0) + 1
                self.retries.append((name, error.error))
                return float(wait)
        return None

    def _caught(self, state: Json, error: StepError) -> str:
        for rule in state.get("Catch", ()):
            if _matches(rule["ErrorEquals"], error.error):
                if rule["ResultPath"] is not None:
                    assert rule["ResultPath"] == "$.error"
                    self.state = {**self.state, "error": {"Error": error.error, "Cause": error.cause}}
                return str(rule["Next"])
        raise error

    def _attempt(self, name: str, state: Json) -> Walk:
        self.token = f"token-{self.name}-{len(self.path)}-{len(self.retries)}"
        parameters = self._resolved(state["Parameters"])
        function = _function(parameters["FunctionName"])
        # What is handed over came out of JSON; a copy is enough. What comes back is put through it.
        payload = marshal.loads(marshal.dumps(parameters["Payload"]))
        result = _through_json(self.world.invoke(function, payload))
        if state["Resource"] == SYNC:
            return dict(result)
        deadline = self.world.now + self._path(state["HeartbeatSecondsPath"])
        token = self.token
        if (yield Pause(deadline, token)):
            return self.answered[token]
        raise StepError("States.HeartbeatTimeout")

    def _resolved(self, template: Json) -> Json:
        return {
            key: self._resolved(value) if is_map else self._path(value) if is_path else value
            for key, value, is_path, is_map in _parts(template)
        }

    def _path(self, path: str) -> Any:
        if path == "$$.Task.Token":
            return self.token
        if path == "$$.StateMachine.Id":
            return "arn:aws:states:us-east-1:123456789012:stateMachine:test-server-deployment"
        if path == "$":
            return self.state
        name = _name(path)
        if name not in self.state:
            raise StepError("States.Runtime", f"{path} is not in {self.state}")
        return self.state[name]


def check_known(definition: Json) -> None:
    """Refuse a machine that uses what this interpreter does not know; each machine is looked at once."""
    if _CHECKED.get(id(definition)) is definition:
        return
    for name, state in definition["States"].items():
        unknown = set(state) - KNOWN[state["Type"]]
        assert not unknown, f"{name}: {unknown}"
        for rule in state.get("Choices", ()):
            assert set(rule) == {"Variable", "StringEquals", "Next"}, f"{name}: {rule}"
        if state["Type"] == "Task":
            assert state["Resource"] in (SYNC, TOKEN), f"{name}: {state['Resource']}"
            assert state.get("OutputPath", "$.Payload") == "$.Payload", f"{name}: {state['OutputPath']}"
    _CHECKED[id(definition)] = definition


@cache
def _function(reference: str) -> str:
    found = _FUNCTION.fullmatch(reference)
    assert found, f"no function: {reference}"
    return found[1]


@cache
def _name(path: str) -> str:
    found = _NAME.fullmatch(path)
    assert found, f"a path that this interpreter does not know: {path}"
    return found[1]


def _parts(template: Json) -> list[tuple[str, Any, bool, bool]]:
    """The members of a template: name, value, whether it is a path, and whether it is a template itself."""
    known = _PARTS.get(id(template))
    if known is None or known[0] is not template:
        parts = [(k.removesuffix(".$"), v, k.endswith(".$"), isinstance(v, dict)) for k, v in template.items()]
        known = _PARTS[id(template)] = template, parts
    return known[1]


def _through_json(answer: Json) -> Json:
    """What a function answers, as it comes out of JSON."""
    if {type(each) for each in answer.values()} <= _AS_THEY_ARE:
        return dict(answer)
    return dict(json.loads(_JSON.encode(answer)))


def _matches(wanted: list[str], error: str) -> bool:
    if error == "States.Runtime":
        return False  # no Retry or Catch gets it
    if error in wanted or "States.ALL" in wanted:
        return True
    return "States.TaskFailed" in wanted and error not in ("States.Timeout", "States.HeartbeatTimeout")
