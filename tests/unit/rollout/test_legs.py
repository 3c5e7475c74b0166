"""Zones, balancers and blue/green: the ways of a fleet, walked to their ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rollout.driver import FAST, GOOD, Deployment, Host, fleet

from tidegate.model.cells import Origin, Outcome, cell
from tidegate.model.decisions import Decision
from tidegate.model.ledger import Ledger, Member, Roster
from tidegate.rollout import Candidate, Plan, minimum_healthy
from tidegate.rollout.way import BlueGreen, Zonal, blue_green_legs, in_place_stages, traffic_back_legs

HOST_EVENTS = ("ApplicationStop", "DownloadBundle", "Install", "ValidateService")


def limit(events: Sequence[str]) -> float:
    return 100.0


BALANCED = in_place_stages(HOST_EVENTS, limit, balanced=True)


def zoned(sizes: Mapping[str, int]) -> tuple[dict[str, Host], list[Candidate]]:
    names = [(zone, f"i-{zone}-{i}") for zone, size in sizes.items() for i in range(size)]
    return {each: GOOD for _, each in names}, [Candidate(each, True, "rev-old", zone=zone) for zone, each in names]


def zones_of_starts(deployment: Deployment) -> list[str]:
    return list(dict.fromkeys(start.leg for start in deployment.starts))


# ---------------------------------------------------------------- balancers


def test_behind_a_balancer_a_target_goes_through_five_stages() -> None:
    deployed = Deployment(fleet("..."), ("MOST_CONCURRENCY", 1), stages=BALANCED).run()
    assert deployed.verdict is not None
    assert deployed.verdict.status == "Succeeded"
    of_first = [c.stage.name for c in deployed.commands.values() if "i-0000" in c.target_ids]
    assert of_first == ["before-block", "block", "host", "allow", "after-allow"]
    assert deployed.most_in_flight == 1


@pytest.mark.parametrize("stage", ["before-block", "block", "host", "allow", "after-allow"])
def test_a_target_that_fails_in_a_stage_goes_no_further(stage: str) -> None:
    hosts = {"i-0": Host(fails_in=stage), "i-1": GOOD, "i-2": GOOD}
    deployed = Deployment(hosts, ("HOST_COUNT", 1), stages=BALANCED).run()
    assert deployed.verdict is not None
    assert deployed.verdict.status == "Succeeded"
    assert deployed.outcome("i-0") is Outcome.FAILED
    ran = [c.stage.name for c in deployed.commands.values() if "i-0" in c.target_ids]
    assert ran[-1] == stage


def test_a_drain_that_never_ends_fails_by_the_stages_limit() -> None:
    hosts = {"i-0": Host(takes=None), "i-1": GOOD}
    block = [s for s in BALANCED if s.name == "block"]
    patient = replace(FAST, total_limit=20_000)
    deployed = Deployment(hosts, ("HOST_COUNT", 0), stages=block, rules=patient).run()
    assert deployed.outcome("i-0") is Outcome.FAILED
    assert deployed.messages["i-0"] == "Not done after 60 min."


def test_a_stopped_deployment_takes_those_under_way_to_their_end_lest_they_stay_without_traffic() -> None:
    deployed = Deployment(fleet("...."), ("MOST_CONCURRENCY", 2), stages=BALANCED, stop_at=15).run()
    assert deployed.verdict is not None
    assert deployed.verdict.status == "Stopped"
    census = deployed.census
    assert (census.succeeded, census.failed) == (2, 0)
    for each in ("i-0000", "i-0001"):
        assert [c.stage.name for c in deployed.commands.values() if each in c.target_ids][-1] == "after-allow"


# ---------------------------------------------------------------- zones


def test_zones_are_taken_one_after_another() -> None:
    hosts, found = zoned({"a": 3, "b": 2, "c": 4})
    deployed = Deployment(hosts, ("HOST_COUNT", 2), candidates=found, zonal=Zonal()).run()
    assert zones_of_starts(deployed) == ["zone a", "zone b", "zone c"]
    assert deployed.census.succeeded == 9


def test_a_zone_is_watched_before_the_next_one() -> None:
    hosts, found = zoned({"a": 2, "b": 2, "c": 2})
    zonal = Zonal(monitor=50, first_monitor=200)
    deployed = Deployment(hosts, ("HOST_COUNT", 2), candidates=found, zonal=zonal).run()
    first = {leg: min(s.time for s in deployed.starts if s.leg == leg) for leg in zones_of_starts(deployed)}
    last = {leg: max(s.time for s in deployed.starts if s.leg == leg) for leg in zones_of_starts(deployed)}
    assert first["zone b"] - last["zone a"] >= 200
    assert 50 <= first["zone c"] - last["zone b"] < 200
    assert deployed.codes.count("MONITOR") >= 2


def test_a_zones_own_minimum_and_the_fleets_hold_together() -> None:
    hosts, found = zoned({"a": 4, "b": 4})
    one_by_zone = Deployment(hosts, ("HOST_COUNT", 2), candidates=found, zonal=Zonal("HOST_COUNT", 3)).run()
    assert one_by_zone.most_in_flight == 1
    by_fleet = Deployment(hosts, ("HOST_COUNT", 6), candidates=found, zonal=Zonal("HOST_COUNT", 1)).run()
    assert by_fleet.most_in_flight == 2


def test_a_zones_percentage_is_of_the_zone_and_rounded_up() -> None:
    hosts, found = zoned({"a": 3, "b": 9})
    deployed = Deployment(hosts, ("HOST_COUNT", 0), candidates=found, zonal=Zonal("FLEET_PERCENT", 40)).run()
    most = {
        zone: max(
            len({s.target_id for s in deployed.starts if s.leg == zone and s.time == at})
            for at in {s.time for s in deployed.starts if s.leg == zone}
        )
        for zone in zones_of_starts(deployed)
    }
    assert most == {"zone a": 1, "zone b": 5}


def test_a_failure_verdict_in_a_zone_leaves_the_later_zones_alone() -> None:
    hosts, found = zoned({"a": 2, "b": 2})
    hosts["i-a-0"] = hosts["i-a-1"] = Host(succeeds=False)
    deployed = Deployment(hosts, ("HOST_COUNT", 3), candidates=found, zonal=Zonal()).run()
    assert deployed.verdict is not None
    assert (deployed.verdict.status, deployed.verdict.code) == ("Failed", "HEALTH_CONSTRAINTS")
    assert zones_of_starts(deployed) == ["zone a"]


def test_a_zone_that_must_stay_whole_is_refused_by_name() -> None:
    hosts, found = zoned({"a": 5, "b": 2})
    deployed = Deployment(hosts, ("HOST_COUNT", 0), candidates=found, zonal=Zonal("HOST_COUNT", 2))
    assert deployed.plan_code == "HEALTH_CONSTRAINTS_INVALID"
    assert deployed.ledger.closing is not None
    assert "zone b" in deployed.ledger.closing.reason


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    minimum=st.tuples(st.sampled_from(["HOST_COUNT", "FLEET_PERCENT"]), st.integers(0, 12)),
    own=st.tuples(st.sampled_from(["HOST_COUNT", "FLEET_PERCENT"]), st.integers(0, 5)),
    bad=st.sets(st.integers(0, 23), max_size=5),
)
@settings(deadline=None, max_examples=60)
def test_zonal_deployments_never_go_below_either_minimum(
    sizes: list[int], minimum: tuple[str, int], own: tuple[str, int], bad: set[int]
) -> None:
    hosts, found = zoned({chr(97 + i): size for i, size in enumerate(sizes)})
    for number, each in enumerate(hosts):
        hosts[each] = Host(succeeds=number not in bad, takes=7 + number % 5)

    def watch(deployment: Deployment) -> None:
        for leg in deployment.ledger.way:
            for each in leg.keep:
                census = deployment.ledger.census(each.first, each.last)
                assert census.available >= min(each.count, census.total - census.failed)

    deployed = Deployment(hosts, minimum, candidates=found, zonal=Zonal(*own), watch=watch).run()
    assert deployed.verdict is not None
    assert zones_of_starts(deployed) == sorted(zones_of_starts(deployed))
    if deployed.verdict.status == "Succeeded":
        assert deployed.census.succeeded >= max(1, deployed.ledger.minimum)


# ---------------------------------------------------------------- blue/green


def blue_green(
    green: Mapping[str, Host],
    blue: Mapping[str, Host],
    minimum: tuple[str, int] = ("MOST_CONCURRENCY", 1),
    how: BlueGreen | None = None,
    **more: float | None,
) -> Deployment:
    legs = blue_green_legs(
        len(green),
        len(blue),
        minimum_healthy(*minimum, len(green)),
        minimum_healthy(*minimum, len(blue)),
        how or BlueGreen(),
        HOST_EVENTS,
        limit,
    )
    cells = bytes([cell(Outcome.PENDING, Origin.UNHEALTHY)] * (len(green) + len(blue)))
    roster = Roster(tuple(Member(each) for each in [*green, *blue]))
    made = Plan(roster, Ledger(cells, legs[0].keep[0].count, legs=legs), Decision("Plan", "PLANNED", "Blue/green."))
    return Deployment({**green, **blue}, minimum, candidates=[], made=made, **more)  # type: ignore[arg-type]


GREENS = {f"g-{i}": GOOD for i in range(3)}
BLUES = {f"b-{i}": GOOD for i in range(3)}


def stages_of(deployment: Deployment, target_id: str) -> list[str]:
    return [c.stage.name for c in deployment.commands.values() if target_id in c.target_ids]


def test_blue_green_installs_then_moves_the_traffic_then_ends_the_originals() -> None:
    deployed = blue_green(GREENS, BLUES, how=BlueGreen(terminate_after=60)).run()
    assert deployed.verdict is not None
    assert deployed.verdict.status == "Succeeded"
    assert stages_of(deployed, "g-0") == ["host", "before-allow", "allow", "after-allow"]
    assert stages_of(deployed, "b-0") == ["before-block", "block", "after-block", "terminate"]
    allowed = max(c.sent_at for c in deployed.commands.values() if c.stage.name == "after-allow")
    blocked = min(c.sent_at for c in deployed.commands.values() if c.stage.name == "before-block")
    assert allowed < blocked, "no original loses its traffic before the replacement has it"
    ended = min(c.sent_at for c in deployed.commands.values() if c.stage.name == "terminate")
    assert ended >= max(c.sent_at for c in deployed.commands.values() if c.stage.name == "after-block") + 60


def test_originals_that_are_kept_are_not_ended() -> None:
    deployed = blue_green(GREENS, BLUES).run()
    assert "terminate" not in {c.stage.name for c in deployed.commands.values()}


def test_traffic_waits_for_somebody_to_continue() -> None:
    deployed = blue_green(GREENS, BLUES, how=BlueGreen(ready_wait=1000), continued_at=300).run()
    moved = min(c.sent_at for c in deployed.commands.values() if c.stage.name == "before-allow")
    assert 300 <= moved < 340
    assert "READY_WAIT" in deployed.codes


def test_while_it_waits_the_replacement_is_ready() -> None:
    deployed = blue_green(GREENS, BLUES, how=BlueGreen(ready_wait=1000), continued_at=300)
    while deployed.verdict is None or deployed.verdict.code != "READY_WAIT":
        deployed.one_pass()
    assert deployed.ledger.overview["Ready"] == 3
    assert deployed.ledger.overview["Pending"] == 3


def test_nobody_continues_and_the_deployment_is_stopped() -> None:
    deployed = blue_green(GREENS, BLUES, how=BlueGreen(ready_wait=500)).run()
    assert deployed.verdict is not None
    assert deployed.verdict.status == "Stopped"
    assert "before-allow" not in {c.stage.name for c in deployed.commands.values()}


def test_a_replacement_that_fails_leaves_the_originals_their_traffic() -> None:
    deployed = blue_green({**GREENS, "g-0": Host(succeeds=False)}, BLUES).run()
    assert deployed.verdict is not None
    assert (deployed.verdict.status, deployed.verdict.code) == ("Failed", "HEALTH_CONSTRAINTS")
    assert not any(stages_of(deployed, each) for each in BLUES)


def test_one_original_that_cannot_be_deregistered_fails_the_deployment() -> None:
    deployed = blue_green(GREENS, {**BLUES, "b-1": Host(fails_in="block")}).run()
    assert deployed.verdict is not None
    assert (deployed.verdict.status, deployed.verdict.code) == ("Failed", "HEALTH_CONSTRAINTS")


def test_a_replacement_that_failed_to_install_is_given_no_traffic() -> None:
    deployed = blue_green({**GREENS, "g-1": Host(fails_in="host")}, BLUES, ("HOST_COUNT", 1)).run()
    assert deployed.verdict is not None
    assert deployed.verdict.status == "Succeeded"
    assert stages_of(deployed, "g-1") == ["host"]


def test_traffic_goes_back_to_the_originals_before_it_leaves_the_replacement() -> None:
    legs = traffic_back_legs(3, 3, 2, limit)
    cells = bytes([cell(Outcome.PENDING, Origin.UNHEALTHY)] * 6)
    roster = Roster(tuple(Member(each) for each in [*BLUES, *GREENS]))
    made = Plan(roster, Ledger(cells, 2, legs=legs), Decision("Plan", "PLANNED", "Back."))
    deployed = Deployment({**BLUES, **GREENS}, ("HOST_COUNT", 2), candidates=[], made=made).run()
    assert deployed.verdict is not None
    assert deployed.verdict.status == "Succeeded"
    assert stages_of(deployed, "b-0") == ["before-allow", "allow", "after-allow"]
    assert stages_of(deployed, "g-0") == ["before-block", "block", "after-block"]


@given(
    greens=st.lists(st.sampled_from(["", "", "", "host", "allow"]), min_size=1, max_size=5),
    blues=st.lists(st.sampled_from(["", "", "", "", "block"]), max_size=5),
    minimum=st.sampled_from([("HOST_COUNT", 0), ("FLEET_PERCENT", 50), ("MOST_CONCURRENCY", 1)]),
    wait=st.sampled_from([None, 50]),
    end=st.sampled_from([None, 0, 50]),
    stop_at=st.one_of(st.none(), st.integers(0, 150)),
)
@settings(deadline=None, max_examples=100)
def test_an_original_loses_its_traffic_only_when_enough_of_the_replacement_has_it(
    greens: list[str],
    blues: list[str],
    minimum: tuple[str, int],
    wait: float | None,
    end: float | None,
    stop_at: int | None,
) -> None:
    green = {f"g-{i}": Host(fails_in=where) for i, where in enumerate(greens)}
    blue = {f"b-{i}": Host(fails_in=where) for i, where in enumerate(blues)}
    deployed = blue_green(green, blue, minimum, BlueGreen(wait, end), continued_at=30, stop_at=stop_at).run()
    assert deployed.verdict is not None
    needed = max(1, minimum_healthy(*minimum, len(green)))
    if any(c.stage.name == "before-block" for c in deployed.commands.values()):
        given_traffic = [each for each in green if "after-allow" in stages_of(deployed, each)]
        assert len(given_traffic) >= needed
    if deployed.verdict.status == "Succeeded":
        assert all("after-block" in stages_of(deployed, each) for each in blue)
        assert end is None or all(stages_of(deployed, each)[-1] == "terminate" for each in blue)
    assert deployed.now <= FAST.total_limit + FAST.drain_limit + 3600 * 3
