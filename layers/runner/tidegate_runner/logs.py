"""What scripts print: kept in the deployment's log and the host's log, with a tail for diagnostics."""

import os
import time
from collections import deque
from typing import BinaryIO, Callable, Deque, List, Optional

from tidegate_runner.files import make_folder
from tidegate_runner.redact import redact

ROLL_AT = 64 * 1024 * 1024
ROLLED_FILES = 8
TAIL_CHARACTERS = 2048
_SCAN = 3 * TAIL_CHARACTERS


class RollingFile:
    """Appends to a file that is set aside as ``.1`` ... ``.8`` when it grows past 64 MiB.

    Runners of several groups may append to the same file: each write is one append, and whoever finds
    the file set aside by another just opens the new one.
    """

    def __init__(self, path: str, roll_at: int = ROLL_AT) -> None:
        self.path = path
        self._roll_at = roll_at
        self._stream: Optional[BinaryIO] = None

    def write(self, data: bytes) -> None:
        if self._stream is None:
            make_folder(os.path.dirname(self.path))
            self._stream = open(self.path, "ab", buffering=0)
        self._stream.write(data)
        if os.fstat(self._stream.fileno()).st_size > self._roll_at:
            self._roll()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _roll(self) -> None:
        assert self._stream is not None
        ours = os.fstat(self._stream.fileno()).st_ino
        self.close()
        try:
            if os.stat(self.path).st_ino != ours:
                return
            for number in range(ROLLED_FILES - 1, 0, -1):
                older = "%s.%d" % (self.path, number)
                if os.path.exists(older):
                    os.replace(older, "%s.%d" % (self.path, number + 1))
            os.replace(self.path, self.path + ".1")
        except FileNotFoundError:
            return  # another runner was faster


class ScriptLog:
    """The log of one event: every line goes to both files, the newest stay at hand."""

    def __init__(
        self,
        scripts_log: str,
        deployments_log: str,
        deployment_id: str,
        clock: Callable[[], float] = time.time,
        listen: Optional[Callable[[float, str, str], None]] = None,
    ) -> None:
        """Take the files, and who else hears each line: its time, its stream (``runner``: our own words), its text."""
        self._scripts = RollingFile(scripts_log)
        self._deployments = RollingFile(deployments_log)
        self._deployment_id = deployment_id
        self._clock = clock
        self._listen = listen
        self._newest: Deque[str] = deque()
        self._size = 0

    def line(self, text: str) -> None:
        """Log something that the runner itself has to say; ``[stderr]`` in front marks a warning."""
        mark = "[stderr]" if text.startswith("[stderr]") else ""
        self._write("runner", mark, text[len(mark) :])

    def output(self, stream: str, text: str) -> None:
        """Log a line that a script wrote to ``stdout`` or ``stderr``."""
        self._write(stream, "[%s]" % stream, text)

    def _write(self, stream: str, mark: str, text: str) -> None:
        now = self._clock()
        text = redact(text)
        if self._listen is not None:
            self._listen(now, stream, text)
        text = mark + text
        second = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        try:
            self._scripts.write(("%s %s\n" % (second, text)).encode("utf-8", "backslashreplace"))
            stamp = "[%s.%03d] [%s]" % (second, int(now * 1000) % 1000, self._deployment_id)
            self._deployments.write((stamp + text.strip() + "\n").encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # a full disk must not fail a deployment whose scripts succeed; the tail below still tells
        self._newest.append(text)
        self._size += len(text) + 1
        if self._size > 2 * _SCAN:
            self._forget_old()

    def tail(self) -> str:
        """Give the newest lines whose characters sum to less than 2,048.

        A newest line that is longer is cut at its front, not dropped.
        """
        kept: List[str] = []
        room = TAIL_CHARACTERS - 1
        for text in reversed(self._newest):
            room -= len(text) + 1
            if room < 0:
                break
            kept.append(text)
        if not kept and self._newest:
            kept.append(self._newest[-1][-(TAIL_CHARACTERS - 2) :])
        return "".join(text + "\n" for text in reversed(kept))

    def close(self) -> None:
        self._scripts.close()
        self._deployments.close()

    def _forget_old(self) -> None:
        while len(self._newest) > 1 and self._size > _SCAN:
            self._size -= len(self._newest.popleft()) + 1
