"""``python -m bench``: measure, print, and write ``build/bench.json``."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.cold_start import ROOT, cold_imports
from bench.core import pass_times
from bench.micro.runner import runner_costs, show_runner

BUDGETS = {"handler": 400.0, "rollout": 40.0}
"""Milliseconds that an import may take on Lambda (first call's set-up not counted here)."""


def main() -> None:
    """Measure and show."""
    console = Console(highlight=False)
    imports = cold_imports(rounds=5)
    table = Table("Import", "ms", "Budget", box=None)
    for name, took in sorted(imports.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{took:.0f}", f"{BUDGETS.get(name, BUDGETS['handler']):.0f}")
    console.print(table)
    passes = pass_times(rounds=3)
    table = Table("Hosts", "plan ms", "judge ms", "pick ms", box=None)
    for size, times in passes.items():
        table.add_row(f"{size:,}", *(f"{times[step]:.2f}" for step in ("plan", "judge", "pick")))
    console.print(table)
    runner = runner_costs()
    show_runner(console, runner)
    target = Path(ROOT, "build", "bench.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"coldImportMs": imports, "passMs": passes, "runner": runner}, indent=2) + "\n")


if __name__ == "__main__":
    main()
