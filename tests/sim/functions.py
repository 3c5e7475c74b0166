"""Functions of the hostile world, call by call: each may be slow, throttled or killed, or taken for dead and go on."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.sim.chance import Chance
from tests.sim.events import module_of
from tests.sim.liveness import Liveness
from tests.sim.ports import CALL_LASTS, EXPECTED, EXPECTED_LATE, UNFENCED, Invocation, Superseded
from tests.sim.watch import Violation
from tests.unit.functions.machine import Json, Killed, StepError
from tests.unit.functions.silence import SILENT
from tests.unit.functions.world import Account

from tidegate.runtime import step

MOST_NESTED = 3
CALL_TAKES = 0.05


def never() -> bool:
    """For waits that only the time ends."""
    return False


class Functions(Account):
    """An account whose functions are invoked as Lambda does it, in a hostile world.

    Attributes
    ----------
    current : the functions that run, the one called last at the end
    patience : so often in a row a step of a deployment may fail
    """

    liveness: Liveness

    def __init__(self, hosts: dict[str, Any], chance: Chance, patience: int, **env: str) -> None:
        self.chance, self.patience = chance, patience
        self.current: list[Invocation] = []
        self.failed_in_a_row: Counter[str] = Counter()
        self.nested = 0
        self.calls = 0
        self._handlers: dict[str, Callable[[Json, object], Json]] = {}
        super().__init__(hosts, **env)

    def tell(self, what: str) -> None:
        """A line of the trace."""
        raise NotImplementedError

    def let_time_pass(self, seconds: float) -> None:
        """Let what is due meanwhile happen, also in the middle of a function."""
        if self.nested >= MOST_NESTED:
            return
        until = self.clock.now + seconds
        if self.clock.quiet_until(until):
            return
        self.nested += 1
        waiting, self.current = self.current, []  # what others do meanwhile is not the waiting function's
        try:
            self.clock.pass_time_until(until, never)
        finally:
            self.nested -= 1
            self.current = waiting

    def invoke(self, function: str, payload: Json) -> Json:
        """Call a function as Lambda does; Step Functions may take it for dead though it goes on."""
        self.let_time_pass(CALL_TAKES)
        self._may_abort(payload)
        place = f"{payload.get('deploymentId')} {function}"
        dice = self.chance.happens("taken for dead, but goes on") if self._may_fail(place) else None
        which = {"place": place, "generation": payload.get("generation", 1)}
        invocation = Invocation(function, self.now, **which, stops_at=dice.randint(1, 12) if dice else 0)
        try:
            answer = self._run(invocation, payload)
        except Superseded:
            self.failed_in_a_row[place] += 1
            self.tell(f"  {function} is taken for dead, and goes on later")
            later = Invocation(function, invocation.began, **which, known=invocation.answers)
            self.clock.at(self.now + dice.uniform(0.1, 40), lambda: self._haunt(later, payload))
            raise StepError("Lambda.Unknown", "taken for dead") from None
        except Killed as killed:
            self.failed_in_a_row[place] += 1
            raise StepError("Lambda.Unknown", str(killed)) from killed
        except EXPECTED as error:
            self.failed_in_a_row[place] += 1
            name = type(error).__name__
            raise StepError(name, json.dumps({"errorType": name, "errorMessage": str(error)})) from error
        except Exception as error:
            raise Violation(f"{function} raised {type(error).__name__}: {error}") from error
        self.failed_in_a_row.pop(place, None)
        return answer

    def _may_abort(self, payload: Json) -> None:
        if self.chance.happens("execution aborted"):
            name = f"{payload['deploymentId']}-{payload.get('generation', 1)}"
            if name in self.executions and self.executions[name].status == "RUNNING":
                self.executions[name].status = "ABORTED"
                self.tell(f"execution {name} is aborted")

    def _run(self, invocation: Invocation, payload: Json) -> Json:
        self.current.append(invocation)
        try:
            return self._handler(invocation.function)(payload, None)
        finally:
            self.current.pop()

    def _handler(self, function: str) -> Callable[[Json, object], Json]:
        handler = self._handlers.get(function)
        if handler is None:
            handler = self._handlers[function] = step(SILENT, module_of(function).run, lambda: self.runtime)
        return handler

    def _haunt(self, ghost: Invocation, payload: Json) -> None:
        """What was taken for dead goes on; whatever it comes to, nobody hears of it."""
        self.tell(f"  {ghost.function}, taken for dead, goes on")
        self.liveness.trouble()
        try:
            self._run(ghost, copy.deepcopy(payload))
        except (Killed, *EXPECTED_LATE):
            return
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"{ghost.function}, taken for dead, raised {type(error).__name__}: {error}") from error

    def _may_fail(self, place: str) -> bool:
        return self.failed_in_a_row.get(place, 0) < self.patience

    def _known_or(self, read: Callable[[], Any]) -> Any:
        """The time, or an id: a function that goes on after it was taken for dead knows what it had read before."""
        invocation = self.current[-1] if self.current else None
        if invocation is None:
            return read()
        if invocation.replayed():
            return invocation.known_answer
        answer = read()
        invocation.note(answer)
        return answer

    def goes_well(self, invocation: Invocation) -> bool:
        """Whether a call of a plain invocation is made without more ado; where not, nothing has been counted yet."""
        clock = self.clock
        if self.nested >= MOST_NESTED or not clock.is_quiet_until(clock.now + CALL_LASTS):
            return False
        if not self._may_fail(invocation.place) or not self.chance.calm():
            return False
        clock.now += CALL_LASTS
        invocation.calls += 1
        self.calls += 1
        return True

    def call(self, name: str, throttled: Callable[[], Exception] | None, method: Callable[[], Any]) -> Any:
        """One call of a function to the world."""
        invocation = self.current[-1] if self.current else None
        if invocation is None:
            return self._called(name, throttled, method, may_fail=True)
        if invocation.replayed():
            return invocation.known_answer
        if invocation.ghost and name in UNFENCED:
            raise Killed(f"timed out before {name}")
        may_fail = invocation.ghost or self._may_fail(invocation.place)
        if not invocation.stops_at:
            return self._called(name, throttled, method, may_fail=may_fail)
        try:
            answer = self._called(name, throttled, method, may_fail=may_fail)
        except Exception as error:
            invocation.note(error)
            raise
        invocation.note(answer)
        if invocation.calls >= invocation.stops_at:
            raise Superseded(name)
        return answer

    def _called(
        self, name: str, throttled: Callable[[], Exception] | None, method: Callable[[], Any], *, may_fail: bool
    ) -> Any:
        self.calls += 1
        chance = self.chance
        if may_fail and throttled is not None and chance.calm():
            self.let_time_pass(CALL_LASTS)
            return method()
        slow = chance.happens("slow call")
        self.let_time_pass(slow.uniform(0.1, 30) if slow else CALL_LASTS)
        if may_fail and chance.happens("killed before a call"):
            self.tell(f"  killed before {name}")
            raise Killed(f"killed before {name}")
        if may_fail and throttled is not None and chance.happens("throttled"):
            self.tell(f"  throttled: {name}")
            raise throttled()
        answer = method()
        if may_fail and chance.happens("killed after a call"):
            self.tell(f"  killed after {name}")
            raise Killed(f"killed after {name}")
        return answer
