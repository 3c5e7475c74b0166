"""Signals against the order of their own steps: whatever comes between, none is lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tidegate.store.memory import MemoryTable
from tidegate.store.signals import Signal, Signals
from tidegate.store.table import Put, Table, Update


class Waker:
    """Remembers the tokens that were answered."""

    def __init__(self) -> None:
        self.woken: list[str] = []

    def wake(self, token: str) -> None:
        self.woken.append(token)


@pytest.fixture
def waker() -> Waker:
    return Waker()


def park(signals: Signals, token: str, seen_count: int, generation: int = 1) -> bool:
    return signals.park("d-1", token, generation=generation, seen_count=seen_count)


def made(table: Table, **more: object) -> Table:
    """The table with the deployment in it."""
    table.write(Put({"PK": "DEP#d-1", "SK": "DEP", "status": "InProgress", "generation": 1, **more}))
    return table


@pytest.fixture
def signals(table: Table, waker: Waker) -> Signals:
    return Signals(made(table), waker)


def token(table: Table) -> str | None:
    return (table.get(("DEP#d-1", "SIGNAL")) or {}).get("token")


def test_nothing_has_happened_yet(table: Table, waker: Waker) -> None:
    assert Signals(table, waker).read("d-1") == Signal(0, frozenset())


def test_a_parked_deployment_is_woken_once_and_its_token_taken_away(
    signals: Signals, table: Table, waker: Waker
) -> None:
    assert park(signals, "t-1", 0)
    signals.signal("d-1", ["c-1", "c-2"])
    signals.signal("d-1", ["c-3"])
    assert (waker.woken, token(table)) == (["t-1"], None)
    assert signals.read("d-1") == Signal(2, frozenset({"c-1", "c-2", "c-3"}))


def test_parking_is_refused_after_a_signal_that_the_pass_has_not_seen(signals: Signals, table: Table) -> None:
    signals.signal("d-1")
    assert not park(signals, "t-1", 0)
    assert token(table) is None
    assert park(signals, "t-1", 1)


def test_a_later_token_takes_the_place_of_an_earlier_one(signals: Signals, waker: Waker) -> None:
    park(signals, "t-1", 0)
    park(signals, "t-2", 0)
    signals.signal("d-1")
    assert waker.woken == ["t-2"]


@pytest.mark.parametrize("now", [{"generation": 2}, {"status": "Stopped"}], ids=["overtaken", "ended"])
def test_parking_is_refused_to_an_execution_whose_deployment_is_no_longer_its_own(
    now: dict[str, object], table: Table, waker: Waker
) -> None:
    signals = Signals(made(table, **now), waker)
    if "generation" in now:
        assert park(signals, "t-2", 0, generation=2)
    assert not park(signals, "t-1", 0)
    assert token(table) == ("t-2" if "generation" in now else None)


def test_only_what_was_seen_is_forgotten(signals: Signals) -> None:
    signals.signal("d-1", ["c-1"])
    seen = signals.read("d-1")
    signals.signal("d-1", ["c-1"])  # another host of the same command
    signals.clear_changed("d-1", seen)
    assert signals.read("d-1").changed == {"c-1"}
    signals.clear_changed("d-1", signals.read("d-1"))
    assert signals.read("d-1") == Signal(2, frozenset())


def test_a_deployment_that_parked_again_keeps_its_new_token(waker: Waker) -> None:
    table = made(MemoryTable())

    class ParksAgain(Waker):
        def wake(self, token: str) -> None:
            super().wake(token)
            park(signals, "t-2", signals.read("d-1").count)

    signals = Signals(table, ParksAgain())
    park(signals, "t-1", 0)
    signals.signal("d-1")
    assert token(table) == "t-2"


# A signal is three steps (count and read the token, answer it, take it away), a pass two (read the count, park; where
# that fails it answers its own token). All orders of two signals and a pass are tried.


def signalling(table: MemoryTable, woken: list[str]) -> Iterator[None]:
    """The three steps of ``Signals.signal``, stopped between them by a table that yields."""
    steps: list[object] = []

    class Stepwise:
        def update_returning(self, update: Update) -> dict[str, object]:
            return table.update_returning(update)

        def write(self, *writes: Update) -> None:
            steps.append(writes)

    class Later:
        def wake(self, token: str) -> None:
            steps.append(token)

    Signals(Stepwise(), Later()).signal("d-1")  # type: ignore[arg-type]
    yield
    for step in steps:
        if isinstance(step, str):
            woken.append(step)
        else:
            _write_if_it_may(table, step)
        yield


def _write_if_it_may(table: MemoryTable, writes: object) -> None:
    from tidegate.store.errors import ConditionFailedError

    try:
        table.write(*writes)  # type: ignore[misc]
    except ConditionFailedError:
        return


def passing(table: MemoryTable, woken: list[str], looks: list[int], clock: Iterator[int]) -> Iterator[None]:
    signals = Signals(table, Waker())
    seen = signals.read("d-1").count
    looks.append(next(clock))
    yield
    if not park(signals, "t-1", seen):
        woken.append("t-1")
    yield


def test_in_every_order_a_signal_is_either_seen_or_answers_the_token() -> None:
    orders = set(itertools.permutations("aaabbbpp"))
    assert len(orders) == 560
    for order in orders:
        table, woken, looks = made(MemoryTable()), [], []
        clock = itertools.count()
        actors = {
            "a": signalling(table, woken),
            "b": signalling(table, woken),
            "p": passing(table, woken, looks, clock),
        }
        counted_at: dict[str, int] = {}
        for name in order:
            if name != "p" and name not in counted_at:
                counted_at[name] = next(clock)
            next(actors[name], None)
        for each in actors.values():
            list(each)
        unseen = [name for name, at in counted_at.items() if at > looks[0]]
        if unseen:
            assert "t-1" in woken, f"{order}: a signal after the look wakes the pass"
        else:
            assert woken == []
