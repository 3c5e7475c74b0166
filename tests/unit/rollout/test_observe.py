"""One look: what is looked at, and what single sightings do to a ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rollout.driver import report

from tidegate.model.cells import Origin, Outcome, cell
from tidegate.model.decisions import Diagnostics, HostReport, Sight, Sighting
from tidegate.model.ledger import Flight, Ledger, Purpose
from tidegate.rollout import Rules, judge, observe, to_look_at

RULES = Rules(undelivered_after=300, stage_limit=1000, look_share=3)
NEVER_RAN = HostReport(
    "NotStarted", diagnostics=Diagnostics("", "OrderExpired", "", "The order's URL has expired.", "")
)


def flying(*sizes: int, sent_at: float = 10, purpose: Purpose = Purpose.RUN) -> Ledger:
    """A ledger with flights of these sizes, all sent."""
    flights, first = [], 0
    for n, size in enumerate(sizes):
        positions = tuple(range(first, first + size))
        flights.append(Flight(f"{n:04d}.00", purpose, 0, positions, 5, f"c{n}", sent_at))
        first += size
    return Ledger(bytes([cell(Outcome.IN_FLIGHT, Origin.OLD)] * first), 0, tuple(flights), batches=len(sizes))


def looked_at(ledger: Ledger, changed: set[str], pass_number: int, now: float = 20) -> list[str]:
    return [flight.command_id for flight in to_look_at(ledger, changed, pass_number, RULES, now)]


def test_a_look_is_bounded_but_for_what_a_signal_named() -> None:
    ledger = flying(*[1] * 10)
    assert looked_at(ledger, {"c9", "c7", "unknown"}, 0) == ["c7", "c9", "c0", "c1", "c2"]


def test_flights_past_their_limit_are_always_looked_at() -> None:
    ledger = flying(*[1] * 10)
    late = replace(ledger.flights[8], sent_at=-2000)
    ledger = replace(ledger, flights=(*ledger.flights[:8], late, ledger.flights[9]))
    assert looked_at(ledger, set(), 0) == ["c8", "c0", "c1", "c2"]


@given(st.integers(1, 40), st.integers(0, 500))
@settings(deadline=None)
def test_the_share_rotates_so_that_each_flight_is_looked_at_in_time(flights: int, first_pass: int) -> None:
    ledger = flying(*[1] * flights)
    rounds = -(-flights // RULES.look_share)
    seen = [each for i in range(rounds + 1) for each in looked_at(ledger, set(), first_pass + i)]
    assert set(seen) == {f"c{n}" for n in range(flights)}
    assert all(len(looked_at(ledger, set(), p)) == min(flights, RULES.look_share) for p in range(5))


def test_flights_without_a_command_are_not_looked_at() -> None:
    ledger = flying(1, 1)
    unsent = replace(ledger.flights[0], command_id="")
    assert looked_at(replace(ledger, flights=(unsent, ledger.flights[1])), set(), 0) == ["c1"]


def test_what_was_not_looked_at_stays_as_it_is() -> None:
    ledger = flying(2)
    observed = observe(ledger, {}, RULES, 100_000)
    assert observed.ledger is ledger
    assert (observed.changes, observed.cancels) == ((), {})


def test_a_flight_shrinks_and_leaves_with_its_last_target() -> None:
    ledger = flying(3)
    seen = {0: Sighting(Sight.ANSWERED, report(succeeds=True)), 2: Sighting(Sight.ANSWERED, report(succeeds=False))}
    once = observe(ledger, seen, RULES, 20).ledger
    assert [f.positions for f in once.flights] == [(1,)]
    assert [once.outcome(i) for i in range(3)] == [Outcome.SUCCEEDED, Outcome.IN_FLIGHT, Outcome.FAILED]
    assert once.changed_at == 20
    assert observe(once, {1: Sighting(Sight.ANSWERED, report(succeeds=True))}, RULES, 30).ledger.flights == ()


def test_an_answer_that_comes_twice_counts_once() -> None:
    ledger = flying(2)
    seen = {0: Sighting(Sight.ANSWERED, report(succeeds=False))}
    once = observe(ledger, seen, RULES, 20)
    again = observe(once.ledger, {0: Sighting(Sight.ANSWERED, report(succeeds=True))}, RULES, 21)
    assert (again.changes, again.ledger) == ((), once.ledger)


@pytest.mark.parametrize(
    ("sight", "age", "ends"),
    [
        (Sight.WAITING, 300, False),
        (Sight.WAITING, 301, True),
        (Sight.RUNNING, 301, False),
        (Sight.RUNNING, 1000, False),
    ],
)
def test_deadlines_are_kept_to_the_second(sight: Sight, age: float, ends: bool) -> None:
    observed = observe(flying(1), {0: Sighting(sight)}, RULES, 10 + age)
    assert bool(observed.changes) == ends


def test_too_long_a_run_is_cancelled_and_asked_about_by_a_flight_that_keeps_the_target_in_flight() -> None:
    observed = observe(flying(1), {0: Sighting(Sight.RUNNING)}, RULES, 10 + 1001)
    (ask,) = observed.ledger.flights
    assert (observed.cancels, observed.changes) == ({"c0": (0,)}, ())
    assert (ask.purpose, ask.positions, ask.unsent, ask.begun_at) == (Purpose.REPORT, (0,), True, 1011)
    assert observed.ledger.outcome(0) is Outcome.IN_FLIGHT
    assert judge(observed.ledger, RULES, 1011).code == "UNSENT"


def test_a_run_whose_host_found_no_valid_order_failed_with_the_host_own_words() -> None:
    (change,) = observe(flying(1), {0: Sighting(Sight.ANSWERED, NEVER_RAN)}, RULES, 20).changes
    assert (change.outcome, change.message) == (Outcome.FAILED, "The order's URL has expired.")


def test_an_ask_that_is_not_answered_is_put_three_times_and_then_fails_with_the_status() -> None:
    lost = Sighting(Sight.UNANSWERED, detail="SSM says Failed")
    ledger = flying(1)
    for times in (1, 2, 3):
        observed = observe(ledger, {0: lost}, RULES, 20)
        (ask,) = observed.ledger.flights
        assert (observed.changes, ask.purpose, ask.asked) == ((), Purpose.REPORT, times)
        ledger = replace(observed.ledger, flights=(replace(ask, command_id=f"ask-{times}", sent_at=20),))
    (change,) = observe(ledger, {0: lost}, RULES, 20).changes
    assert change.outcome is Outcome.FAILED
    assert "(SSM says Failed), though it was asked 3 times" in change.message


def test_asks_are_cut_into_commands_of_at_most_fifty() -> None:
    seen = {i: Sighting(Sight.UNANSWERED) for i in range(120)}
    asks = observe(flying(60, 60), seen, RULES, 20).ledger.flights
    assert [len(f.positions) for f in asks] == [50, 50, 20]
    assert len({f.key for f in asks}) == 3
    assert not {f.key for f in asks} & {"0000.00", "0001.00"}


@pytest.mark.parametrize(
    ("quiet", "expected"),
    [(0, 10), (60, 60), (10_000, 300)],
    ids=["at least the floor", "as long again", "at most the ceiling"],
)
def test_waiting_grows_with_quiet(quiet: float, expected: float) -> None:
    rules = Rules(undelivered_after=50_000, stage_limit=90_000)
    ledger = replace(flying(1, sent_at=quiet), changed_at=0.0)
    assert judge(ledger, rules, quiet).look_again_at == quiet + expected + 1


def test_a_wait_ends_when_a_deadline_does() -> None:
    ledger = replace(flying(1, sent_at=10), changed_at=-5000.0)
    verdict = judge(ledger, RULES, 200)
    assert (verdict.code, verdict.look_again_at) == ("WAITING", 10 + 300 + 1)
