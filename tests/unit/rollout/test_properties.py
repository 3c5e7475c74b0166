"""What holds for every deployment, whatever its fleet, configuration, faults and stop requests."""

from __future__ import annotations

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.rollout.driver import FAST, GOOD, Deployment, Host

from tidegate.model.cells import Outcome
from tidegate.model.ledger import Purpose
from tidegate.rollout import Candidate

hosts = st.builds(
    Host,
    succeeds=st.sampled_from([True, True, True, False]),
    picked_up=st.sampled_from([0, 1, 1, 7, 29, 31, None]),
    takes=st.sampled_from([1, 4, 10, 10, 40, 99, 120, None]),
    answer_lost=st.sampled_from([False, False, False, True]),
    record_lost=st.booleans(),
    reachable_from=st.sampled_from([0, 0, 0, 0, 12, 29, 50, None]),
    opted_in=st.sampled_from([True, True, True, True, False]),
)
minimums = st.one_of(
    st.tuples(st.just("HOST_COUNT"), st.integers(0, 14)),
    st.tuples(st.just("FLEET_PERCENT"), st.integers(0, 100)),
    st.tuples(st.just("MOST_CONCURRENCY"), st.integers(1, 4)),
)
health = st.tuples(st.sampled_from([True, True, False, None]), st.sampled_from(["rev-old", "rev-older", ""]))


@st.composite
def deployments(draw: st.DrawFn) -> Deployment:
    behaviour = draw(st.lists(hosts, max_size=14))
    fleet = {f"i-{i:02d}": host for i, host in enumerate(behaviour)}
    found = [Candidate(each, *draw(health), opted_in=host.opted_in) for each, host in fleet.items()]
    stop_at = draw(st.one_of(st.none(), st.none(), st.integers(0, 200)))
    return Deployment(fleet, draw(minimums), candidates=found, stop_at=stop_at)


def never_below_the_minimum(deployment: Deployment) -> None:
    """Never below the minimum by our own doing: only what failed may take it lower than it was at the start."""
    floor = min(deployment.ledger.minimum, deployment.before.available)
    assert deployment.census.available >= floor


def adds_up(deployment: Deployment) -> None:
    census = deployment.census
    assert sum(census.overview.values()) == census.total == len(deployment.roster.members)
    flying = sorted(p for flight in deployment.ledger.flights for p in flight.positions)
    assert flying == deployment.ledger.positions(Outcome.IN_FLIGHT), "flights and cells name the same targets, once"


def watched(deployment: Deployment) -> None:
    never_below_the_minimum(deployment)
    adds_up(deployment)


@given(deployments())
@settings(deadline=None, max_examples=150)
@example(Deployment({f"i-{i}": GOOD for i in range(6)}, ("HOST_COUNT", 4)))
@example(Deployment({f"i-{i}": Host(answer_lost=True, record_lost=True) for i in range(3)}, ("HOST_COUNT", 1)))
def test_every_deployment_ends_and_keeps_its_promises(deployment: Deployment) -> None:
    deployment.watch = watched
    deployment.run(most_passes=600)
    _ends_as_its_counts_say(deployment)
    _starts_are_lawful(deployment)
    _runs_at_most_once(deployment)


def _ends_as_its_counts_say(deployment: Deployment) -> None:
    verdict, census = deployment.verdict, deployment.census
    good = verdict.status == "Succeeded"
    complete = census.pending == census.in_flight == census.skipped == 0
    enough = census.total > 0 and census.succeeded >= max(1, deployment.ledger.minimum)
    assert good == (verdict.ledger.closing is None and complete and enough)
    assert verdict.reason.endswith(".")
    assert deployment.now <= FAST.total_limit + FAST.drain_limit + FAST.heartbeat_ceiling + 2


def _starts_are_lawful(deployment: Deployment) -> None:
    assert not [start for start in deployment.starts if start.closing], "nothing starts after the stop condition"
    started = [start.target_id for start in deployment.starts]
    assert started == deployment.order[: len(started)], "the order of selection is kept, each target once"


def _runs_at_most_once(deployment: Deployment) -> None:
    for purpose in Purpose:
        commanded = [t for c in deployment.commands.values() if c.purpose is purpose for t in c.target_ids]
        assert len(commanded) == len(set(commanded)), f"at most one {purpose} command a target"


@given(deployments(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=30)
def test_the_course_does_not_depend_on_the_order_in_which_the_fleet_was_found(
    deployment: Deployment, chance: random.Random
) -> None:
    shuffled = list(deployment.candidates)
    chance.shuffle(shuffled)
    minimum = ("HOST_COUNT", deployment.ledger.minimum)
    first, second = (
        Deployment(deployment.hosts, minimum, candidates=found, stop_at=deployment.stop_at).run()
        for found in (deployment.candidates, shuffled)
    )
    assert (first.verdict, first.starts, first.codes) == (second.verdict, second.starts, second.codes)
