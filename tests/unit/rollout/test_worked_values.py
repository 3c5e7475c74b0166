"""The worked values of the rules of health: fleet size and configuration against what may be out, and what may fail."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.unit.rollout.driver import Deployment, Minimum, fleet, fresh

from tidegate.rollout import Candidate, minimum_healthy, plan

ONE_AT_A_TIME = ("MOST_CONCURRENCY", 1)
HALF = ("FLEET_PERCENT", 50)
ALL = ("HOST_COUNT", 0)


@dataclass(frozen=True)
class Row:
    n: int
    config: Minimum
    m: int
    most_out: int
    early: int  # failures at the beginning that still end in success
    last: int  # failures at the end that still end in success


ROWS = [
    Row(10, ("FLEET_PERCENT", 85), 9, 1, 0, 1),
    Row(10, ("HOST_COUNT", 9), 9, 1, 0, 1),
    Row(10, ("HOST_COUNT", 8), 8, 2, 1, 2),
    Row(10, ALL, 0, 10, 9, 9),
    Row(9, ALL, 0, 9, 8, 8),
    Row(9, HALF, 5, 4, 3, 4),
    Row(9, ("HOST_COUNT", 6), 6, 3, 2, 3),
    Row(9, ("FLEET_PERCENT", 40), 4, 5, 4, 5),
    Row(1, ONE_AT_A_TIME, 0, 1, 0, 0),
    Row(2, HALF, 1, 1, 0, 1),
    Row(6, ONE_AT_A_TIME, 5, 1, 0, 1),
    Row(3, HALF, 2, 1, 0, 1),
    Row(4, HALF, 2, 2, 1, 2),
    Row(10, HALF, 5, 5, 4, 5),
    Row(40, ("HOST_COUNT", 30), 30, 10, 9, 10),
    Row(20, ("FLEET_PERCENT", 95), 19, 1, 0, 1),
]
IDS = [f"{row.n} at {row.config[0]} {row.config[1]}" for row in ROWS]


def one_by_one(pattern: str, config: Minimum) -> Deployment:
    """A run in which the answers come in the order of selection."""
    return Deployment(fleet(pattern), config).run()


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_minimum_and_most_out_at_a_time(row: Row) -> None:
    assert minimum_healthy(*row.config, row.n) == row.m
    deployed = one_by_one("." * row.n, row.config)
    assert (deployed.verdict.status, deployed.most_in_flight) == ("Succeeded", row.most_out)
    assert deployed.census.succeeded == row.n


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_tolerates_so_many_failures_at_the_beginning_and_not_one_more(row: Row) -> None:
    good = one_by_one("x" * row.early + "." * (row.n - row.early), row.config)
    assert (good.verdict.status, good.census.failed) == ("Succeeded", row.early)
    bad = one_by_one("x" * (row.early + 1) + "." * (row.n - row.early - 1), row.config)
    assert (bad.verdict.status, bad.verdict.code) == ("Failed", "HEALTH_CONSTRAINTS")


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_tolerates_so_many_failures_at_the_end_and_not_one_more(row: Row) -> None:
    good = one_by_one("." * (row.n - row.last) + "x" * row.last, row.config)
    assert (good.verdict.status, good.census.failed, good.census.pending) == ("Succeeded", row.last, 0)
    bad = one_by_one("." * (row.n - row.last - 1) + "x" * (row.last + 1), row.config)
    assert (bad.verdict.status, bad.verdict.code) == ("Failed", "HEALTH_CONSTRAINTS")


@pytest.mark.parametrize(
    ("n", "config"),
    [
        (10, ("FLEET_PERCENT", 95)),
        (1, HALF),
        (3, ("HOST_COUNT", 3)),
        (3, ("HOST_COUNT", 7)),
        (50, ("FLEET_PERCENT", 99)),
    ],
)
def test_a_minimum_that_lets_nothing_out_fails_before_anything_runs(n: int, config: Minimum) -> None:
    deployed = Deployment(fleet("." * n), config).run()
    assert (deployed.verdict.status, deployed.verdict.code) == ("Failed", "HEALTH_CONSTRAINTS_INVALID")
    assert (deployed.starts, deployed.commands, deployed.passes) == ([], {}, 1)
    assert f"{config[0]} {config[1]}" in deployed.verdict.reason
    assert "Lower the minimum or add instances" in deployed.verdict.reason


def test_no_instances() -> None:
    deployed = Deployment({}, ALL).run()
    assert (deployed.verdict.status, deployed.verdict.code, deployed.plan_code) == (
        "Failed",
        "NO_INSTANCES",
        "NO_INSTANCES",
    )
    assert "tag" in deployed.verdict.reason


def test_an_unknown_kind_of_minimum_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'ZONES'"):
        plan([], ("ZONES", 1), last_good="", now=0)


def test_the_window_shrinks_after_failures() -> None:
    """Nine, half at a time: after three early failures the rest goes one at a time."""
    out: list[tuple[int, int]] = []
    Deployment(fleet("xxx......"), HALF, watch=lambda d: out.append((d.census.failed, d.census.in_flight))).run()
    most = {failed: max(in_flight for f, in_flight in out if f == failed) for failed, _ in out}
    assert most == {0: 4, 1: 3, 2: 2, 3: 1}


def test_a_window_slides_instead_of_waiting_for_its_slowest() -> None:
    hosts = fleet("....")
    hosts["i-0000"] = type(hosts["i-0000"])(takes=95)
    deployed = Deployment(hosts, HALF).run()
    assert deployed.verdict.status == "Succeeded"
    assert deployed.starts[-1].time < 95


@pytest.mark.parametrize(("config", "most"), [(ONE_AT_A_TIME, 1), (("HOST_COUNT", 4), 2), (HALF, 3), (ALL, 6)])
def test_a_fleet_never_deployed_to_is_paced_by_the_configuration_too(config: Minimum, most: int) -> None:
    hosts = fleet("......")
    deployed = Deployment(hosts, config, candidates=fresh(hosts)).run()
    assert (deployed.verdict.status, deployed.most_in_flight) == ("Succeeded", most)


def test_without_one_success_a_deployment_fails_though_nothing_must_stay_healthy() -> None:
    deployed = Deployment(fleet("xxx"), ALL).run()
    assert (deployed.verdict.status, deployed.verdict.code) == ("Failed", "HEALTH_CONSTRAINTS")
    assert "0 instances of 3 succeeded" in deployed.verdict.reason
    assert deployed.ledger.closing is not None


def test_what_was_not_begun_stays_pending_when_the_constraint_stops_the_deployment() -> None:
    deployed = Deployment(fleet("x....."), ONE_AT_A_TIME).run()
    assert deployed.census.overview == {
        "Pending": 5, "InProgress": 0, "Succeeded": 0, "Failed": 1, "Skipped": 0, "Ready": 0,
    }  # fmt: skip
    assert "1 instance of 6 failed" in deployed.verdict.reason


#: Four unhealthy hosts and then two healthy ones: what the unhealthy ones do, the minimum, how it ends, and how many of
#: the healthy ones are taken out on the way.
MIXED = [
    ("....", 4, "Succeeded", 2),  # each success adds a healthy one: the two may go in the end
    ("....", 5, "Succeeded", 2),
    ("xxxx", 1, "Succeeded", 2),  # two healthy are one more than must stay: one at a time
    ("xxxx", 2, "Failed", 0),  # as many as must stay: it ends rather than lowers them
    ("xxx.", 3, "Failed", 0),
    ("xxx.", 2, "Succeeded", 2),
    ("x...", 5, "Failed", 0),  # fewer were healthy from the start than must be: only the unhealthy are worked on
]


@pytest.mark.parametrize(("unhealthy", "minimum", "status", "taken"), MIXED)
def test_unhealthy_ones_go_first_and_the_healthy_only_above_the_minimum(
    unhealthy: str, minimum: int, status: str, taken: int
) -> None:
    hosts = fleet(unhealthy + "..")
    names = sorted(hosts)
    found = [Candidate(name, healthy=name in names[4:], revision_key="rev-old") for name in names]
    lowest = 2

    def watch(deployed: Deployment) -> None:
        nonlocal lowest
        lowest = min(lowest, deployed.census.available)

    deployed = Deployment(hosts, ("HOST_COUNT", minimum), candidates=found, watch=watch).run()
    assert deployed.verdict.status == status
    started = [start.target_id for start in deployed.starts]
    assert started == sorted(started)
    assert len(set(started) & set(names[4:])) == taken
    assert lowest >= min(minimum, 2), "never below what must stay, nor below the two that were healthy"
