"""What a stage prints, on disk until it is home.

A stage's folder holds numbered segments of JSON lines. The writer appends to the last one; an earlier one never
changes again, and is deleted once it is uploaded. So a crash loses no line, memory stays small, and what could not
be uploaded lies there for the next command on this host.
"""

import json
import os
import time
from typing import Any, List, NamedTuple, Optional, Tuple

from tidegate_runner.files import make_folder, remove_tree
from tidegate_runner.lock import FileLock
from tidegate_runner.system import IS_WINDOWS, PLAIN

SEGMENT_BYTES = 64 * 1024
# Fewer, larger uploads where a script prints faster than one small upload a second.
SEGMENT_BYTES_BEHIND = 512 * 1024
MOST_BYTES = 64 * 1024 * 1024
MOST_BYTES_ALL = 512 * 1024 * 1024
KEPT_SECONDS = 30 * 24 * 3600
END = "end"

_SUFFIX = ".jsonl"
_LOCK = "lock"
_FULL = "The output is longer than the %d bytes that are kept of a stage; the rest is only in the logs on the host."


class Segment(NamedTuple):
    number: int
    path: str


class SpooledStage(NamedTuple):
    """A stage of which something is spooled."""

    deployment: str
    stage: str
    folder: str


class Spool:
    """The writer of one stage. Nothing it meets is raised: a full disk must not fail a deployment."""

    def __init__(self, folder: str, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self.behind = False
        self._room = most_bytes
        self._most = most_bytes
        self._lock = FileLock(os.path.join(folder, _LOCK))
        self._number = -1
        self._size = 0
        self._descriptor: Optional[int] = None

    @property
    def number(self) -> int:
        """The number of the segment that is being written; earlier ones do not change any more."""
        return self._number

    def write(self, now: float, event: str, stream: str, text: str) -> None:
        """Keep a line."""
        if self._room < 0:
            return
        line = _record(now, event, stream, text)
        self._room -= len(line)
        if self._room < 0:
            line = _record(now, event, "runner", _FULL % self._most)
        self._append(line)

    def end(self, now: float, status: str) -> None:
        """Note that the stage has ended: nothing follows."""
        self._append(_record(now, "", END, status))

    def seal(self) -> None:
        """Write no more: no segment changes from now on."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._number += 1

    def close(self) -> None:
        """Let another process send what is left; nothing of it, and the folder goes."""
        self.seal()
        if IS_WINDOWS:
            self._lock.release()  # a file that is open there cannot be removed
        if not segments(self.folder) and os.path.isdir(self.folder):
            remove_stage(self.folder)
        self._lock.release()

    def _append(self, line: bytes) -> None:
        try:
            if self._descriptor is None or self._size >= (SEGMENT_BYTES_BEHIND if self.behind else SEGMENT_BYTES):
                self._open_next()
            assert self._descriptor is not None
            os.write(self._descriptor, line)
        except OSError:
            return
        self._size += len(line)

    def _open_next(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        else:
            make_folder(self.folder, 0o700)
            self._lock.try_acquire()
            earlier = segments(self.folder)
            self._number = earlier[-1].number if earlier else -1
        path = os.path.join(self.folder, "%06d%s" % (self._number + 1, _SUFFIX))
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | PLAIN, 0o600)
        self._number += 1
        self._size = 0


def _record(now: float, event: str, stream: str, text: str) -> bytes:
    return json.dumps([round(now, 3), event, stream, text], separators=(",", ":")).encode("ascii") + b"\n"


def segments(folder: str) -> List[Segment]:
    """List the segments of a stage in their order."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    numbers = sorted(int(name[: -len(_SUFFIX)]) for name in names if name.endswith(_SUFFIX) and name[0].isdigit())
    return [Segment(number, os.path.join(folder, "%06d%s" % (number, _SUFFIX))) for number in numbers]


def read_segment(segment: Segment) -> bytes:
    """Give a segment's whole lines; nothing where it is gone."""
    try:
        with open(segment.path, "rb") as stream:
            data = stream.read()
    except OSError:
        return b""
    return data[: data.rfind(b"\n") + 1]


def spooled_stages(root: str) -> List[SpooledStage]:
    """List the stages that have left something, the oldest first."""
    found: List[Tuple[float, SpooledStage]] = []
    for deployment in _names(root):
        for stage in _names(os.path.join(root, deployment)):
            folder = os.path.join(root, deployment, stage)
            if any(_size(segment.path) for segment in segments(folder)):
                found.append((_changed(folder), SpooledStage(deployment, stage, folder)))
    return [stage for _, stage in sorted(found)]


def is_ended(data: bytes) -> bool:
    """Whether the last line of a segment says that the stage has ended."""
    last = data[data.rfind(b"\n", 0, -1) + 1 :]
    try:
        record: Any = json.loads(last.decode("ascii"))
    except ValueError:
        return False
    return isinstance(record, list) and len(record) == 4 and record[2] == END


def writer_lock(folder: str) -> FileLock:
    """The lock that a stage's writer holds as long as it lives."""
    return FileLock(os.path.join(folder, _LOCK))


def remove_stage(folder: str) -> None:
    """Remove a stage's folder, and its deployment's when it was the last one."""
    try:
        remove_tree(folder)
    except OSError:
        return  # the next command tries again
    try:
        os.rmdir(os.path.dirname(folder))
    except OSError:
        pass  # another stage's is there


def prune(root: str, now: float = 0.0, most_bytes: int = MOST_BYTES_ALL) -> None:
    """Remove what nobody will ask for any more, and the oldest of what is too much."""
    now = now or time.time()
    stages = []
    for deployment in _names(root):
        for stage in _names(os.path.join(root, deployment)):
            folder = os.path.join(root, deployment, stage)
            stages.append((_changed(folder), sum(_size(segment.path) for segment in segments(folder)), folder))
    total = sum(size for _, size, _ in stages)
    for changed, size, folder in sorted(stages):
        if total <= most_bytes and now - changed < KEPT_SECONDS:
            continue
        lock = writer_lock(folder)
        try:
            if lock.try_acquire():
                remove_stage(folder)
                total -= size
        except OSError:
            continue
        finally:
            lock.release()


def _names(folder: str) -> List[str]:
    try:
        return sorted(name for name in os.listdir(folder) if os.path.isdir(os.path.join(folder, name)))
    except OSError:
        return []


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _changed(folder: str) -> float:
    try:
        return os.stat(folder).st_mtime
    except OSError:
        return 0.0
