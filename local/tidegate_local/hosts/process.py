"""A program that runs in a host, handled like `subprocess.Popen`."""

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any

from tidegate_local.hosts import wire
from tidegate_local.hosts.isolation import HostError

#: What may be given for a standard stream, as for `subprocess.Popen`.
Stream = int | IO[Any] | None

#: Exit status of a program that went down with its host.
KILLED = -9


class HostProcess:
    """One program in a host.

    Attributes
    ----------
    args : the command line
    number : what the host's first process knows it by
    pid : process id *inside* the host
    stdin, stdout, stderr : the near ends of pipes that were asked for, as binary files, else None
    returncode : None while it runs; the exit status; minus the signal's number when a signal ended it
    """

    def __init__(self, number: int, args: Sequence[str], send: Callable[[wire.Message], None]) -> None:
        self.args = list(args)
        self.pid = 0
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[bytes] | None = None
        self.stderr: IO[bytes] | None = None
        self.number = number
        self._send = send
        self._error: str | None = None
        self._started = threading.Event()
        self._ended = threading.Event()

    def report(self, message: wire.Message) -> None:
        """Take in what the host's first process says about this program."""
        if "process" in message:
            self.pid = message["process"]
        elif "ended" in message:
            self.returncode = message["ended"]
            self._ended.set()
        else:
            self._error = message["error"]
            self._ended.set()
        self._started.set()

    def lost(self) -> None:
        """The host is gone, and the program with it."""
        if not self._ended.is_set():
            self.report({"ended": KILLED})

    def wait_started(self) -> None:
        """Wait until the program has a process; HostError when the host could not give it one."""
        self._started.wait()
        if self._error is not None:
            raise HostError(f"{self.args[0]} could not be started in the host: {self._error}")

    def poll(self) -> int | None:
        """The exit status, or None while the program runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status, at most `timeout` seconds (then `subprocess.TimeoutExpired`)."""
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:  # noqa: A002
        """Send `input`, read both outputs to their ends, wait: as `subprocess.Popen.communicate`."""
        outputs: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        readers = [
            threading.Thread(target=lambda n=name, s=stream: outputs.__setitem__(n, s.read()), daemon=True)
            for name, stream in (("stdout", self.stdout), ("stderr", self.stderr))
            if stream is not None
        ]
        for reader in readers:
            reader.start()
        if self.stdin is not None:
            with suppress(BrokenPipeError):
                self.stdin.write(input or b"")
                self.stdin.close()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        return outputs["stdout"], outputs["stderr"]

    def send_signal(self, signal: int, group: bool = False) -> None:
        """Signal the program, or all of its process group; nothing happens once it has ended."""
        with suppress(OSError):
            self._send({"do": "signal", "number": self.number, "signal": int(signal), "group": group})

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(9)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(15)


class Streams:
    """The far ends a program gets, and the near ends that stay here."""

    def __init__(self, stdin: Stream, stdout: Stream, stderr: Stream) -> None:
        self.far: list[int] = []
        self._to_close: list[int] = []
        self.near: list[IO[bytes] | None] = []
        self._add(stdin, 0)
        self._add(stdout, 1)
        self._add(stderr, 2)

    def _add(self, wanted: Stream, number: int) -> None:
        near: IO[bytes] | None = None
        if wanted is None:
            far = number
        elif wanted == subprocess.PIPE:
            read, write = os.pipe()
            far, kept = (read, write) if number == 0 else (write, read)
            near = os.fdopen(kept, "wb" if number == 0 else "rb", buffering=0 if number == 0 else -1)
            self._to_close.append(far)
        elif wanted == subprocess.DEVNULL:
            far = os.open(os.devnull, os.O_RDWR)
            self._to_close.append(far)
        elif wanted == subprocess.STDOUT:
            far = self.far[1]
        else:
            far = wanted if isinstance(wanted, int) else wanted.fileno()
        self.far.append(far)
        self.near.append(near)

    def close_far(self) -> None:
        """Let go of the ends that only the program should hold."""
        for descriptor in self._to_close:
            os.close(descriptor)

    def close_near(self) -> None:
        """Let go of the pipes' near ends too: the program did not start."""
        for stream in self.near:
            if stream is not None:
                stream.close()
