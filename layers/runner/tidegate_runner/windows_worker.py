"""The worker as a program of its own: Windows has no ``fork``. Not run on Windows yet."""

import os
import subprocess
import sys

from tidegate_runner.files import make_folder
from tidegate_runner.order import Order, parse_order, target_of
from tidegate_runner.paths import HostPaths
from tidegate_runner.windows import start_apart

_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from tidegate_runner.windows_worker import main; main()"


def start_worker(order: Order, host: HostPaths, order_bytes: bytes) -> None:
    """Start the worker and wait until it has recorded the result, or died; the rest of its work is not waited for."""
    log = host.worker_log(order.deployment_id, order.stage)
    make_folder(os.path.dirname(log))
    sys.stdout.flush()
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(log, "ab") as errors:
        process = start_apart(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=host.at("/"),
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with process.stdin as stream:
            stream.write(order_bytes)
    except OSError:
        pass  # it died early; the journal tells
    with process.stdout as done:
        done.read()  # it ends when the worker closes it, or dies
    process.returncode = 0  # what the worker still does is not waited for


def main() -> None:
    """Be the worker: the order is on standard input, the end of standard output tells that the result is recorded."""
    from tidegate_runner.worker import work

    order = parse_order(sys.stdin.buffer.read())
    environ = dict(os.environ)
    host = HostPaths.from_environment(environ)
    done = os.dup(1)  # no child inherits this one
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.umask(0o022)
    work(order, host, target_of(environ), environ, lambda: os.close(done))
