"""StartSuccessor: raise the deployment's generation and start its next execution, which goes on with the same loop."""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools import Logger

from tidegate.runtime import Runtime, State, step


def run(state: State, runtime: Runtime) -> State:
    """Hand the deployment over. Nothing is handed over but its id: what the loop knows is in the table.

    The raise is conditional, and an execution's name is its generation: repeated after a death between the two, this
    starts the successor that was announced, and never a second one.
    """
    deployment_id, successor = state["deploymentId"], state["generation"] + 1
    if runtime.own_deployment(state) is not None:
        raised = {"generation": successor, "generationTime": runtime.clock()}
        runtime.deployments.amend(deployment_id, raised, generation=state["generation"])
    if runtime.own_deployment({**state, "generation": successor}) is not None:
        runtime.executions.start(deployment_id, successor)
    return state


handler = step(Logger(), run, cache(Runtime))
