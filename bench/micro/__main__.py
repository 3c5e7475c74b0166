"""``python -m bench.micro``: measure, print as tables, write ``build/bench/micro.json``; 1 where a bound is passed."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.table import Table

from bench.cold_start import ROOT, cold_imports
from bench.micro.core import LONGEST_PASS_MS, MOST_GROWTH, SIZES, growth, measured
from bench.micro.runner import runner_costs, runner_faults, show_runner

#: Milliseconds that an import may take on Lambda; the first call's set-up is not counted here.
BUDGETS = {"handler": 400.0, "rollout": 40.0}


def main() -> int:
    """Measure and show."""
    console = Console(highlight=False)
    times = measured()
    grown = growth(times)
    steps = list(grown)
    table = Table("Hosts", *(f"{step} ms" for step in steps), box=None)
    for size, row in times.items():
        table.add_row(f"{size:,}", *(f"{row[step]:.2f}" for step in steps))
    table.add_row("growth (1 = linear)", *(f"{grown[step]:.2f}" for step in steps))
    console.print(table)
    imports = cold_imports(rounds=5)
    table = Table("Import", "ms", "Budget", box=None)
    for name, took in sorted(imports.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{took:.0f}", f"{BUDGETS.get(name, BUDGETS['handler']):.0f}")
    console.print(table)
    runner = runner_costs()
    show_runner(console, runner)
    target = ROOT / "build" / "bench" / "micro.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    found = {"passMs": times, "growth": grown, "coldImportMs": imports, "runner": runner}
    target.write_text(json.dumps(found, indent=2) + "\n")
    return _judged(console, times[SIZES[-1]]["pass"], grown["pass"], runner_faults(runner))


def _judged(console: Console, longest: float, grown: float, faults: list[str]) -> int:
    if longest > LONGEST_PASS_MS:
        faults.append(f"A pass over {SIZES[-1]:,} hosts took {longest:.0f} ms; {LONGEST_PASS_MS:.0f} ms is the bound.")
    if grown > MOST_GROWTH:
        faults.append(f"A pass grows {grown:.2f} times faster than the fleet; {MOST_GROWTH} is the bound.")
    for fault in faults:
        console.print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
