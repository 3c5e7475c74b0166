"""What holds for every deployment by zones, whatever its fleet, zones, configuration, faults and stop requests."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rollout.driver import Deployment
from tests.unit.rollout.test_properties import adds_up, health, hosts, never_below_the_minimum

from tidegate.model.cells import Outcome
from tidegate.rollout import Candidate
from tidegate.rollout.plan import minimum_healthy
from tidegate.rollout.way import Zonal

ZONES = ("a", "b", "c")
zonals = st.builds(
    Zonal,
    kind=st.sampled_from(["HOST_COUNT", "FLEET_PERCENT"]),
    value=st.integers(0, 3),
    monitor=st.sampled_from([0.0, 0.0, 40.0]),
    first_monitor=st.sampled_from([None, 0.0, 90.0]),
)
minimums = st.one_of(
    st.tuples(st.just("HOST_COUNT"), st.integers(0, 8)), st.tuples(st.just("FLEET_PERCENT"), st.integers(0, 90))
)


@st.composite
def deployments(draw: st.DrawFn) -> tuple[Deployment, Zonal]:
    behaviour = draw(st.lists(hosts, min_size=1, max_size=12))
    fleet = {f"i-{i:02d}": host for i, host in enumerate(behaviour)}
    found = [
        Candidate(each, *draw(health), opted_in=host.opted_in, zone=draw(st.sampled_from(ZONES)))
        for each, host in fleet.items()
    ]
    zonal, stop_at = draw(zonals), draw(st.one_of(st.none(), st.none(), st.integers(0, 300)))
    return Deployment(fleet, draw(minimums), candidates=found, zonal=zonal, stop_at=stop_at), zonal


@given(deployments())
@settings(deadline=None, max_examples=100)
def test_zones_go_one_by_one_and_each_keeps_its_own_minimum(made: tuple[Deployment, Zonal]) -> None:
    deployment, zonal = made
    zone_of = {each.target_id: each.zone for each in deployment.candidates}
    sizes = Counter(zone_of.values())
    floors = {zone: minimum_healthy(zonal.kind, zonal.value, size) for zone, size in sizes.items()}
    spans = [(leg.first, leg.last) for leg in deployment.ledger.way]
    before = [deployment.ledger.census(*span).available for span in spans]

    def watch(now: Deployment) -> None:
        never_below_the_minimum(now)
        adds_up(now)
        for zone, span, then in zip(sorted(sizes), spans, before, strict=False):
            assert now.ledger.census(*span).available >= min(floors[zone], then)
        out = {zone_of[now.order[p]] for p in now.ledger.positions(Outcome.IN_FLIGHT)}
        assert len(out) <= 1, "one zone at a time"

    deployment.watch = watch
    deployment.run(most_passes=900)
    begun = [zone_of[start.target_id] for start in deployment.starts]
    assert begun == sorted(begun), "in the order of their names"
    if any(floor >= sizes[zone] for zone, floor in floors.items()):
        assert begun == []
    for zone, later in pairwise(ZONES):
        untried = [each for each in deployment.order if zone_of[each] == zone and zone not in begun]
        assert not untried or later not in begun, "no zone is left out on the way"
    if deployment.verdict is not None and deployment.verdict.status == "Succeeded":
        assert sorted(set(begun)) == sorted(sizes)
        assert deployment.census.succeeded >= max(1, deployment.ledger.minimum)
