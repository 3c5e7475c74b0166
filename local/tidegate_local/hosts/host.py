"""A local host: a target that commands really run on."""

import itertools
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tidegate_local.hosts import wire
from tidegate_local.hosts.isolation import (
    DEFAULT_ENVIRONMENT,
    HOST_ADDRESS_VARIABLE,
    HOST_ROOT_VARIABLE,
    HostError,
    Isolation,
)
from tidegate_local.hosts.process import HostProcess, Stream, Streams
from tidegate_local.hosts.shown import described


class LocalHost:
    """One host of a fleet.

    Attributes
    ----------
    id : its EC2 instance id
    name : its host name, ``host-1`` and so on
    address : its own address on the loopback network, which applications in it bind
    tags : tags it was started with
    isolation : what separates it from the machine
    root : where the machine finds the host's files
    pid : the host's first process, as the machine numbers it
    agent_online : whether its SSM agent answers; tests switch it
    environment : variables that every program in it starts with
    """

    def __init__(
        self,
        name: str,
        address: str,
        tags: Mapping[str, str],
        isolation: Isolation,
        root: str,
        end: socket.socket,
        pid: int,
        end_host: Callable[[], None],
    ) -> None:
        self.id = ""
        self.name = name
        self.address = address
        self.tags: Mapping[str, str] = dict(tags)
        self.isolation = isolation
        self.root = root
        self.pid = pid
        self.agent_online = True
        self.environment: dict[str, str] = {}
        self._end = end
        self._end_host = end_host
        self._numbers = itertools.count(1)
        self._processes: dict[int, HostProcess] = {}
        self._lock = threading.Lock()
        self._gone = threading.Event()

    @property
    def state(self) -> str:
        """``running`` or ``stopped``."""
        return "stopped" if self._gone.is_set() else "running"

    def wait_ready(self, timeout: float) -> None:
        """Wait until the host's file system stands; HostError with the reason when it does not."""
        self._end.settimeout(timeout)
        try:
            message, _ = wire.receive(self._end)
        except TimeoutError:
            message = {"error": f"it was not ready after {timeout:.0f} s"}
        if message is None or "error" in message:
            self._end.close()
            self._gone.set()
            raise HostError(f"{self.name}: {message['error'] if message else 'its first process died'}")
        self._end.settimeout(None)
        threading.Thread(target=self._listen, name=f"{self.name}-listener", daemon=True).start()

    def popen(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = None,
        stderr: Stream = None,
        cwd: str = "/",
    ) -> HostProcess:
        """Start a program in the host as its root, in a session of its own.

        Parameters
        ----------
        env : the whole environment; a search path alone when None
        stdin, stdout, stderr : as for `subprocess.Popen`

        Raises
        ------
        HostError : the host has stopped

        A program that is not there, or cannot be run, says so on its standard error and ends with 127
        or 126, as under a shell.
        """
        environment = {**self.environment, **(DEFAULT_ENVIRONMENT if env is None else env)}
        if self.isolation is Isolation.FOLDER:
            environment.setdefault(HOST_ROOT_VARIABLE, self.root)
            environment.setdefault(HOST_ADDRESS_VARIABLE, self.address)
        process = HostProcess(next(self._numbers), argv, self._send)
        streams = Streams(stdin, stdout, stderr)
        try:
            self._start(process, environment, cwd, streams.far)
        except OSError as error:
            streams.close_near()
            raise HostError(f"{self.name} ({self.id}) has stopped; start the local cloud again") from error
        finally:
            streams.close_far()
        process.stdin, process.stdout, process.stderr = streams.near
        return process

    def _start(self, process: HostProcess, environment: dict[str, str], cwd: str, far: Sequence[int]) -> None:
        with self._lock:
            if self._gone.is_set():
                raise ConnectionError(self.name)
            self._processes[process.number] = process
        request = {"do": "start", "number": process.number, "argv": process.args, "env": environment, "cwd": cwd}
        self._send(request, far)
        process.wait_started()

    def run(
        self, argv: Sequence[str], env: Mapping[str, str] | None = None, timeout: float | None = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end and take its output, as `subprocess.run` with text."""
        process = self.popen(argv, env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, errors = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(
            process.args, process.wait(), output.decode(errors="replace"), errors.decode(errors="replace")
        )

    def set_names(self, names: str) -> None:
        """Replace the host's /etc/hosts."""
        if self.isolation is not Isolation.FOLDER:
            with suppress(OSError):
                self._send({"do": "names", "text": names})

    def kill(self) -> None:
        """End the host and everything in it, at once; its files are gone too unless they are in a folder."""
        self._end_host()
        self._gone.wait()

    def describe(self) -> dict[str, Any]:
        """What `tidegate local hosts --json` shows, and all that `exec_in_host` needs."""
        more = {"root": self.root, "pid": self.pid, "environment": dict(self.environment)}
        return described(self, self.isolation.value, **more)

    def _send(self, message: wire.Message, descriptors: Sequence[int] = ()) -> None:
        # One writer at a time is not needed: packets are never mixed.
        wire.send(self._end, message, descriptors)

    def _listen(self) -> None:
        while True:
            message = None
            with suppress(OSError):
                message, _ = wire.receive(self._end)
            if message is None:
                break
            with self._lock:
                process = self._processes.get(message["number"])
                if process is not None and "process" not in message:
                    del self._processes[message["number"]]
            if process is not None:
                process.report(message)
        self._gone.set()
        with self._lock:
            lost = list(self._processes.values())
            self._processes.clear()
        for process in lost:
            process.lost()
