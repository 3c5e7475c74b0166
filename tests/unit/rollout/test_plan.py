"""The plan: who is in the fleet, in which order, with which minimum."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.model.ledger import Origin, origin_of
from tidegate.rollout import Candidate, plan

CURRENT = Candidate("i-00", True, "good")
OLD = Candidate("i-01", True, "older")
UNKNOWN = Candidate("i-02", True, "")
UNHEALTHY = Candidate("i-03", False, "good")
NEVER = Candidate("i-04")
FLEET = (CURRENT, OLD, UNKNOWN, UNHEALTHY, NEVER)

candidates = st.lists(
    st.builds(
        Candidate,
        st.integers(0, 999).map(lambda n: f"i-{n:03d}"),
        st.sampled_from([None, False, True]),
        st.sampled_from(["", "good", "older", "new"]),
    ),
    max_size=12,
    unique_by=lambda candidate: candidate.target_id,
)


def order(fleet: list[Candidate] | tuple[Candidate, ...], **given: str) -> list[str]:
    made = plan(fleet, ("HOST_COUNT", 0), **{"last_good": "good", "now": 5, **given})
    return [member.target_id for member in made.roster.members]


def test_unhealthy_then_unknown_then_old_then_current() -> None:
    assert order(FLEET) == ["i-03", "i-04", "i-02", "i-01", "i-00"]


def test_cells_say_what_each_target_was() -> None:
    made = plan(FLEET, ("HOST_COUNT", 0), last_good="good", now=5)
    assert [origin_of(byte) for byte in made.ledger.cells] == [
        Origin.UNHEALTHY,
        Origin.UNHEALTHY,
        Origin.UNKNOWN,
        Origin.OLD,
        Origin.CURRENT,
    ]


def test_without_a_last_good_revision_no_host_is_current() -> None:
    assert order([CURRENT, OLD], last_good="") == ["i-00", "i-01"]


def test_outdated_only_leaves_out_healthy_hosts_that_run_the_revision() -> None:
    broken = Candidate("i-09", False, "new")
    runs_it = Candidate("i-08", True, "new")
    assert order([*FLEET, runs_it, broken], outdated_for="new") == ["i-03", "i-04", "i-09", "i-02", "i-01", "i-00"]


def test_a_minimum_counts_only_the_hosts_that_are_deployed_to() -> None:
    runs_it = [Candidate(f"i-1{i}", True, "new") for i in range(8)]
    made = plan([*FLEET, *runs_it], ("FLEET_PERCENT", 50), last_good="good", now=5, outdated_for="new")
    assert (made.ledger.minimum, made.decision.facts["total"]) == (3, 5)


def test_nothing_outdated_is_a_plan_and_no_fault() -> None:
    made = plan([Candidate("i-0", True, "new")], ("HOST_COUNT", 0), last_good="good", now=5, outdated_for="new")
    assert (made.ledger.closing, made.ledger.cells, made.decision.code) == (None, b"", "NOTHING_OUTDATED")
    assert "all 1 instance already run" in made.decision.reason


def test_the_reason_of_a_plan_has_its_numbers() -> None:
    reason = plan(FLEET, ("FLEET_PERCENT", 50), last_good="good", now=5).decision.reason
    assert "5 instances" in reason
    assert "3 must stay healthy (FLEET_PERCENT 50)" in reason
    assert "at most 2" in reason


@given(candidates, st.randoms())
@settings(deadline=None)
def test_the_order_does_not_depend_on_how_the_fleet_was_found(fleet: list[Candidate], chance: random.Random) -> None:
    shuffled = list(fleet)
    chance.shuffle(shuffled)
    assert plan(fleet, ("HOST_COUNT", 0), last_good="good", now=5) == plan(
        shuffled, ("HOST_COUNT", 0), last_good="good", now=5
    )


@given(candidates, st.sampled_from(["", "new"]))
@settings(deadline=None)
def test_roster_and_ledger_name_the_same_hosts_once_each(fleet: list[Candidate], outdated_for: str) -> None:
    made = plan(fleet, ("HOST_COUNT", 0), last_good="good", now=5, outdated_for=outdated_for)
    ids = [member.target_id for member in made.roster.members]
    assert len(ids) == len(set(ids)) == len(made.ledger.cells)
    assert {each.target_id for each in fleet} - set(ids) == {
        each.target_id for each in fleet if outdated_for and each.healthy and each.revision_key == outdated_for
    }
