"""The worker: runs a stage's events in order and records each."""

import os
import time
from typing import Callable, Dict, Mapping, Optional

from tidegate_runner.errors import EventError
from tidegate_runner.events import STOP_EVENTS, run_event
from tidegate_runner.housekeeping import tidy
from tidegate_runner.journal import Journal
from tidegate_runner.lock import FileLock, acquire_group_lock
from tidegate_runner.logs import ScriptLog
from tidegate_runner.order import Order
from tidegate_runner.paths import DeploymentPaths, HostPaths
from tidegate_runner.result import diagnostics_of
from tidegate_runner.telling import Teller


def work(order: Order, host: HostPaths, target: str, environ: Mapping[str, str], tell: Callable[[], None]) -> None:
    """Be the worker of a stage: wait for the one before, do what it left, and `tell` when the result is recorded."""
    lock = FileLock(host.stage_lock(order.deployment_id, order.stage))
    lock.acquire()  # after another worker of the stage, which leaves nothing to do
    journal = Journal(host.journal(order.deployment_id, order.stage), order.deployment_id, order.stage, target)
    if journal.result is None and journal.in_progress is None:
        holder: Dict[str, object] = {"deploymentId": order.deployment_id, "stage": order.stage, "pid": os.getpid()}
        worker = Worker(order, host, journal, environ)
        worker.run(holder)
        lock.release()
        tell()
        worker.finish()
        tidy(host, order.deployment_id, time.time())
    lock.release()


class Worker:
    """Runs what is left of a stage. The caller holds the stage's lock."""

    def __init__(
        self,
        order: Order,
        host: HostPaths,
        journal: Journal,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._order = order
        self._host = host
        self._journal = journal
        self._environ = environ
        self._clock = clock
        self._teller = Teller(order, host, journal.target)

    def run(self, holder: Dict[str, object]) -> None:
        """Run the events not done yet, to the first failure; the journal then holds the result."""
        left = [event for event in self._order.events if event not in self._journal.done]
        try:
            lock = acquire_group_lock(
                self._host.group_lock(self._order.group_id), holder, self._order.limits["lockWaitSeconds"]
            )
        except EventError as error:
            self._refuse(left[0], error)
            return
        diagnostics = None
        try:
            for event in left:
                diagnostics = self._run_one(event)
                if diagnostics is not None:
                    break
            self._journal.complete("Failed" if diagnostics else "Succeeded", diagnostics)
        finally:
            lock.release()

    def finish(self) -> None:
        """Have the rest of the log uploaded. The result is recorded by now: nobody waits for this."""
        result = self._journal.result
        self._teller.close(str(result["status"]) if result else "Failed")

    def _run_one(self, event: str) -> Optional[Dict[str, str]]:
        """Run an event; give diagnostics where its failure ends the stage."""
        self._journal.begin(event, self._clock())
        self._show()
        diagnostics = self._attempt(event)
        if diagnostics is not None:
            self._teller.say(event, diagnostics["message"])
        self._journal.finish("Failed" if diagnostics else "Succeeded", self._clock())
        self._show()
        if diagnostics and event in STOP_EVENTS and self._order.ignore_application_stop_failures:
            return None
        return diagnostics

    def _attempt(self, event: str) -> Optional[Dict[str, str]]:
        place = DeploymentPaths.of(self._host, self._order.group_id, self._order.deployment_id)
        deployment, listen = self._order.deployment_id, self._teller.listener(event)
        log = ScriptLog(place.scripts_log, self._host.deployments_log(), deployment, self._clock, listen)
        try:
            run_event(event, self._order, self._host, self._environ, log)
        except EventError as error:
            return diagnostics_of(event, error.error_code, error.script_name, str(error), log.tail())
        except Exception as error:  # no defect may leave an event without an end
            import traceback

            traceback.print_exc()
            message = "The host runner failed in %s: %s: %s" % (event, type(error).__name__, error)
            return diagnostics_of(event, EventError.error_code, "", message, log.tail())
        finally:
            log.close()
        return None

    def _refuse(self, event: str, error: EventError) -> None:
        self._journal.begin(event, self._clock())
        self._journal.finish("Failed", self._clock())
        self._journal.complete("Failed", diagnostics_of(event, error.error_code, "", str(error), ""))
        self._teller.say(event, str(error))

    def _show(self) -> None:
        self._teller.show(self._journal.progress(self._clock()))
