"""The plan: who is in the fleet, in which order, with which minimum."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.model.cells import Origin, origin_of
from tidegate.rollout import Candidate, plan
from tidegate.rollout.way import Zonal

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


@pytest.mark.parametrize(
    ("minimum", "well", "unwell", "newcomers", "floor"),
    [
        (("FLEET_PERCENT", 50), 9, 0, 1, 0),  # by its own, one of one would have to stay
        (("FLEET_PERCENT", 50), 2, 8, 2, 1),  # of 12 six must, two others do: more than by their own
        (("FLEET_PERCENT", 95), 19, 0, 1, 0),
        (("HOST_COUNT", 15), 17, 0, 2, 0),
        (("HOST_COUNT", 3), 2, 0, 2, 1),
        (("MOST_CONCURRENCY", 1), 9, 0, 3, 2),  # one at a time
        (("MOST_CONCURRENCY", 1), 2, 1, 1, 0),  # the unwell one keeps no newcomer from its deployment
    ],
)
def test_for_newcomers_the_minimum_is_the_whole_fleets_where_that_asks_for_less(
    minimum: tuple[str, int], well: int, unwell: int, newcomers: int, floor: int
) -> None:
    fleet = [Candidate(f"i-{n:02d}", True, "new") for n in range(well)]
    fleet += [Candidate(f"i-b{n:02d}", False, "new") for n in range(unwell)]
    fresh = [Candidate(f"i-c{n:02d}", True, "good") for n in range(newcomers)]
    only = {each.target_id for each in fresh}
    made = plan([*fleet, *fresh], minimum, last_good="new", now=5, outdated_for="new", only=only)
    assert (len(made.roster.members), made.ledger.minimum, made.ledger.closing) == (newcomers, floor, None)


def test_a_fleet_that_is_too_unwell_for_its_newcomers_says_so() -> None:
    fleet = [*(Candidate(f"i-b{n}", False, "new") for n in range(9)), Candidate("i-c", True, "good")]
    made = plan(fleet, ("FLEET_PERCENT", 50), last_good="new", now=5, outdated_for="new", only={"i-c"})
    assert made.ledger.closing is not None
    assert made.ledger.closing.code == "HEALTH_CONSTRAINTS_INVALID"


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


IN_ZONES = [Candidate(f"i-0{n}", True, "old", zone=f"eu-west-1{zone}") for n, zone in enumerate("abab")]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["rack-7"], "rack-7 is an on-premises instance, in no zone"),
        (["rack-9", "rack-7", "rack-8"], "rack-7 and 2 others are on-premises instances, in no zone"),
    ],
)
def test_zones_are_not_for_on_premises_instances(names: list[str], told: str) -> None:
    boxes = [Candidate(name, nodes=(f"mi-{name}",)) for name in names]
    made = plan([*IN_ZONES, *boxes], ("HOST_COUNT", 0), last_good="", now=5, zonal=Zonal())
    assert made.ledger.closing is not None
    assert (made.ledger.closing.status, made.ledger.closing.code) == ("Failed", "HEALTH_CONSTRAINTS_INVALID")
    assert made.ledger.closing.reason == made.decision.reason
    assert told in made.decision.reason
    assert "a deployment group of their own, or with a configuration without zonalConfig" in made.decision.reason


def test_on_premises_instances_that_no_node_answers_for_are_in_no_zone_either() -> None:
    made = plan([*IN_ZONES, Candidate("rack-7", nodes=())], ("HOST_COUNT", 0), last_good="", now=5, zonal=Zonal())
    assert made.decision.code == "HEALTH_CONSTRAINTS_INVALID"


def test_zones_without_on_premises_instances_and_these_without_zones_are_planned() -> None:
    zones = plan(IN_ZONES, ("HOST_COUNT", 0), last_good="", now=5, zonal=Zonal())
    boxes = plan([*IN_ZONES, Candidate("rack-7", nodes=("mi-7",))], ("HOST_COUNT", 0), last_good="", now=5)
    assert (zones.ledger.closing, zones.decision.code) == (None, "PLANNED")
    assert (boxes.ledger.closing, boxes.decision.code) == (None, "PLANNED")


def test_an_on_premises_instance_that_is_not_deployed_to_is_not_in_the_way() -> None:
    box = Candidate("rack-7", True, "new", nodes=("mi-7",))
    made = plan([*IN_ZONES, box], ("HOST_COUNT", 0), last_good="", now=5, outdated_for="new", zonal=Zonal())
    assert made.ledger.closing is None
