"""Step Functions on moto: starting, stopping, histories, clients and JSONPath as AWS does them.

Follows the Step Functions API reference (StartExecution, StopExecution, GetExecutionHistory), the developer guide's
"Service quotas" (25,000 events) and "EventBridge events for Step Functions".
"""

from __future__ import annotations

import json
import re
import sys
import threading
import uuid
from functools import lru_cache
from typing import Any

from tidegate_local.patches.hooks import HOOKS

MAX_EVENTS = 25_000
_START = threading.Lock()


def replace_everywhere(original: Any, replacement: Any, prefix: str = "moto.") -> int:
    """Replace an object in every module that imported it by name; gives the number of places."""
    places = 0
    for name, module in list(sys.modules.items()):
        if module is None or not name.startswith(prefix):
            continue
        for attribute, value in list(vars(module).items()):
            if value is original:
                setattr(module, attribute, replacement)
                places += 1
    return places


def install() -> None:
    """Patch moto's interpreter."""
    import moto.stepfunctions.parser.models  # noqa: F401 - loads all that imported the names below

    _patch_clients()
    _patch_json_paths()
    _patch_start()
    _patch_stop()
    _patch_history()
    _patch_threads()


# -- clients ----------------------------------------------------------------------------------------------------------


def _patch_clients() -> None:
    from moto.stepfunctions.parser.asl.utils import boto_client

    original = boto_client.boto_client_for

    def boto_client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        role = getattr(state_credentials, "role_arn", None)
        if HOOKS.client is None or role is None:
            return original(region, service, state_credentials)
        return HOOKS.client(role, service, region)

    replace_everywhere(original, boto_client_for)


# -- JSONPath ---------------------------------------------------------------------------------------------------------

_INDEFINITE = re.compile(r"\[\*\]|\.\.|\?\(|\[-?\d*:-?\d*(:\d*)?\]|\[[^\]]*,|\.\*")


def _patch_json_paths() -> None:
    from moto.stepfunctions.parser.asl.utils import json_path

    def is_definite(path: str) -> bool:
        return _INDEFINITE.search(path) is None

    json_path._is_singleton_array_access = is_definite
    # Parsing is the dear part, and a machine has few paths.
    json_path.parse = lru_cache(maxsize=2048)(json_path.parse)


# -- starting ---------------------------------------------------------------------------------------------------------


def _patch_start() -> None:
    from moto.stepfunctions.parser.backend.execution import Execution
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    original = StepFunctionsParserBackend.start_execution

    def start_execution(
        self: Any,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: Any = None,
        trace_header: Any = None,
    ) -> Any:
        # One at a time: moto looks for the name and appends in two steps.
        with _START:
            before = len(self.describe_state_machine(state_machine_arn).executions)
            execution = original(self, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace_header)
            started = len(self.describe_state_machine(state_machine_arn).executions) > before
        if started:
            # It may have ended by now, and have told that itself.
            _emit_status(execution, "RUNNING")
        return execution

    def status(self: Any) -> str:
        # An execution is listed a moment before it is started.
        return "RUNNING" if self.exec_status is None else str(self.exec_status.value)

    StepFunctionsParserBackend.start_execution = start_execution
    Execution.status = property(status)


def _emit_status(execution: Any, status: str | None = None) -> None:
    def milliseconds(moment: Any) -> int | None:
        return None if moment is None else int(moment.timestamp() * 1000)

    status = status or execution.status
    ended = status != "RUNNING"
    succeeded = status == "SUCCEEDED"
    HOOKS.emit(
        {
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "resources": [execution.exec_arn],
            "detail": {
                "executionArn": execution.exec_arn,
                "stateMachineArn": execution.state_machine.arn,
                "name": execution.name,
                "status": status,
                "startDate": milliseconds(execution.start_date),
                "stopDate": milliseconds(execution.stop_date) if ended else None,
                "input": execution.execution_input,
                "output": json.dumps(execution.output, default=str) if succeeded else None,
                "error": execution.error if ended else None,
                "cause": execution.cause if ended else None,
            },
        }
    )


# -- stopping ---------------------------------------------------------------------------------------------------------


def _patch_stop() -> None:
    from moto.stepfunctions.parser.api import ExecutionStatus
    from moto.stepfunctions.parser.backend.execution import (
        BaseExecutionWorkerCommunication,
        Execution,
    )
    from moto.stepfunctions.responses import StepFunctionResponse

    original_stop = Execution.stop
    original_reflect = BaseExecutionWorkerCommunication._reflect_execution_status

    def stop(self: Any, stop_date: Any, error: str | None, cause: str | None) -> None:
        if self.status != "RUNNING":
            return
        self.exec_status = ExecutionStatus.ABORTED
        self.stop_date, self.error, self.cause = stop_date, error, cause
        worker = self.exec_worker
        if worker is not None and worker.env is not None:
            original_stop(self, stop_date, error, cause)
            for endpoint in list(worker.env.callback_pool_manager._pool.values()):
                endpoint.interrupt_all()
        _emit_status(self)

    def reflect(self: Any) -> None:
        if self.execution.exec_status == ExecutionStatus.ABORTED:
            return
        original_reflect(self)
        _emit_status(self.execution)

    def stop_execution(self: Any) -> Any:
        from moto.core.responses import ActionResult
        from moto.core.utils import utcnow

        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        execution.stop(stop_date=utcnow(), error=self._get_param("error"), cause=self._get_param("cause"))
        return ActionResult({"stopDate": execution.stop_date})

    Execution.stop = stop
    BaseExecutionWorkerCommunication._reflect_execution_status = reflect
    StepFunctionResponse.stop_execution = stop_execution


# -- histories --------------------------------------------------------------------------------------------------------


def _patch_history() -> None:
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
    from moto.stepfunctions.responses import StepFunctionResponse

    original_add = EventManager.add_event

    def add_event(self: Any, context: Any, event_type: Any, *args: Any, **kwargs: Any) -> Any:
        name = getattr(event_type, "value", str(event_type))
        if name.endswith("StateEntered"):
            HOOKS.count("stateTransitions")
        # The execution's last event must still find room.
        if len(self._history_event_list) >= MAX_EVENTS - 1 and not name.startswith("Execution"):
            raise RuntimeError(f"The execution reached the maximum number of history events ({MAX_EVENTS}).")
        return original_add(self, context, event_type, *args, **kwargs)

    def get_execution_history(self: Any) -> Any:
        from moto.core.responses import ActionResult

        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        return ActionResult(
            _history_page(
                execution,
                int(self._get_param("maxResults") or 100),
                int(self._get_param("nextToken") or 0),
                bool(self._get_param("reverseOrder")),
            )
        )

    EventManager.add_event = add_event
    StepFunctionResponse.get_execution_history = get_execution_history


def _history_page(execution: Any, limit: int, start: int, reverse: bool) -> dict[str, Any]:
    environment = execution.exec_worker.env if execution.exec_worker else None
    if environment is None:
        return {"events": []}
    manager = environment.event_manager
    with manager._mutex:
        events = list(manager._history_event_list)
    if reverse:
        events.reverse()
    page: dict[str, Any] = {"events": events[start : start + limit]}
    if start + limit < len(events):
        page["nextToken"] = str(start + limit)
    return page


# -- threads ----------------------------------------------------------------------------------------------------------


class _Forgetful(list[Any]):
    """moto keeps every thread it ever started; nothing reads the list."""

    def append(self, _item: Any) -> None:
        """Forget the item."""


def _patch_threads() -> None:
    from moto.stepfunctions.parser import utils

    replace_everywhere(utils.TMP_THREADS, _Forgetful())
