"""What happens to one command on one host, from waiting for the agent to the last step's end."""

import threading
from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime, timedelta
from typing import Protocol

from tidegate_local.hosts.host import LocalHost
from tidegate_local.hosts.isolation import DEFAULT_ENVIRONMENT
from tidegate_local.hosts.runcommand.faults import Faults
from tidegate_local.hosts.runcommand.model import Command, Invocation, Plugin
from tidegate_local.hosts.runcommand.step import StepResult, run_step

_LOOK_SECONDS = 0.02

#: How many commands an agent runs at once.
AGENT_WORKERS = 5

_DETAILS = {"TimedOut": "ExecutionTimedOut"}
# The status of a command on a host is that of its worst step.
_WORST_FIRST = ("Cancelled", "TimedOut", "Failed", "Success")


class Ledger(Protocol):
    """Where changes of a command are written down and made known."""

    closing: threading.Event

    def now(self) -> datetime:
        """The time."""

    def change(self, command: Command, invocation: Invocation, apply: Callable[[], None]) -> None:
        """Apply a change under the lock and tell of the statuses it changed."""


class Delivery:
    """One command on one host; `run` is a thread's work."""

    def __init__(
        self,
        ledger: Ledger,
        command: Command,
        invocation: Invocation,
        host: LocalHost,
        workers: threading.Semaphore,
        faults: Faults,
        region: str,
    ) -> None:
        self._ledger = ledger
        self._command = command
        self._invocation = invocation
        self._host = host
        self._workers = workers
        self._faults = faults
        self._environment: Mapping[str, str] = {
            **DEFAULT_ENVIRONMENT,
            "AWS_SSM_INSTANCE_ID": invocation.instance_id,
            "AWS_SSM_REGION_NAME": region,
        }

    def run(self) -> None:
        """Wait for the agent, run the steps, report."""
        if not self._taken():
            return
        try:
            self._set_invocation("InProgress", "InProgress", unless="Cancelled")
            if self._invocation.status == "Cancelled":
                if self._faults.deliver_cancelled:
                    self._run_unseen()
            elif self._faults.swallow:
                self._wait_for_nothing()
            else:
                self._run_seen()
        finally:
            self._workers.release()

    def _taken(self) -> bool:
        """Wait until the agent has taken the command and has a worker free; whether it did."""
        release = self._ledger.now() + timedelta(seconds=self._faults.delivery_delay_seconds)
        while not self._ledger.closing.is_set():
            now = self._ledger.now()
            if self._invocation.status == "Cancelled" and not self._faults.deliver_cancelled:
                return False
            if now >= self._command.deadline and self._invocation.status == "Pending":
                self._set_invocation("TimedOut", "DeliveryTimedOut", unless="Cancelled")
                return False
            if now >= release and self._reachable() and self._workers.acquire(blocking=False):
                return True
            self._ledger.closing.wait(_LOOK_SECONDS)
        return False

    def _reachable(self) -> bool:
        return self._host.agent_online and self._host.state == "running"

    def _run_seen(self) -> None:
        twin = threading.Thread(target=self._run_unseen, daemon=True)
        if self._faults.duplicate_delivery:
            twin.start()
        for plugin in self._invocation.plugins:
            if self._invocation.cancelled.is_set():
                self._finish_plugin(plugin, StepResult("Cancelled", -1, "", ""))
                continue
            result = self._run_plugin(plugin)
            if result.lost or not self._answered():
                self._wait_for_nothing()
                return
            self._finish_plugin(plugin, result)
            if result.status in plugin.step.ends:
                break
        statuses = {plugin.status for plugin in self._invocation.plugins if plugin.status != "Pending"}
        status = next(name for name in _WORST_FIRST if name in statuses or name == "Success")
        self._set_invocation(status, _DETAILS.get(status, status))

    def _run_plugin(self, plugin: Plugin) -> StepResult:
        def begin() -> None:
            plugin.status = plugin.details = "InProgress"
            plugin.started = self._ledger.now()

        self._ledger.change(self._command, self._invocation, begin)
        return run_step(
            self._host,
            plugin.step,
            self._environment,
            self._invocation.cancelled,
            self._faults.step_death_seconds,
        )

    def _answered(self) -> bool:
        """Wait until the agent can report; False when it is given up."""
        while not self._reachable():
            if self._ledger.closing.wait(_LOOK_SECONDS) or self._ledger.now() >= self._command.deadline:
                return False
        return True

    def _wait_for_nothing(self) -> None:
        """The agent has the command and will never answer: it ends when cancelled, or when given up."""
        while not self._invocation.cancelled.is_set() and self._ledger.now() < self._command.deadline:
            if self._ledger.closing.wait(_LOOK_SECONDS):
                return
        if self._invocation.cancelled.is_set():
            self._set_invocation("Cancelled", "Cancelled")
        else:
            self._set_invocation("TimedOut", "ExecutionTimedOut")

    def _run_unseen(self) -> None:
        """Run the steps and tell nobody: a second delivery, or one that a cancel came too late for."""
        for plugin in [copy(item) for item in self._invocation.plugins]:
            never = threading.Event()
            run_step(self._host, plugin.step, self._environment, never, self._faults.step_death_seconds)

    def _finish_plugin(self, plugin: Plugin, result: StepResult) -> None:
        def finish() -> None:
            plugin.status = result.status
            plugin.details = _DETAILS.get(result.status, result.status)
            plugin.code = result.code
            plugin.output, plugin.errors = result.output, result.errors
            plugin.finished = self._ledger.now() if plugin.started else None

        self._ledger.change(self._command, self._invocation, finish)

    def _set_invocation(self, status: str, details: str, unless: str = "") -> None:
        def put() -> None:
            if not unless or self._invocation.status != unless:
                self._invocation.status, self._invocation.details = status, details

        self._ledger.change(self._command, self._invocation, put)
