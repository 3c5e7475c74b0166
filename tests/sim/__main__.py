"""``make sim``: play many seeds on all processors, and say what was covered."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial

from tests.sim.play import Played, play_seed, shrunk

LONGEST_TRACE = 120
MOST_HOSTS_A_SHARE = 500


def main() -> int:
    """Play the seeds that the command line names."""
    options = argparse.ArgumentParser(prog="make sim")
    options.add_argument("--seeds", type=int, default=1000)
    options.add_argument("--start", type=int, default=0)
    options.add_argument("--hosts", type=int, default=20)
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = options.parse_args()
    began = time.perf_counter()
    met, broken = Counter[str](), list[Played]()
    for played in _all(range(given.start, given.start + given.seeds), given.hosts, given.jobs):
        met += played.met
        if played.violation:
            broken.append(played)
            _say(f"seed {played.scenario.seed}: {played.violation}")
    took = time.perf_counter() - began
    for heading in ("kind", "end", "fault"):
        _say(f"\n{heading}s met:")
        for name, count in sorted(met.items()):
            if name.startswith(f"{heading}: "):
                _say(f"{count:8}  {name.partition(': ')[2]}")
    _say(
        f"\n{met['lost events']} lost events in {met['seeds with lost events']} seeds, and nothing else "
        "wrong meanwhile: known one heartbeat later at most"
    )
    _say(
        f"\nsim: {given.seeds} seeds from {given.start}, fleets of up to {given.hosts} hosts, {met['deployments']} "
        f"deployments, {met['executions']} executions: {took:.1f} s, {given.seeds / took:.1f} seeds a second; "
        f"{len(broken)} seeds broke a rule"
    )
    for played in broken[:3]:
        _explain(played, given.hosts)
    return 1 if broken else 0


def _all(seeds: range, hosts: int, jobs: int) -> Iterable[Played]:
    # Small shares, so that no processor is without work at the end.
    size = max(1, min(25, len(seeds) // (8 * jobs), MOST_HOSTS_A_SHARE // hosts))
    shares = [seeds[i : i + size] for i in range(0, len(seeds), size)]
    play_seed(seeds.start, 1)  # what is imported late is imported once, not by each process
    gc.collect()
    gc.freeze()  # what is imported stays; processes that are forked share it
    if jobs <= 1 or len(seeds) <= 1:
        for share in shares:
            yield from _share(share, hosts)
        return
    with multiprocessing.Pool(jobs) as pool:
        for share in pool.imap_unordered(partial(_share, hosts=hosts), shares):
            yield from share


def _share(seeds: range, hosts: int) -> list[Played]:
    """Some seeds; what they leave behind is cleared away once, after them."""
    gc.disable()
    try:
        return [play_seed(seed, hosts) for seed in seeds]
    finally:
        gc.enable()
        gc.collect()


def _explain(played: Played, hosts: int) -> None:
    """The smallest trace that was found, and how to play it again."""
    seed = played.scenario.seed
    least = shrunk(played)
    _say(f"\n--- seed {seed}, again with: make sim START={seed} SEEDS=1 HOSTS={hosts}")
    _say(
        f"with {len(least.scenario.hosts)} hosts and {len(least.happened)} faults: "
        f"{', '.join(least.happened) or 'none'}"
    )
    skipped = max(0, len(least.trace) - LONGEST_TRACE)
    if skipped:
        _say(f"({skipped} lines before)")
    _say("\n".join(least.trace[skipped:]))
    _say(f"=> {least.violation}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
