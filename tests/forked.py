"""Commands that are imported once and forked for each run: processes of their own, without what a start costs.

To start Python and import a command line takes half a second and more, most of what many tests would need. What is run
is the command's own entry point, with its own arguments, variables, folder, output and exit status.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_LONGEST = 1 << 17  # of a request


#: Where a run that only imports finds no service, at once.
_NOWHERE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_CODEDEPLOY": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": os.devnull,
}


class Forked:
    """A command, in a process that is forked for each run; it ends with the process that made it.

    Parameters
    ----------
    name : the command
    entry : ``module:function``, what its console script calls
    warm : arguments of a run that imports what others need, made before the first one, in the process that forks
    """

    def __init__(self, name: str, entry: str, *warm: str) -> None:
        self._name = name
        self._lock = threading.Lock()  # one run at a time
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno()), entry, name, *warm],
                cwd=ROOT,
                env={**os.environ, **_NOWHERE},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def run(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout: float = 100,
        given: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, as ``subprocess.run`` would; ``given`` is what it reads."""
        request = json.dumps({"arguments": [self._name, *arguments], "env": dict(env), "cwd": str(cwd or Path.cwd())})
        with (
            self._lock,
            tempfile.TemporaryFile() as read,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            read.write(given.encode())
            read.seek(0)
            self._control.settimeout(timeout)
            socket.send_fds(self._control, [request.encode()], [read.fileno(), out.fileno(), err.fileno()])
            status = int(self._control.recv(_LONGEST))
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(arguments, status, out.read().decode(), err.read().decode())


@functools.cache
def tidegate() -> Forked:
    """The command ``tidegate``, as ``tidegate host`` needs it."""
    return Forked(
        "tidegate", "tidegate_cli.main:main", "host", "plan", "--bundle", "/none", "--bundle-type", "directory"
    )


@functools.cache
def calling_tidegate() -> Forked:
    """The command ``tidegate`` with all that calls of services need."""
    return Forked("tidegate", "tidegate_cli.main:main", "hosts", "list")


@functools.cache
def aws() -> Forked:
    """The AWS CLI."""
    return Forked("aws", "awscli.clidriver:main", "deploy", "list-applications")


def _serve(control: socket.socket, entry: str, warm: Sequence[str]) -> int:
    """Fork a process for each request until nobody is there to ask; in a forked one, be the command."""
    module, _, function = entry.partition(":")
    main: Callable[[], Any] = getattr(importlib.import_module(module), function)
    sys.argv = list(warm)
    with contextlib.suppress(SystemExit):
        main()
    gc.collect()
    gc.freeze()
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, _LONGEST, 3)
        if not data:
            return 0
        pid = os.fork()
        if pid == 0:
            control.close()
            _become(json.loads(data), descriptors)
            return int(main() or 0)
        for descriptor in descriptors:
            os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        control.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    for descriptor, number in zip(descriptors, (0, 1, 2), strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = request["arguments"]
    if "awscli" in sys.modules:
        importlib.reload(sys.modules["awscli"])  # it adds to AWS_DATA_PATH when it is imported


if __name__ == "__main__":
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3:]))
