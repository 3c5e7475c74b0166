"""RollBackDeployment: start the deployment that FinishDeployment made: a rollback, or a follow-up."""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools import Logger

from tidegate.runtime import Runtime, State, step


def run(state: State, runtime: Runtime) -> State:
    """Start the new deployment's execution, once."""
    rollback = runtime.deployments.get(state["rollbackDeploymentId"])
    runtime.executions.start(rollback["deploymentId"], rollback["generation"])
    return state


handler = step(Logger(), run, cache(Runtime))
