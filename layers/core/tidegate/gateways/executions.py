"""Step Functions: start a deployment's execution, answer its task tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tidegate.gateways.errors import error_code, translated

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

#: A token that is used, expired or of an ended execution: nothing is left to wake.
_ANSWERED = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class Executions:
    """Executions of the server deployment machine."""

    def __init__(self, client: SFNClient, machine_arn: str) -> None:
        self._client, self._machine_arn = client, machine_arn

    def start(self, deployment_id: str, generation: int) -> None:
        """Start a deployment's execution; one that was started before counts as started."""
        state = {"deploymentId": deployment_id, "generation": generation, "pass": 0}
        try:
            with translated(f"starting deployment {deployment_id}"):
                self._start(f"{deployment_id}-{generation}", json.dumps(state))
        except _AlreadyStartedError:
            return

    def _start(self, name: str, state: str) -> None:
        try:
            self._client.start_execution(stateMachineArn=self._machine_arn, name=name, input=state)
        except ClientError as error:
            if error_code(error) == "ExecutionAlreadyExists":
                raise _AlreadyStartedError from error
            raise

    def status(self, deployment_id: str, generation: int) -> str | None:
        """A word of Step Functions for an execution (API: DescribeExecution, ``status``); None where there is none.

        Executions are forgotten 90 days after their end.
        """
        arn = self._machine_arn.replace(":stateMachine:", ":execution:") + f":{deployment_id}-{generation}"
        try:
            with translated(f"looking at the execution of deployment {deployment_id}"):
                return self._described(arn)
        except _NoExecutionError:
            return None

    def _described(self, arn: str) -> str:
        try:
            return str(self._client.describe_execution(executionArn=arn)["status"])
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                raise _NoExecutionError from error
            raise

    def wake(self, token: str) -> None:
        """Answer a task token; one that is no longer waited on counts as answered."""
        try:
            with translated("waking a deployment"):
                self._answer(token)
        except _AlreadyStartedError:
            return

    def _answer(self, token: str) -> None:
        try:
            self._client.send_task_success(taskToken=token, output="{}")
        except ClientError as error:
            if error_code(error) in _ANSWERED:
                raise _AlreadyStartedError from error
            raise


class _NoExecutionError(Exception):
    """There is no execution of this name."""


class _AlreadyStartedError(Exception):
    """What was asked for had been done before."""
