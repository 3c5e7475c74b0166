"""Each fault that is put into the code is found by a seed, which the code as it is passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.sim.mutations import FOUND_BY, MUTATIONS, Mutation
from tests.sim.play import play_seed

MOST_SEEDS = 500


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_simulation_finds(
    mutation: Mutation, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    for seed in (mutation.found_by, *range(MOST_SEEDS)):
        with monkeypatch.context() as patched:
            mutation.apply(patched)
            violation = play_seed(seed).violation
        if violation:
            assert not play_seed(seed).violation, "the code as it is breaks a rule here too"
            record_property("told", f"mutation: {mutation.name:36} found by seed {seed:5}: {violation[:90]}")
            return
    pytest.fail(f"Neither seed {mutation.found_by} nor the first {MOST_SEEDS} find it: {mutation}")


def test_all_seeds_that_are_known_to_find_are_of_mutations() -> None:
    assert set(FOUND_BY) == {mutation.name for mutation in MUTATIONS}
