"""Hundreds of seeds keep every rule; one plays the same twice; a fleet of 10,000 goes through."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.sim.draws import draw
from tests.sim.play import play, play_seed

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
def test_a_fleet_of_ten_thousand_hosts_keeps_every_rule() -> None:
    seed = next(seed for seed in range(1000) if _all_at_once(seed))
    played = play_seed(seed, 10_000)
    assert len(played.scenario.hosts) == 10_000
    assert not played.violation


def _all_at_once(seed: int) -> bool:
    """A seed whose fleet has its full size, without a balancer, in a few large batches."""
    scenario = draw(seed, 10_000)
    kind, value = scenario.wishes[0].minimum
    quick = kind == "FLEET_PERCENT" and value <= 75
    return len(scenario.hosts) == 10_000 and not scenario.balanced and quick and len(scenario.wishes) == 1
