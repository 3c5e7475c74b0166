"""The record of what an Install made, and its undoing at the next Install of the same group."""

import os
import stat
import subprocess
from typing import Callable, FrozenSet, List, Optional

from tidegate_runner.files import describe, make_folder
from tidegate_runner.paths import HostPaths

_CONTEXT = "semanage\0"
PARTIAL_PREFIX = ".tidegate-part-"


def partial_name(group_id: str) -> str:
    """Give the name under which a file is written before it gets its own."""
    return PARTIAL_PREFIX + group_id


class CleanupRecord:
    """One line a thing to undo: a path, or ``semanage`` NUL path. Later lines are undone first."""

    def __init__(self, host: HostPaths, group_id: str) -> None:
        self._host = host
        self._group_id = group_id
        self.path = host.instructions(group_id + "-cleanup")
        self._descriptor: Optional[int] = None

    def lines(self) -> List[str]:
        """Read the record. A last line without its end was being written in a crash and does not count."""
        if not self._is_trustworthy():
            return []
        with open(self.path, "rb") as stream:
            return [os.fsdecode(line) for line in stream.read().split(b"\n")[:-1] if line]

    def paths(self) -> FrozenSet[str]:
        return frozenset(line for line in self.lines() if not line.startswith(_CONTEXT))

    def undo(self, log: Callable[[str], None]) -> None:
        """Remove what is recorded, newest first, then the record."""
        removed, kept = 0, []
        lines = self.lines()
        for line in reversed(lines):
            if line.startswith(_CONTEXT):
                self._forget_context(line[len(_CONTEXT) :])
            elif self._remove(line):
                removed += 1
            elif os.path.lexists(self._host.at(line)):
                kept.append(line)
        if lines:
            log("Removed %d of %d files and directories of the last install." % (removed, len(lines)))
        for path in kept:
            log("Kept the directory %s: it holds files the last install did not make." % path)
        if os.path.lexists(self.path):
            os.unlink(self.path)

    def start(self) -> None:
        make_folder(os.path.dirname(self.path))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW
        self._descriptor = os.open(self.path, flags, 0o644)

    def add(self, path: str) -> None:
        """Record a path. It is with the kernel when this returns, so the runner's death cannot lose it."""
        assert self._descriptor is not None
        os.write(self._descriptor, os.fsencode(path) + b"\n")

    def add_context(self, path: str) -> None:
        self.add(_CONTEXT + path)

    def close(self) -> None:
        if self._descriptor is not None:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _is_trustworthy(self) -> bool:
        """Tell whether nobody else could have written it: it names files that are going to be removed."""
        try:
            status = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022

    def _remove(self, logical: str) -> bool:
        real = self._host.at(logical)
        partial = os.path.join(os.path.dirname(real), partial_name(self._group_id))
        if os.path.lexists(partial):
            os.unlink(partial)
        try:
            if os.path.isdir(real) and not os.path.islink(real):
                os.rmdir(real)
            else:
                os.unlink(real)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if os.path.isdir(real):
                return False  # not empty, or a mount point
            raise OSError(error.errno, "cannot remove a file of the last install (%s)" % describe(error)) from None
        return True

    def _forget_context(self, logical: str) -> None:
        try:
            subprocess.call(
                ["semanage", "fcontext", "-d", os.path.realpath(self._host.at(logical))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return
