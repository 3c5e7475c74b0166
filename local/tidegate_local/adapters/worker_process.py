"""One worker process of a Lambda function, seen from the local cloud."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tidegate_local.adapters.fork_servers import ForkServerProcess
from tidegate_local.policy.evaluate import Statement

#: How long a worker that ends by itself may take to do so.
_EXIT_SECONDS = 5.0
#: How long a killed process may take to be gone.
_END_SECONDS = 10.0


@dataclass(frozen=True)
class Function:
    """A Lambda function as the provisioner made it.

    ``path`` holds what Lambda puts on the import path: the function's folder, then its layers' ``python`` folders.
    """

    name: str
    arn: str
    logical_id: str
    handler: str
    path: tuple[str, ...]
    variables: Mapping[str, str]
    timeout: float
    memory: int
    role_arn: str


class WorkerProcess:
    """One worker process and its pipes.

    Raises
    ------
    ForkServerError
        When the fork server has ended.
    """

    def __init__(
        self,
        server: ForkServerProcess,
        function: Function,
        statements: Sequence[Statement],
        environment: Mapping[str, str],
        place: tuple[str, str],
        log: Path,
    ) -> None:
        settings = {
            "function_name": function.name,
            "function_arn": function.arn,
            "handler": function.handler,
            "path": list(function.path),
            "environment": dict(environment),
            "memory": function.memory,
            "role_arn": function.role_arn,
            "statements": list(statements),
            "account": place[0],
            "region": place[1],
        }
        request_read, request_write = os.pipe()
        answer_read, answer_write = os.pipe()
        # A stream: what was sent before one end closed can always be read at the other.
        self._leash, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._requests: IO[bytes] = os.fdopen(request_write, "wb", buffering=0)
        self._answer_fd = answer_read
        self._buffer = b""
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as output:
                server.fork((request_read, answer_write, output.fileno(), theirs.fileno()))
        except BaseException:
            self._close()
            raise
        finally:
            os.close(request_read)
            os.close(answer_write)
            theirs.close()
        self.send(settings)

    def send(self, message: Mapping[str, Any]) -> bool:
        """Send one message; False when the worker died."""
        left = memoryview(json.dumps(message).encode() + b"\n")
        try:
            while left:
                left = left[self._requests.write(left) :]
        except OSError:
            return False
        return True

    def receive(self, until: float) -> dict[str, Any] | None:
        """Read one message; None when the worker died. Raises TimeoutError at ``until`` (monotonic seconds)."""
        while b"\n" not in self._buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._answer_fd], [], [], left)[0]:
                raise TimeoutError
            read = os.read(self._answer_fd, 1 << 16)
            if not read:
                return None
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def end(self) -> int:
        """Give the exit status of a process that is ending; one that does not get on with it is killed."""
        # A worker that closed its pipe exits by itself, and its status tells why.
        status = self._status(_EXIT_SECONDS)
        if status is None:
            self.kill()
            status = self._status(_END_SECONDS)
        self._close()
        return -signal.SIGKILL if status is None else status

    def kill(self) -> None:
        """Kill the process."""
        with contextlib.suppress(OSError):
            self._leash.shutdown(socket.SHUT_WR)

    def _status(self, seconds: float) -> int | None:
        self._leash.settimeout(seconds)
        try:
            told = self._leash.recv(16)
        except TimeoutError:
            return None
        except OSError:
            told = b""
        # Without a word: the fork server died, and its workers with it.
        return int(told) if told else -signal.SIGKILL

    def _close(self) -> None:
        self._requests.close()
        os.close(self._answer_fd)
        self._leash.close()
