"""Task tokens and heartbeats on moto as Step Functions treats them.

Follows SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat in the API reference, "Wait for a callback with task
token" and "Error names" in the developer guide: a token is answered once, a late answer is TaskTimedOut, a
missed heartbeat is States.HeartbeatTimeout.
"""

from __future__ import annotations

import threading
from typing import Any

_ANSWER = threading.Lock()


def install() -> None:
    """Patch moto's interpreter."""
    _patch_error_codes()
    _patch_answers()
    _patch_wait()
    _patch_error_name()


def _patch_error_codes() -> None:
    """Let errors reach clients under their names: most of the interpreter's have none for moto's responses."""
    from moto.stepfunctions.parser import api

    for error in vars(api).values():
        named = isinstance(error, type) and issubclass(error, api.ServiceException) and hasattr(error, "code")
        if named and "TYPE" not in vars(error):
            error.TYPE = error.code


def _endpoint(backend: Any, token: str) -> Any:
    """Find what waits for a token in a running execution; None where nothing does."""
    for machine in backend.state_machines:
        for execution in list(machine.executions):
            environment = execution.exec_worker.env if execution.exec_worker else None
            if environment is not None and execution.status == "RUNNING":
                found = environment.callback_pool_manager.get(token)
                if found is not None:
                    return found
    return None


def _patch_answers() -> None:
    from moto.core.responses import EmptyResult
    from moto.stepfunctions.parser.api import InvalidToken, TaskTimedOut
    from moto.stepfunctions.parser.asl.eval.callback.callback import (
        CallbackOutcomeFailure,
        CallbackOutcomeSuccess,
    )
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import StepFunctionResponse

    def open_endpoint(backend: Any, token: str) -> Any:
        endpoint = _endpoint(backend, token)
        if endpoint is None:
            raise InvalidToken()
        if endpoint.get_outcome() is not None or endpoint.consumer_error is not None:
            raise TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")
        return endpoint

    def answer(backend: Any, token: str, outcome: Any) -> None:
        with _ANSWER:
            open_endpoint(backend, token).notify(outcome=outcome)

    def send_task_success(self: Any, task_token: str, outcome: str) -> None:
        answer(self, task_token, CallbackOutcomeSuccess(callback_id=task_token, output=outcome))

    def send_task_failure(self: Any, task_token: str, error: str | None = None, cause: str | None = None) -> None:
        answer(self, task_token, CallbackOutcomeFailure(callback_id=task_token, error=error, cause=cause))

    def send_task_heartbeat(self: Any, task_token: str) -> None:
        with _ANSWER:
            open_endpoint(self, task_token).notify_heartbeat()

    def failure_response(self: Any) -> Any:
        self.stepfunction_backend.send_task_failure(
            self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
        )
        return EmptyResult()

    StepFunctionsParserBackend.send_task_success = send_task_success
    StepFunctionsParserBackend.send_task_failure = send_task_failure
    StepFunctionsParserBackend.send_task_heartbeat = send_task_heartbeat
    StepFunctionResponse.send_task_failure = failure_response


def _patch_wait() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_callback as module,
    )
    from moto.stepfunctions.parser.asl.eval.callback.callback import (
        CallbackConsumerTimeout,
        HeartbeatTimedOut,
    )

    def wait(_self: Any, env: Any, callback_endpoint: Any, heartbeat_endpoint: Any) -> Any:
        while env.is_running():
            # Answered before the wait began: the handler may answer its own token.
            if callback_endpoint.get_outcome() is not None:
                return callback_endpoint.get_outcome()
            received = heartbeat_endpoint.clear_and_wait()
            with _ANSWER:
                outcome = callback_endpoint.get_outcome()
                if outcome is not None:
                    return outcome
                if not received and env.is_running():
                    # From here on the token is dead: an answer is either seen above or refused.
                    callback_endpoint.report(CallbackConsumerTimeout())
                    return HeartbeatTimedOut()
        return None

    module.StateTaskServiceCallback._wait_for_task_token_heartbeat = wait


def _patch_error_name() -> None:
    from moto.stepfunctions.parser.api import HistoryEventType, TaskTimedOutEventDetails
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
        StatesErrorName,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
        StatesErrorNameType,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import (
        StateTask,
    )
    from moto.stepfunctions.parser.asl.eval.callback.callback import HeartbeatTimeoutError
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    original = StateTask._from_error
    kind = StatesErrorNameType.StatesHeartbeatTimeout

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        if not isinstance(ex, HeartbeatTimeoutError):
            return original(self, env, ex)
        details = EventDetails(taskTimedOutEventDetails=TaskTimedOutEventDetails(error=kind.to_name()))
        return FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=kind),
            event_type=HistoryEventType.TaskTimedOut,
            event_details=details,
        )

    StateTask._from_error = from_error
