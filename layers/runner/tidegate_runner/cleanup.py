"""The record of what an Install made, and its undoing at the next Install of the same group."""

import os
import stat
from typing import Callable, FrozenSet, Iterator, List, NamedTuple, Optional, Tuple

from tidegate_runner.files import describe, make_folder
from tidegate_runner.many import PathSet
from tidegate_runner.paths import HostPaths, logical_path
from tidegate_runner.system import IS_WINDOWS, PLAIN, is_ours

_CONTEXT = "semanage\0"
# A path with a line break would be two lines: it is written with that and "%" as %0A and %25 behind this mark.
_QUOTED = "quoted\0"
_BLOCK = 64 * 1024
PARTIAL_PREFIX = ".tidegate-part-"


def partial_name(group_id: str) -> str:
    """Give the name under which a file is written before it gets its own."""
    return PARTIAL_PREFIX + group_id


class Forecast(NamedTuple):
    """What undoing would do: paths that go, and directories that stay for what else they hold."""

    removed: PathSet
    kept: Tuple[str, ...]


class CleanupRecord:
    """One line a thing to undo: a path, or ``semanage`` NUL path. Later lines are undone first."""

    def __init__(self, host: HostPaths, group_id: str) -> None:
        self._host = host
        self._group_id = group_id
        self.path = host.instructions(group_id + "-cleanup")
        self._descriptor: Optional[int] = None

    def lines(self) -> List[str]:
        """Read the record, newest first. Long ones are better read by ``newest_first``."""
        return list(self.newest_first())

    def newest_first(self) -> Iterator[str]:
        """Read the record backwards.

        A last line without its end was being written in a crash and does not count.
        """
        if not self._is_trustworthy():
            return
        with open(self.path, "rb") as stream:
            left, rest, is_cut = stream.seek(0, os.SEEK_END), b"", True
            while left > 0:
                size = min(_BLOCK, left)
                left -= size
                stream.seek(left)
                lines = (stream.read(size) + rest).split(b"\n")
                rest = lines[0]
                for line in reversed(lines[1:]):
                    if line and not is_cut:
                        yield _path_of(line)
                    is_cut = False
            if rest and not is_cut:
                yield _path_of(rest)

    def paths(self) -> FrozenSet[str]:
        return frozenset(line for line in self.newest_first() if not line.startswith(_CONTEXT))

    def forecast(self) -> Forecast:
        """Tell what ``undo`` would remove and keep, without touching anything."""
        removed = PathSet()
        kept: List[str] = []
        for line in self.newest_first():
            if line.startswith(_CONTEXT):
                continue
            real = self._host.at(line)
            status = _status(real)
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                # What is written beside a file on its way is ours as well.
                left = set(os.listdir(real)).difference(removed.names(line), (partial_name(self._group_id),))
                if left or os.path.ismount(real):
                    kept.append(line)
                    continue
            removed.add(line)
        return Forecast(removed, tuple(kept))

    def undo(self, log: Callable[[str], None]) -> None:
        """Remove what is recorded, newest first, then the record."""
        removed, number, kept = 0, 0, []
        self._remove_partials()
        for line in self.newest_first():
            number += 1
            if line.startswith(_CONTEXT):
                self._forget_context(line[len(_CONTEXT) :])
                continue
            gone, stays = self._remove(line)
            removed += gone
            if stays:
                kept.append(line)
        if number:
            log("Removed %d of %d files and directories of the last install." % (removed, number))
        for path in kept:
            log("Kept the directory %s: it holds files the last install did not make." % path)
        if os.path.lexists(self.path):
            os.unlink(self.path)

    def start(self) -> None:
        make_folder(os.path.dirname(self.path))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | PLAIN
        self._descriptor = os.open(self.path, flags, 0o644)

    def add(self, path: str) -> None:
        """Record a path. It is with the kernel when this returns, so the runner's death cannot lose it."""
        assert self._descriptor is not None
        os.write(self._descriptor, os.fsencode(_quoted(path)) + b"\n")

    def add_context(self, path: str) -> None:
        self.add(_CONTEXT + path)

    def close(self) -> None:
        if self._descriptor is not None:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _is_trustworthy(self) -> bool:
        """Tell whether nobody else could have written it: it names files that are going to be removed."""
        status = _status(self.path)
        if status is None:
            return False
        return stat.S_ISREG(status.st_mode) and is_ours(status, self.path)

    def _remove_partials(self) -> None:
        """Remove files whose copying a crash cut short."""
        name = partial_name(self._group_id)
        for folder in {os.path.dirname(line) for line in self.newest_first() if not line.startswith(_CONTEXT)}:
            partial = os.path.join(self._host.at(folder), name)
            if os.path.lexists(partial):
                os.unlink(partial)

    def _remove(self, logical: str) -> Tuple[bool, bool]:
        """Remove a file, link or empty directory; tell whether that was done, and whether it is a kept directory."""
        real = self._host.at(logical)
        try:
            try:
                os.unlink(real)
            except (IsADirectoryError, PermissionError):
                if os.path.isdir(real) and not os.path.islink(real):
                    os.rmdir(real)
                elif IS_WINDOWS:  # read-only, perhaps
                    os.chmod(real, stat.S_IWRITE)
                    os.unlink(real)
                else:
                    raise
        except (FileNotFoundError, NotADirectoryError):
            return False, False
        except OSError as error:
            if os.path.isdir(real):
                return False, True  # not empty, or a mount point
            raise OSError(error.errno, "cannot remove a file of the last install (%s)" % describe(error)) from None
        return True, False

    def _forget_context(self, logical: str) -> None:
        import subprocess

        try:
            subprocess.call(
                ["semanage", "fcontext", "-d", os.path.realpath(self._host.at(logical))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return


def _status(path: str) -> Optional[os.stat_result]:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _quoted(path: str) -> str:
    if "\n" not in path:
        return path
    return _QUOTED + path.replace("%", "%25").replace("\n", "%0A")


def _path_of(line: bytes) -> str:
    path = _unquoted(os.fsdecode(line))
    return logical_path(path) if IS_WINDOWS else path


def _unquoted(line: str) -> str:
    if not line.startswith(_QUOTED):
        return line
    return line[len(_QUOTED) :].replace("%0A", "\n").replace("%25", "%")
