"""Each fault that is put into the code is found within a bounded number of seeds, which the code as it is passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.sim.mutations import MUTATIONS, Mutation
from tests.sim.play import play_seed

MOST_SEEDS = 500  # test_seeds.py plays these without a fault


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_simulation_finds(
    mutation: Mutation, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    mutation.apply(monkeypatch)
    for seed in range(MOST_SEEDS):
        if violation := play_seed(seed).violation:
            record_property("told", f"mutation: {mutation.name:36} found by seed {seed:3}: {violation[:90]}")
            return
    pytest.fail(f"{MOST_SEEDS} seeds did not find it: {mutation}")
