"""Flights and their commands: what was sent, found again, refused, left behind or given up."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.model.cells import Origin, Outcome, cell
from tidegate.model.ledger import Flight, Ledger, Purpose
from tidegate.rollout.dispatch import Dispatch, adopted, dispatched, refused, remaining, withdrawn

IDS = {f"i-{n}": n for n in range(6)}
FLIGHT = Flight("0001.00", Purpose.RUN, 0, (0, 1, 2, 3), 50.0)
OTHER = Flight("0001.01", Purpose.RUN, 0, (4, 5), 50.0, "c-other", 60.0)


def ledger(*flights: Flight) -> Ledger:
    return Ledger(bytes([cell(Outcome.IN_FLIGHT, Origin.OLD)] * 6), 2, flights, batches=1, changed_at=50.0)


def test_a_flight_takes_the_command_that_went_to_its_hosts() -> None:
    (sent,) = adopted(FLIGHT, [("c1", ["i-0", "i-1", "i-2", "i-3"])], IDS, 60.0)
    assert sent == replace(FLIGHT, command_id="c1", sent_at=60.0)
    assert remaining(FLIGHT, [sent]) is None


def test_of_two_commands_to_one_host_the_first_is_kept_and_strangers_are_passed_over() -> None:
    found = adopted(FLIGHT, [("c1", ["i-0", "i-1"]), ("c2", ["i-1", "i-2", "i-9"]), ("c3", ["i-5"])], IDS, 60.0)
    assert [(f.command_id, f.positions) for f in found] == [("c1", (0, 1)), ("c2", (2,))]
    left = remaining(FLIGHT, found)
    assert left is not None
    assert left.positions == (3,)


def test_what_could_not_be_sent_stays_under_a_key_of_its_own_and_is_told_once() -> None:
    done = adopted(FLIGHT, [("c1", ["i-0", "i-1"])], IDS, 60.0)
    after, decisions = dispatched(ledger(FLIGHT, OTHER), [Dispatch(FLIGHT, done)], 60.0)
    assert [(f.key, f.command_id, f.positions) for f in after.flights] == [
        ("0001.00", "c1", (0, 1)),
        ("0001.00+", "", (2, 3)),
        ("0001.01", "c-other", (4, 5)),
    ]
    assert [d.code for d in decisions] == ["UNREACHABLE"]
    assert decisions[0].reason.startswith("2 instances cannot be reached")
    assert after.changed_at == 60.0
    left = after.flights[1]
    again, decisions = dispatched(after, [Dispatch(left, adopted(left, [("c2", ["i-2"])], IDS, 70.0))], 70.0)
    assert [f.key for f in again.flights] == ["0001.00", "0001.00+", "0001.00++", "0001.01"]
    assert decisions == []


def test_a_flight_of_which_nobody_could_be_reached_keeps_its_key_and_counts_as_no_change() -> None:
    before = ledger(FLIGHT)
    after, decisions = dispatched(before, [Dispatch(FLIGHT, [])], 60.0)
    assert (after, decisions) == (before, [])


def test_refused_targets_leave_the_flight_with_a_reason() -> None:
    assert refused(FLIGHT, [], "no tag") == []
    done = [*adopted(FLIGHT, [("c1", ["i-0", "i-1", "i-2"])], IDS, 60.0), *refused(FLIGHT, [3], "no tag")]
    after, _ = dispatched(ledger(FLIGHT), [Dispatch(FLIGHT, done)], 60.0)
    assert [(f.positions, f.unsent, f.refusal) for f in after.flights] == [
        ((0, 1, 2), False, ""),
        ((3,), False, "no tag"),
    ]


def test_given_up_targets_are_skipped_and_told() -> None:
    done = adopted(FLIGHT, [("c1", ["i-0"])], IDS, 60.0)
    after, decisions = dispatched(ledger(FLIGHT, OTHER), [withdrawn(FLIGHT, done)], 60.0)
    assert after.positions(Outcome.SKIPPED) == [1, 2, 3]
    assert [f.positions for f in after.flights] == [(0,), (4, 5)]
    assert [(d.code, d.reason.split(" had")[0]) for d in decisions] == [("WITHDRAWN", "3 instances")]


@given(st.lists(st.lists(st.sampled_from(sorted(IDS)), max_size=4), max_size=4), st.booleans())
@settings(deadline=None)
def test_no_target_is_lost_or_doubled(sent: list[list[str]], give_up: bool) -> None:
    done = adopted(FLIGHT, [(f"c{i}", ids) for i, ids in enumerate(sent)], IDS, 60.0)
    after, _ = dispatched(ledger(FLIGHT, OTHER), [Dispatch(FLIGHT, done, give_up=give_up)], 60.0)
    flying = sorted(p for f in after.flights for p in f.positions)
    assert flying == after.positions(Outcome.IN_FLIGHT)
    assert sorted(flying + after.positions(Outcome.SKIPPED)) == list(range(6))
