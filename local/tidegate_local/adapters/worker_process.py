"""One worker process of a Lambda function, seen from the local cloud."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tidegate_local.policy.evaluate import Statement

_LOCAL_ROOT = str(Path(__file__).resolve().parents[2])
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from tidegate_local.worker import main; sys.path.pop(0); "
    "main(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))"
)


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
    """One worker process and its pipes."""

    def __init__(
        self,
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
            "memory": function.memory,
            "role_arn": function.role_arn,
            "statements": list(statements),
            "account": place[0],
            "region": place[1],
        }
        request_read, request_write = os.pipe()
        answer_read, answer_write = os.pipe()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-s", "-c", _BOOT, _LOCAL_ROOT, json.dumps(settings)),
                    *(str(request_read), str(answer_write), str(os.getpid())),
                ],
                env=dict(environment),
                cwd=function.path[0],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(request_read, answer_write),
                start_new_session=True,
            )
        os.close(request_read)
        os.close(answer_write)
        self._requests: IO[bytes] = os.fdopen(request_write, "wb", buffering=0)
        self._answer_fd = answer_read
        self._buffer = b""

    def send(self, message: Mapping[str, Any]) -> bool:
        try:
            self._requests.write(json.dumps(message).encode() + b"\n")
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
        """Kill the process if it lives, and give its exit status."""
        if self._popen.poll() is None:
            # A worker that closed its pipe is about to exit by itself; its status tells why.
            try:
                self._popen.wait(0.2)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        status = self._popen.wait()
        self._requests.close()
        os.close(self._answer_fd)
        return status

    def kill(self) -> None:
        self._popen.kill()

    @property
    def pid(self) -> int:
        return self._popen.pid
