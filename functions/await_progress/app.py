"""AwaitProgress: park the task token until a signal; answer it at once when one has come since the pass began.

So it is with the token of an execution that was overtaken: its next pass sees that, and ends.
"""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools import Logger

from tidegate.runtime import Runtime, State, step


def run(state: State, runtime: Runtime) -> State:
    """Park, or wake the very pass that wanted to park."""
    parked = runtime.signals.park(
        state["deploymentId"], state["token"], generation=state["generation"], seen_count=state["signal"]
    )
    if not parked:
        runtime.executions.wake(state["token"])
    return {"deploymentId": state["deploymentId"], "verdict": "PARKED" if parked else "WOKEN"}


handler = step(Logger(), run, cache(Runtime))
