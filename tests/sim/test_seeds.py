"""Hundreds of seeds keep every rule; one plays the same twice; a fleet of 10,000 goes through."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.sim.chance import Chance
from tests.sim.draws import ROUGH, draw
from tests.sim.ending import check_end
from tests.sim.play import play, play_seed
from tests.sim.scenarios import Scenario
from tests.sim.world import SimWorld

SEEDS = 500
SHARE = 20  # seeds of one test, so that they run side by side


@pytest.mark.parametrize("first", range(0, SEEDS, SHARE))
def test_no_seed_breaks_a_rule(first: int) -> None:
    met = Counter[str]()
    for seed in range(first, first + SHARE):
        played = play_seed(seed)
        assert not played.violation, f"make sim START={seed} SEEDS=1: {played.violation}"
        met += played.met
    assert met["deployments"] >= SHARE
    assert any(name.startswith("fault: killed") for name in met)


@pytest.mark.parametrize("seed", [3, 44, 133])
def test_a_seed_plays_the_same_again(seed: int) -> None:
    first, again = play(draw(seed), traced=True), play(draw(seed), traced=True)
    assert first.trace == again.trace
    assert len(first.trace) > 5


def test_a_fault_that_is_left_out_moves_no_other_draw() -> None:
    whole = play(draw(14))
    left_out = frozenset(whole.happened[3:5])
    part = play(draw(14), left_out)
    assert whole.happened[:3] == part.happened[:3]
    assert not left_out & set(part.happened)


def test_lost_events_are_held_to_one_heartbeat() -> None:
    assert play_seed(42).met["lost events"] >= 1


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_fleet_of_ten_thousand_hosts_keeps_every_rule(record_property: Callable[[str, object], None]) -> None:
    scenario = _half_of_ten_thousand_at_a_time()
    logging.disable(logging.CRITICAL)
    try:
        world = SimWorld(scenario, Chance(scenario.seed, scenario.rates))
        world.play()
        check_end(world)
    finally:
        logging.disable(logging.NOTSET)
    (deployment_id,) = world.table.courses
    item = world.deployment(deployment_id)
    ended = item["overview"]
    assert item["status"] == "Succeeded"
    assert ended["Succeeded"] + ended["Failed"] == 10_000, "none is skipped"
    assert set(world.watch.stories[deployment_id].sent) == set(world.hosts), "each got its command"
    faults = Counter(name.partition(" #")[0] for name in world.chance.happened)
    assert faults.keys() >= {"killed before a call", "throttled", "event lost", "host dies at work"}
    record_property("told", f"10,000 hosts: {ended['Succeeded']} succeeded, with {faults.total()} faults")


def _half_of_ten_thousand_at_a_time() -> Scenario:
    """One deployment that nobody stops, to hosts all of which can be reached, with every fault on."""
    drawn = draw(72, 10_000)
    half = replace(drawn.wishes[0], minimum=("FLEET_PERCENT", 50), stop_after=None, watches_alarm=False)
    return replace(
        drawn,
        wishes=(half,),
        hosts=tuple(replace(host, online=True, opted_in=True) for host in drawn.hosts),
        rates={kind: rate / 2 for kind, rate in ROUGH.items()},
        patience=5,
    )
