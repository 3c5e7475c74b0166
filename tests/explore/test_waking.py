"""No order of passes, signals, time-outs, deaths and late runs loses a wake-up or acts twice. All orders are tried."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator

import pytest
from tests.explore.waking import LostWakeUpError, Waking
from tests.explore.writing import Writing

from tidegate.store import signals
from tidegate.store.signals import Signals
from tidegate.store.table import Equals, Present, Update


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


Told = Callable[[str, object], None]


def explored(what: str, found: Waking | Writing, record_property: Told) -> None:
    """Explore, and tell how much that was; it is printed at the end of the tests."""
    orders = found.explore()
    record_property("told", f"explored: {what}: {orders:,} interleavings through {found.states:,} states")
    assert orders > found.states


def test_two_passes_and_a_doubled_event(record_property: Told) -> None:
    explored("two passes, an event and its double", Waking(("event", "event")), record_property)


def test_two_passes_and_an_event_with_a_death_anywhere(record_property: Told) -> None:
    explored("two passes, an event, a death", Waking(("event",), deaths=1), record_property)


def test_two_passes_and_an_event_with_a_late_run_anywhere(record_property: Told) -> None:
    explored("two passes, an event, a function taken for dead", Waking(("event",), ghosts=1), record_property)


def test_two_executions_and_an_event_that_overtakes_or_comes_late(record_property: Told) -> None:
    explored("a pass, the next generation's, an event", Waking(("event", "sweep")), record_property)


@pytest.mark.parametrize("three", [("event", "event", "stop"), ("event", "event", "hint"), ("hint", "hint", "hint")])
def test_two_passes_and_three_signals(three: tuple[str, ...], record_property: Told) -> None:
    explored(f"two passes, {', '.join(three)}", Waking(three), record_property)


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_two_passes_and_three_signals_with_a_death_anywhere(record_property: Told) -> None:
    explored("two passes, three signals, a death", Waking(("event", "event", "stop"), deaths=1), record_property)


@pytest.mark.parametrize("deaths", [0, 1])
def test_two_runs_of_a_pass_write_the_ledger_in_turn(deaths: int, record_property: Told) -> None:
    explored(f"two runs of a pass, {deaths} deaths", Writing(2, deaths), record_property)


# --- the exploration finds what is wrong


def test_a_signal_that_reads_the_token_before_it_counts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def signal(self: Signals, deployment_id: str, commands: Collection[str] = ()) -> None:
        key = (f"DEP#{deployment_id}", "SIGNAL")
        token = (self._table.get(key) or {}).get("token")
        named = {"changed": frozenset(commands)} if commands else {}
        self._table.update_returning(Update(key, add={"count": 1}, add_to_set=named))
        if token:
            self._waker.wake(token)

    monkeypatch.setattr(Signals, "signal", signal)
    with pytest.raises(LostWakeUpError):
        Waking(("event",)).explore()


def test_a_signal_that_is_not_counted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Uncounted(Update):
        def __init__(self, key: tuple[str, str], **more: object) -> None:
            if more.get("add") == {"count": 1}:
                more["add"] = {"count": 0}
            super().__init__(key, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(signals, "Update", Uncounted)
    with pytest.raises(LostWakeUpError, match="has been told"):
        Waking(("event",)).explore()


def test_parking_without_a_look_at_the_count_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def park(self: Signals, deployment_id: str, token: str, **_seen: int) -> bool:
        self._table.write(Update((f"DEP#{deployment_id}", "SIGNAL"), set={"token": token}))
        return True

    monkeypatch.setattr(Signals, "park", park)
    with pytest.raises(LostWakeUpError):
        Waking(("event",)).explore()


def test_parking_without_a_look_at_the_generation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "still_live", lambda _generation: Present())
    with pytest.raises(LostWakeUpError):
        Waking(("hint", "sweep")).explore()


def test_a_token_that_is_cleared_without_a_look_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(Update):
        def __init__(self, key: tuple[str, str], **more: object) -> None:
            if more.get("remove") == ("token",):
                more.pop("condition")
            super().__init__(key, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(signals, "Update", Careless)
    with pytest.raises(LostWakeUpError):
        Waking(("hint", "hint")).explore()


def test_a_ledger_that_is_written_without_its_version_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tidegate.store.ledgers.Equals",
        lambda name, value: Equals("SK", "LEDGER") if name == "version" else Equals(name, value),
    )
    with pytest.raises(AssertionError, match="the same version"):
        Writing(2).explore()
