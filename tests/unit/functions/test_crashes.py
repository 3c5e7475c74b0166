"""A function that dies at any one of its calls, before or after the call had its effect, and is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.unit.functions.machine import Killed
from tests.unit.functions.scenarios import SCENARIOS, lawful, outcome, renamed
from tests.unit.functions.world import Account

SPREAD = 4  # the calls are dealt out to so many tests, so that they run side by side


class Port:
    """A port whose calls are told to ``called`` before and after they are made."""

    def __init__(self, port: Any, called: Callable[[bool], None]) -> None:
        self._port, self._called = port, called

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._called(False)
            result = found(*args, **kwargs)
            self._called(True)
            return result

        return call


@dataclass
class Death:
    """Kills the ``nth`` call of all functions, before or after its effect."""

    nth: int
    after: bool
    calls: int = 0
    happened: bool = False

    def called(self, after: bool) -> None:
        self.calls += not after
        if self.calls == self.nth and after == self.after and not self.happened:
            self.happened = True
            raise Killed(f"killed at call {self.nth}")


class Deaths:
    """Kills again and again, but leaves a function calls enough to get through on one of its tries."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self._left, self.happened = chance, chance.randint(1, 50), 0

    def called(self, after: bool) -> None:
        self._left -= 1
        if self._left <= 0:
            self._left = self._chance.randint(20, 80)
            self.happened += 1
            raise Killed(f"killed {'after' if after else 'before'} a call")


@pytest.mark.parametrize("share", range(SPREAD))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_death_at_any_call_changes_nothing_of_the_outcome(scenario: str, after: bool, share: int) -> None:
    undisturbed = SCENARIOS[scenario]().run()
    lawful(undisturbed)
    expected = renamed(outcome(undisturbed))
    nth = share + 1
    while True:
        death = Death(nth, after)
        account = SCENARIOS[scenario]()
        account.wrap(lambda _name, port, death=death: Port(port, death.called))
        account.run()
        if not death.happened:
            break
        lawful(account)
        assert renamed(outcome(account)) == expected, f"killed at call {nth}"
        nth += SPREAD
    assert nth > 60, "the calls of a whole deployment were tried"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_at_any_call_of_a_deployment_that_goes_through_many_executions(after: bool) -> None:
    def account() -> Account:
        return SCENARIOS["succeeding"](TIDEGATE_PASSES_PER_EXECUTION="1")

    expected, nth = renamed(outcome(account().run())), 0
    while True:
        death, disturbed = Death(nth := nth + 1, after), account()
        disturbed.wrap(lambda _name, port, death=death: Port(port, death.called))
        disturbed.run()
        if not death.happened:
            break
        lawful(disturbed)
        assert renamed(outcome(disturbed)) == expected, f"killed at call {nth}"
    assert nth > 60, "the calls of a whole deployment were tried"


@pytest.mark.parametrize("signals", [0, 1, 3], ids=["signals lost", "signals come", "signals come thrice"])
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("seed", range(6))
def test_many_deaths_and_unreliable_signals(scenario: str, signals: int, seed: int) -> None:
    expected = renamed(outcome(SCENARIOS[scenario]().run()))
    deaths = Deaths(random.Random(f"{scenario} {signals} {seed}"))
    account = SCENARIOS[scenario]()
    account.signals_arrive = signals
    account.wrap(lambda _name, port: Port(port, deaths.called))
    account.run()
    account.wrap(lambda _name, port: port)
    assert deaths.happened > 1
    lawful(account)
    assert renamed(outcome(account)) == expected
