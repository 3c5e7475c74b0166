"""A script's output, line by line, in the order in which it arrives."""

import os
import re
import select
import subprocess
from typing import Callable, Dict, List, Optional

from tidegate_runner.processes import holders_of_pipes

_CHUNK = 65536
_LONGEST_LINE = 8192
# Where a line that is too long is cut, so that no name, number or secret ends up half here and half there.
_BOUNDARY = re.compile(rb"[\s&\"'<>,;]")


class LineReader:
    """Makes lines of what a process' pipes hold."""

    def __init__(self, streams: Dict[int, str], line: Callable[[str, str], None]) -> None:
        """Take descriptors with the names of their streams, and who gets stream and text of each line."""
        self._streams = dict(streams)
        self._line = line
        self._rest: Dict[int, bytes] = dict.fromkeys(streams, b"")

    @property
    def ended(self) -> bool:
        return not self._streams

    def read(self, seconds: float) -> None:
        """Wait so long for output and log what has come."""
        raise NotImplementedError

    def holders(self) -> List[int]:
        """Name the processes that keep the pipes open."""
        raise NotImplementedError

    def let_go(self) -> None:
        """Close the pipes without breaking whoever still writes to them."""
        raise NotImplementedError

    def close(self) -> None:
        self._flush()
        for descriptor in list(self._streams):
            self._close(descriptor)

    def _take(self, descriptor: int, data: bytes) -> None:
        """Log the lines that are whole now; no data is the end."""
        if not data:
            self._flush_one(descriptor)
            self._close(descriptor)
            return
        lines = (self._rest[descriptor] + data).split(b"\n")
        rest = lines.pop()
        for line in lines:
            self._log(descriptor, line)
        while len(rest) > _LONGEST_LINE:
            end = _cut(rest)
            self._log(descriptor, rest[:end])
            rest = rest[end:]
        self._rest[descriptor] = rest

    def _log(self, descriptor: int, line: bytes) -> None:
        self._line(self._streams[descriptor], line.decode("utf-8", "replace").rstrip("\r"))

    def _flush(self) -> None:
        for descriptor in list(self._streams):
            self._flush_one(descriptor)

    def _flush_one(self, descriptor: int) -> None:
        if self._rest[descriptor]:
            self._log(descriptor, self._rest[descriptor])
            self._rest[descriptor] = b""

    def _close(self, descriptor: int) -> None:
        del self._streams[descriptor]


class OutputReader(LineReader):
    """Reads the pipes of a process without ever blocking longer than told."""

    def __init__(self, streams: Dict[int, str], line: Callable[[str, str], None]) -> None:
        super().__init__(streams, line)
        self._poll = select.poll()
        for descriptor in streams:
            os.set_blocking(descriptor, False)
            self._poll.register(descriptor, select.POLLIN | select.POLLHUP)

    def read(self, seconds: float) -> None:
        for descriptor, _ in self._poll.poll(max(seconds, 0) * 1000):
            try:
                data = os.read(descriptor, _CHUNK)
            except BlockingIOError:
                continue
            self._take(descriptor, data)

    def holders(self) -> List[int]:
        return holders_of_pipes({os.fstat(descriptor).st_ino for descriptor in self._streams})

    def let_go(self) -> None:
        """Close the pipes without breaking whoever still writes to them.

        A server started by a script may go on writing to the script's output. Were the reading end just
        closed, its next line would kill it (SIGPIPE), so a ``cat`` takes the pipe over until it ends.
        """
        self._flush()
        for descriptor in list(self._streams):
            os.set_blocking(descriptor, True)
            _drain(descriptor)
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        os.close(descriptor)
        super()._close(descriptor)


def _cut(line: bytes) -> int:
    """Where to cut a line that is too long: behind a character that separates, where its second half has one."""
    ends = [found.end() for found in _BOUNDARY.finditer(line, _LONGEST_LINE // 2, _LONGEST_LINE)]
    return ends[-1] if ends else _LONGEST_LINE


def _drain(descriptor: int) -> Optional["subprocess.Popen[bytes]"]:
    try:
        return subprocess.Popen(
            ["cat"],
            stdin=descriptor,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    except OSError:
        return None
