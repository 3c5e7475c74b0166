"""A function that dies at any one of its calls, before or after the call had its effect, and is tried again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.unit.functions.machine import Killed
from tests.unit.functions.world import Account, hosts

TERMINAL = {"Succeeded", "Failed", "Stopped"}
HALF = ("FLEET_PERCENT", 50)
ON_FAILURE = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
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


def succeeding() -> Account:
    account = Account(hosts(3))
    account.hosts["i-00000000000000002"].answer_lost = True
    account.deploy("v1.zip", HALF)
    return account


def rolling_back() -> Account:
    account = Account(hosts(3))
    account.deploy("v1.zip", ("HOST_COUNT", 0))
    account.run()
    for host in account.hosts.values():
        host.fails = frozenset({"v2.zip"})
    account.deploy("v2.zip", ("HOST_COUNT", 2), autoRollback=ON_FAILURE)
    return account


def stopped() -> Account:
    account = Account(hosts(4))
    deployed = account.deploy("v1.zip", HALF)

    def stop_while_the_first_are_running(name: str, _state: object) -> None:
        if name == "AwaitProgress" and "stop" not in account.deployment(deployed):
            account.clock.at(account.now + 3, lambda: account.stop(deployed))

    account.before = stop_while_the_first_are_running
    return account


SCENARIOS = {"succeeding": succeeding, "rolling back": rolling_back, "stopped": stopped}


def outcome(account: Account) -> dict[str, Any]:
    """What must be the same whatever died on the way."""
    return {
        deployment_id: (
            account.deployment(deployment_id)["status"],
            account.deployment(deployment_id).get("error", {}).get("code"),
            account.deployment(deployment_id)["overview"],
            account.deployment(deployment_id).get("rollback", {}).keys(),
            sorted(account.statuses(deployment_id).values()),
        )
        for deployment_id in account.table.courses
    }


def lawful(account: Account) -> None:
    """Nothing lost, nothing twice."""
    assert {each.status for each in account.executions.values()} == {"SUCCEEDED"}
    assert "live" not in account.group()
    for deployment_id, course in account.table.courses.items():
        assert len(TERMINAL & set(course)) == 1, f"{deployment_id} ends once: {course}"
        assert course[-1] in TERMINAL
        assert course.count(course[-1]) == 1
        told = account.decisions(deployment_id)
        assert [each["SK"] for each in told] == [f"DECISION#{n:06d}" for n in range(len(told))]
        assert [each["kind"] for each in told].count("Finish") == 1
    ran = Counter(
        (command.order["deploymentId"], target)
        for command in account.fleet.commands.values()
        for target in command.target_ids
        if command.order["mode"] == "run"
    )
    assert set(ran.values()) <= {1}, "no host is sent the same work twice"
    for host in account.hosts.values():
        assert set(host.runs.values()) <= {1}


def renamed(found: dict[str, Any]) -> list[Any]:
    """Outcomes in order, without ids: a try that died may have used one up."""
    return [found[each] for each in sorted(found)]


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
