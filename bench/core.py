"""How long the pure core takes for a pass over a fleet."""

from __future__ import annotations

import statistics
import time

from tidegate.rollout import Candidate, Rules, judge, pick, plan

__all__ = ["pass_times"]

SIZES = (10, 1_000, 10_000, 100_000)


def pass_times(rounds: int) -> dict[int, dict[str, float]]:
    """Return milliseconds of plan, judge and pick by size of the fleet, each the median of `rounds` runs."""
    found = {}
    for size in SIZES:
        runs = [_one(size) for _ in range(rounds)]
        found[size] = {step: statistics.median(run[step] for run in runs) for step in runs[0]}
    return found


def _one(size: int) -> dict[str, float]:
    fleet = [Candidate(f"i-{number:017x}", healthy=True, revision_key="before") for number in range(size)]
    rules = Rules(started_at=0.0)
    times: dict[str, float] = {}
    start = time.perf_counter()
    planned = plan(fleet, ("FLEET_PERCENT", 50), last_good="before", now=0.0)
    times["plan"] = (time.perf_counter() - start) * 1000
    start = time.perf_counter()
    verdict = judge(planned.ledger, rules, 1.0)
    times["judge"] = (time.perf_counter() - start) * 1000
    start = time.perf_counter()
    batch = pick(verdict.ledger, rules, 1.0)
    times["pick"] = (time.perf_counter() - start) * 1000
    if len(batch.positions) != size // 2:
        raise RuntimeError(f"half of {size} hosts may go, {len(batch.positions)} were picked")
    return times
