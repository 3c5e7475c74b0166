"""The front process: starts the worker or attaches to it, and prints the one result line.

What only some commands need is imported where it is needed: a repeated command should be quick.

The worker lives in a session of its own with no tie to the command's pipes, so it goes on when the
command is killed. Its lock on the stage is what tells whether it lives.
"""

import os
import sys
import time
from typing import Any, Dict, Mapping

from tidegate_runner.errors import OrderError
from tidegate_runner.files import make_folder
from tidegate_runner.journal import Journal
from tidegate_runner.lock import FileLock
from tidegate_runner.order import Order, parse_order, target_of
from tidegate_runner.paths import HostPaths
from tidegate_runner.result import diagnostics_of, result_document, result_line
from tidegate_runner.system import IS_WINDOWS, NAME, PLAIN

FOREIGN = (
    "unsupported operating system (%s): the revision's AppSpec file is made for it, and this host runs %s. Nothing was "
    "run. Deploy a revision that is made for this host, or take the host out of the deployment group."
)


def main(order_bytes: bytes) -> int:
    """Carry out an order and print its result.

    Returns
    -------
    int
        The exit status: 0 for Succeeded, 1 otherwise.
    """
    os.umask(0o022)
    environ = dict(os.environ)
    target = target_of(environ)
    try:
        order = parse_order(order_bytes)
    except (OrderError, TypeError, ValueError) as error:
        document = not_started("", target, "", "OrderUnreadable", str(error))
    else:
        try:
            document = carry_out(order, HostPaths.from_environment(environ), target, environ, order_bytes)
        except OSError as error:
            message = "The host runner cannot work on this host: %s" % error
            document = not_started(order.deployment_id, target, order.stage, "UnknownError", message)
    sys.stdout.write(result_line(document) + "\n")
    sys.stdout.flush()
    return 0 if document["status"] == "Succeeded" else 1


def not_started(deployment: str, target: str, stage: str, code: str, message: str) -> Dict[str, Any]:
    return result_document(deployment, target, stage, "NotStarted", [], diagnostics_of("", code, "", message, ""))


def carry_out(
    order: Order, host: HostPaths, target: str, environ: Mapping[str, str], order_bytes: bytes
) -> Dict[str, Any]:
    """Give the result of an order: recorded, awaited from a running worker, or made by a new one."""
    journal = Journal(host.journal(order.deployment_id, order.stage), order.deployment_id, order.stage, target)
    if journal.result is not None:
        if os.path.isdir(host.spool_root()):
            from tidegate_runner.telling import collect

            collect(order, host, target)
        return journal.result
    if order.mode == "run":
        made_for = order.appspec.get("os", NAME)
        if made_for != NAME:
            return not_started(order.deployment_id, target, order.stage, "UnknownError", FOREIGN % (made_for, NAME))
        if IS_WINDOWS:
            from tidegate_runner.windows_worker import start_worker

            start_worker(order, host, order_bytes)
        else:
            _start_worker(order, host, target, environ)
    elif not os.path.exists(host.stage_lock(order.deployment_id, order.stage)):
        return _nothing(order, target)
    return _settle(order, host, journal)


def _settle(order: Order, host: HostPaths, journal: Journal) -> Dict[str, Any]:
    """Wait until no worker holds the stage, then give what is recorded, completing it if one died."""
    lock = FileLock(host.stage_lock(order.deployment_id, order.stage))
    lock.acquire()
    try:
        journal.reload()
        if journal.result is not None:
            return journal.result
        if journal.in_progress is None and order.mode == "report" and not journal.events:
            return _nothing(order, journal.target)
        return _close(order, host, journal)
    finally:
        lock.release()


def _close(order: Order, host: HostPaths, journal: Journal) -> Dict[str, Any]:
    """Complete the record of a stage whose worker died, and see to it that what it printed gets home."""
    if journal.in_progress is not None:
        result = journal.interrupt(time.time())
    else:
        left = [event for event in order.events if event not in journal.done]
        result = journal.cut_off(left[0] if left else order.events[-1])
    from tidegate_runner.telling import collect, tell_of_the_end

    told = result["diagnostics"]
    tell_of_the_end(order, host, journal.target, told["event"], told["message"])
    collect(order, host, journal.target)
    return result


def _nothing(order: Order, target: str) -> Dict[str, Any]:
    message = "Nothing of this stage has been started on this host."
    return not_started(order.deployment_id, target, order.stage, "UnknownError", message)


def _start_worker(order: Order, host: HostPaths, target: str, environ: Mapping[str, str]) -> None:
    """Fork the worker and wait until it has recorded the result, or died; the rest of its work is not waited for.

    Where another worker holds the stage, it just waits for that one.
    """
    log = host.worker_log(order.deployment_id, order.stage)
    make_folder(os.path.dirname(log), 0o700)
    sys.stdout.flush()
    result, done = os.pipe()
    if os.fork() == 0:
        status = 1
        try:
            _detach(log, done)
            from tidegate_runner.worker import work

            work(order, host, target, environ, lambda: os.close(done))
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(done)
    os.read(result, 1)  # it ends when the worker closes it, or dies
    os.close(result)


def _detach(log: str, keep: int) -> None:
    """Leave the command's session, pipes and signals behind."""
    import signal

    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | PLAIN, 0o600)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(errors, 2)
    os.closerange(3, keep)
    os.closerange(keep + 1, 1024)
    os.chdir("/")
