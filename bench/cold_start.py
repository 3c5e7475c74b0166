"""How long a fresh interpreter takes to import each handler, and the pure core alone."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

__all__ = ["cold_imports"]

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "layers" / "core"

# What Lambda gives every function, and an address at which nothing answers: importing must call nobody.
VARIABLES = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "POWERTOOLS_SERVICE_NAME": "bench",
}
PROBE = "import time; t = time.perf_counter(); import {module}; print((time.perf_counter() - t) * 1000)"


def cold_imports(rounds: int) -> dict[str, float]:
    """Return milliseconds by function (and ``rollout`` for the pure core), each the median of `rounds` starts."""
    folders = {path.parent.name: path.parent for path in sorted((ROOT / "functions").glob("*/app.py"))}
    found = {name: _median("app", [folder, CORE], rounds) for name, folder in folders.items()}
    return {**found, "rollout": _median("tidegate.rollout", [CORE], rounds)}


def _median(module: str, path: list[Path], rounds: int) -> float:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, path)), **VARIABLES}
    command = [sys.executable, "-c", PROBE.format(module=module)]
    runs = [
        float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
        for _ in range(rounds + 1)
    ]
    return statistics.median(runs[1:])  # the first one may have compiled
