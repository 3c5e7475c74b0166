"""Run Lambda functions in worker processes.

Stands in for Lambda's Invoke API and its execution environments, following "Invoke" in the Lambda API reference and
"Lambda execution environment lifecycle" in the developer guide: time-outs, deaths and errors come back in
Lambda's form.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate_local.adapters.fork_servers import ENVIRONMENT, ForkServerError, ForkServers
from tidegate_local.adapters.worker_process import Function, WorkerProcess
from tidegate_local.counters import Counters
from tidegate_local.faults import Faults
from tidegate_local.policy.evaluate import Statement

#: Parallel workers a function at most; further calls wait their turn, as under a reserved concurrency.
MAX_WORKERS = 2
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Result:
    """What a call gave: JSON text, and whether it is an error."""

    payload: str
    failed: bool
    unhandled: bool = False


class _Pool:
    """The workers of one function."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.idle: list[WorkerProcess] = []
        self.all: set[WorkerProcess] = set()
        self.slots = threading.BoundedSemaphore(MAX_WORKERS)


class LambdaWorkers:
    """All functions of the local cloud and their workers.

    Parameters
    ----------
    logs
        Folder of the functions' log files.
    account, region
        Where the functions are.
    base_environment
        Variables that every function gets beside its own: endpoint, credentials, region.
    statements_of
        Gives the statements of a role when a worker starts.
    counters, faults
        Shared with the rest of the local cloud.
    """

    def __init__(
        self,
        logs: Path,
        account: str,
        region: str,
        base_environment: Callable[[], Mapping[str, str]],
        statements_of: Callable[[str], Sequence[Statement]],
        counters: Counters,
        faults: Faults,
    ) -> None:
        self._logs = logs
        self._place = (account, region)
        self._base_environment = base_environment
        self._statements_of = statements_of
        self._counters = counters
        self._faults = faults
        self._lock = threading.Lock()
        self._pools: dict[str, _Pool] = {}
        self._stopped = False
        self._servers = ForkServers()

    def register(self, function: Function) -> None:
        """Make a function known; its workers start with its first call, what they will share right now."""
        self._servers.of(function.path[1:], function.variables)
        with self._lock:
            self._pools[function.name] = _Pool(function)

    def wait_ready(self) -> None:
        """Wait until all is imported that functions share.

        Raises
        ------
        ForkServerError
            When the process that imports it has ended.
        """
        self._servers.wait_ready()

    def functions(self) -> list[Function]:
        """All functions."""
        return [pool.function for pool in self._pools.values()]

    def log_file(self, name: str) -> Path:
        """Where a function's output goes."""
        return self._logs / f"{name}.log"

    def invoke(self, name: str, event: Any) -> Result:
        """Call a function and wait for its answer.

        Parameters
        ----------
        name
            Name or ARN, a qualifier is ignored.
        event
            The event, as parsed JSON.

        Raises
        ------
        KeyError
            For an unknown function.
        """
        pool = self._pools[function_name(name)]
        self._counters.add_all({"lambda": 1}, pool.function.logical_id)
        with pool.slots:
            return self._run(pool, event)

    def stop(self) -> None:
        """Kill all workers."""
        with self._lock:
            self._stopped = True
            processes = [process for pool in self._pools.values() for process in pool.all]
            idle = [process for pool in self._pools.values() for process in pool.idle]
            for pool in self._pools.values():
                pool.idle.clear()
        for process in processes:
            process.kill()
        for process in idle:
            process.end()
        self._servers.stop()

    def _start(self, pool: _Pool) -> WorkerProcess:
        function = pool.function
        environment = self._environment(function)
        log = self.log_file(function.name)
        statements = self._statements_of(function.role_arn)
        server = self._servers.of(function.path[1:], function.variables)
        process = WorkerProcess(server, function, statements, environment, self._place, log)
        with self._lock:
            stopped = self._stopped
            pool.all.add(process)
        if stopped:
            process.kill()
            self._discard(pool, process)
            raise ForkServerError("the local cloud is stopping")
        try:
            ready = process.receive(time.monotonic() + _START_SECONDS)
        except TimeoutError:
            process.kill()
            ready = None
        if ready is None:
            self._discard(pool, process)
            raise ForkServerError(
                f"the worker of function {function.name} did not start; see {self.log_file(function.name)}"
            )
        return process

    def _discard(self, pool: _Pool, process: WorkerProcess) -> int:
        with self._lock:
            pool.all.discard(process)
        return process.end()

    def _run(self, pool: _Pool, event: Any) -> Result:
        function = pool.function
        request_id = str(uuid.uuid4())
        with self._lock:
            process = pool.idle.pop() if pool.idle else None
        try:
            process = process or self._start(pool)
        except ForkServerError as error:
            return _failure("Runtime.ExitError", f"RequestId: {request_id} Error: {error}")
        kill = self._faults.kill_of(function.logical_id)
        request = {"id": request_id, "event": event, "timeout": function.timeout, "kill": kill}
        until = time.monotonic() + function.timeout
        sent = process.send(request)
        try:
            answer = process.receive(until) if sent else None
            while answer is not None and "result" not in answer and "failure" not in answer:
                self._counters.add_all(answer.get("counts", {}), function.logical_id)
                if "killed" in answer:
                    self._faults.killed()
                answer = process.receive(until)
        except TimeoutError:
            process.kill()
            self._discard(pool, process)
            text = f"RequestId: {request_id} Error: Task timed out after {function.timeout:.2f} seconds"
            return _failure("Sandbox.Timedout", text)
        if answer is None:
            return self._died(pool, process, request_id)
        self._counters.add_all(answer.get("counts", {}), function.logical_id)
        with self._lock:
            keep = not self._stopped
            if keep:
                pool.idle.append(process)
        if not keep:
            process.kill()
            self._discard(pool, process)
        if "failure" in answer:
            return Result(json.dumps(answer["failure"]), failed=True, unhandled=True)
        return Result(answer["result"], failed=False)

    def _died(self, pool: _Pool, process: WorkerProcess, request_id: str) -> Result:
        status = self._discard(pool, process)
        how = f"signal: {-status}" if status < 0 else f"exit status {status}"
        return _failure("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {how}")

    def _environment(self, function: Function) -> dict[str, str]:
        return {
            **ENVIRONMENT,
            "LAMBDA_TASK_ROOT": function.path[0],
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "POWERTOOLS_TRACE_DISABLED": "1",
            **self._base_environment(),
            **function.variables,
        }


def function_name(name_or_arn: str) -> str:
    """Give the bare name of a function from a name, an ARN, or either with a qualifier."""
    if name_or_arn.startswith("arn:"):
        return name_or_arn.split(":")[6]
    return name_or_arn.split(":")[0]


def _failure(kind: str, message: str) -> Result:
    return Result(json.dumps({"errorType": kind, "errorMessage": message}), failed=True, unhandled=True)
