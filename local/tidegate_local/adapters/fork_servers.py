"""The processes that fork the workers of Lambda functions, seen from the local cloud."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tidegate_local.fork_server import FORK, READY
from tidegate_local.preload import brings

_LOCAL_ROOT = str(Path(__file__).resolve().parents[2])
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from tidegate_local.fork_server import main; sys.path.pop(0); "
    "main(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])"
)
#: How long one may take to import all, and to end.
_READY_SECONDS = 60.0
_END_SECONDS = 10.0
#: Variables that an interpreter, or what is imported for all functions, reads when it starts and never again.
START_VARIABLES = ("PYTHON", "LD_", "LC_", "LANG", "HOME", "POWERTOOLS_", "AWS_EXECUTION_ENV")
#: What every fork server gets, and every worker.
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LANG": "C.UTF-8",
    "TZ": ":UTC",
    "HOME": "/tmp",  # noqa: S108 - as in Lambda
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python",
}


class ForkServerError(Exception):
    """The process that forks workers is not there; the text tells what became of it."""


class ForkServerProcess:
    """A fork server: a process that has imported what functions of the same layers share.

    It ends with the thread that made it, at the latest.

    Parameters
    ----------
    layers
        Folders of layers, the first goes first on the import path.
    environment
        All the variables it gets.
    """

    def __init__(self, layers: Sequence[str], environment: Mapping[str, str]) -> None:
        self._layers = layers
        self._ready = False
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._popen = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-s", "-c", _BOOT, _LOCAL_ROOT),
                    *(str(theirs.fileno()), str(os.getpid()), *layers),
                ],
                env=dict(environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=2,  # what an import prints is for the local cloud's log, as its errors are
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def wait_ready(self, seconds: float) -> None:
        """Wait until it has imported what it can.

        Raises
        ------
        ForkServerError
            When it ended, or does not get ready in time.
        """
        try:
            ready = self._is_ready(seconds)
        except TimeoutError:
            raise ForkServerError(f"{self._what} is not ready after {seconds:.0f} s") from None
        if not ready:
            raise ForkServerError(self._ended())

    def _is_ready(self, seconds: float) -> bool:
        if not self._ready:
            self._control.settimeout(seconds)
            try:
                self._ready = self._control.recv(len(READY)) == READY
            except ConnectionResetError:
                return False  # it ended and left something unread
            finally:
                self._control.settimeout(None)
        return self._ready

    def fork(self, descriptors: Sequence[int]) -> None:
        """Have a worker forked that gets these descriptors.

        Raises
        ------
        ForkServerError
            When it has ended.
        """
        try:
            socket.send_fds(self._control, [FORK], list(descriptors))
        except OSError:
            raise ForkServerError(self._ended()) from None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._popen.poll() is None

    def stop(self) -> None:
        """End it and all its workers; they are gone when this returns."""
        try:
            self._is_ready(0.0)
        except OSError:
            self._popen.kill()  # it has no workers yet, and may be busy for a while
        self._control.close()
        try:
            self._popen.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    @property
    def _what(self) -> str:
        return f"the process that imports {', '.join(self._layers) or 'libraries'} for the functions"

    def _ended(self) -> str:
        try:
            status = self._popen.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return f"{self._what} does not answer"
        how = f"was ended by signal {-status}" if status < 0 else f"ended with exit status {status}"
        return f"{self._what} {how}"


class ForkServers:
    """The fork servers of a local cloud: one for all functions whose layers bring the same to import for all.

    A function that sets a variable which is read at the start of an interpreter, or by what is imported for all,
    has one with that variable.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], ForkServerProcess] = {}
        self._stopped = False
        # A fork server dies with the *thread* that made it (PR_SET_PDEATHSIG): one lasting thread makes them all.
        self._maker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lambda-spawner")

    def of(self, layers: tuple[str, ...], variables: Mapping[str, str]) -> ForkServerProcess:
        """Give the fork server for a function's layers and variables; one that died is replaced.

        Raises
        ------
        ForkServerError
            When the local cloud is stopping.
        """
        own = {name: value for name, value in variables.items() if name.startswith(START_VARIABLES)}
        bringing = tuple(layer for layer in layers if brings(layer))
        key = (bringing, tuple(sorted(own.items())))
        with self._lock:
            if self._stopped:
                raise ForkServerError("the local cloud is stopping")
            known = self._servers.get(key)
            if known is not None and known.alive:
                return known
            if known is not None:
                known.stop()
            made = self._maker.submit(ForkServerProcess, bringing, {**ENVIRONMENT, **own}).result()
            self._servers[key] = made
            return made

    def wait_ready(self) -> None:
        """Wait until all that were asked for have imported what they can.

        Raises
        ------
        ForkServerError
            When one has ended, or takes too long.
        """
        until = time.monotonic() + _READY_SECONDS
        with self._lock:
            servers = list(self._servers.values())
        for server in servers:
            server.wait_ready(max(0.1, until - time.monotonic()))

    def stop(self) -> None:
        """End them and all their workers; all are gone when this returns."""
        with self._lock:
            self._stopped = True
            servers = list(self._servers.values())
        for server in servers:
            server.stop()
        self._maker.shutdown(wait=True)
