"""Running events on this host by hand, and telling beforehand what an Install would do.

What an order by hand says differently: its ``bundle`` is ``{"path", "type", "objectEtag"}`` with the type
``directory`` as well, events may have any name, and ``appspec`` may be ``{"error": "<why it did not compile>"}``
or hold ``installError``, which fails the Install alone.
"""

import contextlib
import os
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from tidegate_runner.dry_run import Collision, InstallPlan, PlannedScripts, plan_install
from tidegate_runner.errors import EventError
from tidegate_runner.events import NOT_OF_HOSTS, STOP_EVENTS, run_event, scripts_for
from tidegate_runner.files import describe
from tidegate_runner.lock import FileLock, acquire_group_lock
from tidegate_runner.logs import ScriptLog
from tidegate_runner.order import SCHEMA, Order, read_order
from tidegate_runner.paths import DeploymentPaths, HostPaths

__all__ = [
    "Collision",
    "EventResult",
    "InstallPlan",
    "PlannedScripts",
    "make_order",
    "open_state",
    "plan_install",
    "run_events",
    "succeeded",
]

SUCCESS = "Success"
NO_OP = "CompletedNoopCommand"
_TOLD_AFTER = 1.0


class EventResult(NamedTuple):
    """How one event went. ``status`` is ``InProgress``, ``Succeeded``, ``Failed`` or ``Skipped``."""

    name: str
    status: str
    error_code: str = ""
    script_name: str = ""
    message: str = ""
    log_tail: str = ""
    start: Optional[float] = None
    end: Optional[float] = None
    no_op: bool = False


def make_order(document: Mapping[str, Any]) -> Order:
    """Make an order by hand of the host contract's document; schema, mode and stage may be left out.

    Raises
    ------
    OrderError
        For a value that cannot be; its text names the field.
    """
    return read_order(dict({"schema": SCHEMA, "mode": "run", "stage": "local"}, **document), by_hand=True)


def open_state(root: Optional[str] = None) -> HostPaths:
    """Give the places of a host whose revisions are kept under `root` (default: where the agent keeps them)."""
    return HostPaths.from_environment(os.environ, None if root is None else os.path.abspath(root))


def run_events(
    order: Order,
    host: HostPaths,
    environ: Mapping[str, str],
    notify: Optional[Callable[[EventResult], None]] = None,
    clock: Callable[[], float] = time.time,
    waiting: Optional[Callable[[Dict[str, Any]], None]] = None,
) -> List[EventResult]:
    """Run an order's events in this process, holding the lock of its group.

    Nothing remembers that they ran: called again, they run again. The first failure ends it, unless it is one
    of a stop event that the order ignores.

    Parameters
    ----------
    waiting
        Is told once, after a second, who holds the lock: ``deploymentId``, ``stage`` and ``pid``, as far as known.

    Returns
    -------
    list of EventResult
        One for each event of the order; those not reached are ``Skipped``.
    """
    tell = notify or (lambda _: None)
    results: List[EventResult] = []
    try:
        lock = acquire_group_lock(
            host.group_lock(order.group_id),
            {"deploymentId": order.deployment_id, "stage": order.stage, "pid": os.getpid()},
            order.limits["lockWaitSeconds"],
            sleep=_telling_sleep(host.group_lock(order.group_id), waiting),
        )
    except EventError as error:
        results.append(_failed(order.events[0], clock(), clock(), error, ""))
        tell(results[0])
    else:
        with contextlib.ExitStack() as stack:
            stack.callback(lock.release)
            for event in order.events:
                tell(EventResult(event, "InProgress", start=clock()))
                results.append(_run(event, order, host, environ, clock))
                tell(results[-1])
                if _ends(order, results[-1]):
                    break
    skipped = [EventResult(event, "Skipped") for event in order.events[len(results) :]]
    for result in skipped:
        tell(result)
    return results + skipped


def succeeded(order: Order, results: Sequence[EventResult]) -> bool:
    """Tell whether the deployment as a whole succeeded: a stop event's failure may be ignored."""
    return not any(_ends(order, result) or result.status == "Skipped" for result in results)


def _telling_sleep(path: str, waiting: Optional[Callable[[Dict[str, Any]], None]]) -> Callable[[float], None]:
    """Sleep between two tries to take a lock, and tell after a second of it who holds it."""
    slept = [0.0]

    def sleep(seconds: float) -> None:
        before = slept[0]
        time.sleep(seconds)
        slept[0] += seconds
        if waiting is not None and before < _TOLD_AFTER <= slept[0]:
            waiting(FileLock(path).holder())

    return sleep


def _run(
    event: str, order: Order, host: HostPaths, environ: Mapping[str, str], clock: Callable[[], float]
) -> EventResult:
    start = clock()
    place = DeploymentPaths.of(host, order.group_id, order.deployment_id)
    log = ScriptLog(place.scripts_log, host.deployments_log(), order.deployment_id, clock)
    idle = False
    try:
        idle = _is_idle(event, order, host)
        run_event(event, order, host, environ, log)
    except EventError as error:
        return _failed(event, start, clock(), error, log.tail())
    except OSError as error:
        return _failed(event, start, clock(), EventError("The %s event failed: %s." % (event, describe(error))), "")
    except Exception as error:  # no defect may leave an event without an end
        message = "The host runner failed in %s: %s: %s" % (event, type(error).__name__, error)
        return _failed(event, start, clock(), EventError(message), log.tail())
    finally:
        log.close()
    return EventResult(event, "Succeeded", SUCCESS, message=NO_OP if idle else "", start=start, end=clock(), no_op=idle)


def _is_idle(event: str, order: Order, host: HostPaths) -> bool:
    if event in ("DownloadBundle", "Install"):
        return False
    if event in NOT_OF_HOSTS:
        return True
    try:
        return not scripts_for(event, order, host)[1]
    except LookupError:
        return True


def _failed(event: str, start: float, end: float, error: EventError, tail: str) -> EventResult:
    return EventResult(event, "Failed", error.error_code, error.script_name, str(error), tail, start, end)


def _ends(order: Order, result: EventResult) -> bool:
    if result.status != "Failed":
        return False
    return not (result.name in STOP_EVENTS and order.ignore_application_stop_failures)
