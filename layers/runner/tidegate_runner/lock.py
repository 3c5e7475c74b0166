"""Locks between runner processes: the system's own on files, so a dead holder never blocks anyone."""

import json
import os
import time
from typing import Any, Callable, Dict, Optional

from tidegate_runner.errors import EventError
from tidegate_runner.files import make_folder
from tidegate_runner.system import PLAIN, try_lock, wait_for_lock

_POLL = 0.2


class FileLock:
    """An exclusive lock, held until released or until the process ends."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor: Optional[int] = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free."""
        descriptor = self._open()
        taken = False
        try:
            taken = try_lock(descriptor)
        finally:
            if not taken:
                os.close(descriptor)
        if taken:
            self._descriptor = descriptor
        return taken

    def acquire(self) -> None:
        """Take the lock, waiting for as long as its holder lives."""
        descriptor = self._open()
        wait_for_lock(descriptor)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def note(self, holder: Dict[str, Any]) -> None:
        """Leave word of who holds it, for the messages of those who wait."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, json.dumps(holder).encode("ascii"))

    def holder(self) -> Dict[str, Any]:
        try:
            with open(self.path, "rb") as stream:
                noted = json.loads(stream.read().decode("ascii"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def _open(self) -> int:
        make_folder(os.path.dirname(self.path))
        return os.open(self.path, os.O_RDWR | os.O_CREAT | PLAIN, 0o600)


def acquire_group_lock(
    path: str,
    holder: Dict[str, Any],
    wait_seconds: float,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FileLock:
    """Take a deployment group's lock on this host, waiting for another deployment at most so long.

    Raises
    ------
    EventError
        When another deployment of the group still runs after `wait_seconds`.
    """
    lock = FileLock(path)
    deadline = monotonic() + wait_seconds
    while not lock.try_acquire():
        if monotonic() >= deadline:
            other = lock.holder()
            raise EventError(
                "Another deployment of this deployment group is in progress on this host: %s (stage %s, process %s). "
                "It was waited for %d seconds. Deploy again when it has ended."
                % (other.get("deploymentId", "unknown"), other.get("stage", "?"), other.get("pid", "?"), wait_seconds)
            )
        sleep(_POLL)
    lock.note(holder)
    return lock
