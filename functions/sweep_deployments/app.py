"""SweepDeployments: regularly look for what no event tells of, above all deployments whose execution is gone.

``SWEEPS`` is the one place where sweeps are registered. Each looks at its own things as far as time allows, may run
twice at once, and is tried again with the next schedule; one that fails keeps no other from its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Logger

from tidegate.course.live_deployments import sweep_live_deployments
from tidegate.runtime import Runtime
from tidegate.scaling.waiting_instances import sweep_waiting_instances

logger = Logger()

#: A sweep: by when it has to come to an end (epoch seconds), and what it found, by the word for each.
Sweep = Callable[[Runtime, float], Mapping[str, int]]
SWEEPS: Final[Mapping[str, Sweep]] = {
    "deployments": sweep_live_deployments,
    "waiting instances": sweep_waiting_instances,
}

_SECONDS: Final = 200.0  # for all of them; the function has 300


class SweepError(Exception):
    """Something could not be looked after; it comes again with the next sweep, and the stack's alarm tells of it."""


def run(_event: Mapping[str, Any], runtime: Runtime) -> dict[str, dict[str, int]]:
    """Make every sweep, each within its share of the time.

    Raises
    ------
    SweepError
        After all of them, where one or more failed.
    """
    found: dict[str, dict[str, int]] = {}
    failing: list[str] = []
    for name, sweep in SWEEPS.items():
        try:
            found[name] = dict(sweep(runtime, runtime.clock() + _SECONDS / len(SWEEPS)))
        except Exception as error:
            logger.exception("a sweep failed", sweep=name)
            failing.append(f"the sweep of {name} ended with {type(error).__name__}: {error}")
            continue
        if count := found[name].get("failing"):
            failing.append(f"{count} of {name} could not be looked after")
    logger.info("sweep", found=found)
    if failing:
        raise SweepError("; ".join(failing) + ". The function's log names each and why.")
    return found


_runtime = cache(Runtime)


def handler(event: dict[str, Any], _context: object) -> dict[str, dict[str, int]]:
    """Lambda's entry."""
    return run(event, _runtime())
