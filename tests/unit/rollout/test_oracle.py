"""The core against a second, plain reading of the rules, over every small healthy fleet and pattern of failures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import pytest
from tests.unit.rollout.driver import report

from tidegate.model.cells import Outcome
from tidegate.model.decisions import Sight, Sighting
from tidegate.model.ledger import Ledger
from tidegate.rollout import Candidate, Rules, judge, observe, pick, plan

RULES = Rules()


@dataclass(frozen=True)
class Result:
    status: str
    order: tuple[int, ...]
    succeeded: int
    failed: int
    untouched: int
    most_out: int


def oracle(n: int, m: int, fails: tuple[bool, ...], first_in_first_out: bool) -> Result:
    """The rules as a loop over counters; answers come one by one."""
    healthy, successes, stop, untried = n, 0, False, list(range(n))
    out: list[int] = []
    order: list[int] = []
    most = 0
    while True:
        while not stop and untried and len(out) < healthy - m:
            out.append(untried.pop(0))
            order.append(out[-1])
        most = max(most, len(out))
        if not out:
            break
        done = out.pop(0 if first_in_first_out else -1)
        if fails[done]:
            healthy -= 1
        else:
            successes += 1
        if healthy <= m and untried:
            stop = True
    good = not stop and not untried and successes >= max(1, m)
    return Result(
        "Succeeded" if good else "Failed", tuple(order), successes, sum(fails[i] for i in order), len(untried), most
    )


def ours(n: int, m: int, fails: tuple[bool, ...], first_in_first_out: bool) -> Result:
    """The same deployment by observe, judge and pick."""
    fleet = [Candidate(f"i-{i:02d}", True, "old") for i in range(n)]
    ledger = plan(fleet, ("HOST_COUNT", m), last_good="old", now=0).ledger
    order: list[int] = []
    out: list[int] = []
    most, now = 0, 0.0
    while not (verdict := judge(ledger, RULES, now)).kind.ends:
        batch = pick(verdict.ledger, RULES, now)
        order += batch.positions
        out += batch.positions
        most = max(most, len(out))
        now += 1
        done = out.pop(0 if first_in_first_out else -1)
        ledger = answered(batch.ledger, done, not fails[done], now)
    census = verdict.ledger.census()
    return Result(verdict.status, tuple(order), census.succeeded, census.failed, census.pending, most)


def answered(ledger: Ledger, position: int, succeeds: bool, now: float) -> Ledger:
    sent = (f if f.command_id else replace(f, command_id=f"c-{f.key}", sent_at=now) for f in ledger.flights)
    ledger = replace(ledger, flights=tuple(sent))
    seen = {position: Sighting(Sight.ANSWERED, report(succeeds=succeeds))}
    observed = observe(ledger, seen, RULES, now)
    assert observed.ledger.outcome(position) is (Outcome.SUCCEEDED if succeeds else Outcome.FAILED)
    return observed.ledger


@pytest.mark.parametrize("first_in_first_out", [True, False], ids=["answers in order", "answers reversed"])
@pytest.mark.parametrize(("n", "m"), [(n, m) for n in range(1, 9) for m in range(n)])
def test_every_pattern_of_failures_ends_as_the_plain_reading_says(n: int, m: int, first_in_first_out: bool) -> None:
    for fails in itertools.product([False, True], repeat=n):
        assert ours(n, m, fails, first_in_first_out) == oracle(n, m, fails, first_in_first_out), fails
