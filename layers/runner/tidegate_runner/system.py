"""What differs between operating systems, chosen once: where there is no ``fcntl``, it is Windows.

The rest of the runner asks here and looks at no platform itself. What is for Windows alone is in the modules
``windows*``; they have not been run on Windows yet (docs/host-behaviour.md says what was run in its place).
"""

import errno
import os

__all__ = [
    "APART",
    "IS_WINDOWS",
    "NAME",
    "PLAIN",
    "free_bytes",
    "is_ours",
    "is_root",
    "remove_folder",
    "replace",
    "sync_folder",
    "try_lock",
    "wait_for_lock",
]

try:
    import fcntl
except ImportError:
    IS_WINDOWS = True
else:
    IS_WINDOWS = False

#: As an AppSpec spells it.
NAME = "windows" if IS_WINDOWS else "linux"
#: For ``os.open``: never through a link, and bytes as they are.
PLAIN: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)

if IS_WINDOWS:
    from tidegate_runner.windows import (
        APART,
        free_bytes,
        is_ours,
        is_root,
        remove_folder,
        replace,
        sync_folder,
        try_lock,
        wait_for_lock,
    )
else:
    #: For ``subprocess``: a program that outlives the command and gets none of its signals.
    APART = {"start_new_session": True}

    def replace(source: str, target: str) -> None:
        """Rename, in the place of what is there."""
        os.rename(source, target)

    def try_lock(descriptor: int) -> bool:
        """Take an exclusive lock on an open file if it is free; it ends with the descriptor."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise
        return True

    def wait_for_lock(descriptor: int) -> None:
        """Take an exclusive lock on an open file, waiting for as long as its holder lives."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def sync_folder(path: str) -> None:
        """Make what was made or renamed in a folder last through a loss of power."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(descriptor)

    def free_bytes(folder: str) -> int:
        """Tell how much room an unprivileged user has on a folder's disk."""
        status = os.statvfs(folder)
        return status.f_bavail * status.f_frsize

    def is_root() -> bool:
        """Tell whether this process may give files to other users."""
        return os.geteuid() == 0

    def is_ours(status: os.stat_result, path: str) -> bool:
        """Tell whether nobody else can have written a file."""
        return status.st_uid == os.geteuid() and not status.st_mode & 0o022

    def remove_folder(path: str) -> None:
        """Remove a folder with all it holds."""
        import shutil  # with its many imports, for the few who remove something

        shutil.rmtree(path)
