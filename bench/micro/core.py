"""One pass over a fleet: each step of the core, timed by itself, at a point where it has most to do."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tidegate.model.decisions import EventRecord, HostReport, Sight, Sighting
from tidegate.model.deployment import IN_PLACE_EVENTS
from tidegate.model.ledger import Ledger
from tidegate.rollout import Candidate, Rules, judge, observe, pick, plan, to_look_at
from tidegate.rollout.way import Zonal

SIZES = (1_000, 10_000, 100_000)
LONGEST_PASS_MS = 500.0
"""A pass over the largest fleet: "well under a second"."""
MOST_GROWTH = 1.5
"""A tenfold fleet may take ten times as long, and half as much again."""

ZONES = 4
RULES = Rules(started_at=0.0)
NOW = 100.0
_DONE = HostReport("Succeeded", tuple(EventRecord(name, "Succeeded", 1.0, 2.0) for name in IN_PLACE_EVENTS))
_ANSWERED = Sighting(Sight.ANSWERED, _DONE)


def measured(rounds: int = 5) -> dict[int, dict[str, float]]:
    """Milliseconds by size of the fleet and step: the median of ``rounds`` runs.

    ``pass`` is what EvaluateHealth and PickBatch do together: look, observe, judge, pick.
    """
    return {size: _median([_one(size) for _ in range(rounds)]) for size in SIZES}


def growth(times: dict[int, dict[str, float]]) -> dict[str, float]:
    """How much longer than ten times a tenfold fleet takes, by step: 1.0 is linear."""
    smaller, larger = SIZES[-2:]
    return {step: times[larger][step] / times[smaller][step] / (larger / smaller) for step in times[larger]}


def _one(size: int) -> dict[str, float]:
    """A pass over a fleet that is taken together, and one over a fleet that goes by zones."""
    together, by_zones = _pass_over(size, None), _pass_over(size, Zonal("FLEET_PERCENT", 50))
    return {**together, "plan by zones": by_zones["plan"], "pass by zones": by_zones["pass"]}


def _pass_over(size: int, zonal: Zonal | None) -> dict[str, float]:
    fleet = [
        Candidate(f"i-{n:017x}", healthy=n % 7 > 0, revision_key="old", zone=f"zone-{n % ZONES}") for n in range(size)
    ]
    times: dict[str, float] = {}
    gc.collect()  # what earlier rounds left behind is not this one's work

    def timed(step: str, run: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        result = run()
        times[step] = (time.perf_counter() - begun) * 1000
        return result

    made = timed("plan", lambda: plan(fleet, ("FLEET_PERCENT", 50), last_good="old", now=NOW, zonal=zonal))
    flying = _sent(pick(made.ledger, RULES, NOW).ledger)
    changed = {flight.command_id for flight in flying.flights}
    flights = timed("to_look_at", lambda: to_look_at(flying, changed, 1, RULES, NOW + 30))
    seen = {position: _ANSWERED for flight in flights for position in flight.positions}
    observed = timed("observe", lambda: observe(flying, seen, RULES, NOW + 30))
    verdict = timed("judge", lambda: judge(observed.ledger, RULES, NOW + 30))
    batch = timed("pick", lambda: pick(verdict.ledger, RULES, NOW + 30))
    # By zones half of the first one goes, of equal zones but for a rounding.
    expected = size // 2 if zonal is None else size // 2 // ZONES
    if abs(len(seen) - expected) > 1 or not batch.positions:
        raise RuntimeError(f"a pass over {size} hosts saw {len(seen)} and picked {len(batch.positions)}")
    return {**times, "pass": sum(times[step] for step in ("to_look_at", "observe", "judge", "pick"))}


def _sent(ledger: Ledger) -> Ledger:
    flights = (replace(f, command_id=f"c-{f.key}", sent_at=NOW) for f in ledger.flights)
    return replace(ledger, flights=tuple(flights))


def _median(runs: list[dict[str, float]]) -> dict[str, float]:
    return {step: statistics.median(run[step] for run in runs) for step in runs[0]}
