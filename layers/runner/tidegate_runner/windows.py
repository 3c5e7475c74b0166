"""What the runner asks of Windows, in the place of Linux's calls. Not run on Windows yet.

Tests run these lines on Linux over stand-ins for ``msvcrt`` and Windows' programs.
"""

import errno
import os
import stat
import subprocess
import time
from typing import Any, Callable, Dict, List

from tidegate_runner.windows_names import POWERSHELL, system_program

_NEW_GROUP = 0x200  # CREATE_NEW_PROCESS_GROUP
_NO_WINDOW = 0x8000000  # CREATE_NO_WINDOW: a console of its own, which nobody sees
_BREAKAWAY = 0x1000000  # CREATE_BREAKAWAY_FROM_JOB
# Behind anything that is ever written: a locked byte cannot be read by others.
_LOCKED_BYTE = 1 << 30
_POLL = 0.2
_PATIENCE = 5.0
# The system, the administrators.
_OWNERS = ("S-1-5-18", "S-1-5-32-544")

#: For ``subprocess``: a program that outlives the command and its console.
APART: Dict[str, Any] = {"creationflags": _NO_WINDOW | _NEW_GROUP}


def start_apart(command: List[str], **more: Any) -> "subprocess.Popen[bytes]":
    """Start a program that outlives the command, also where that is in a job that ends with it."""
    try:
        return subprocess.Popen(command, creationflags=_NO_WINDOW | _NEW_GROUP | _BREAKAWAY, **more)
    except PermissionError:  # the job does not let go of its processes
        return subprocess.Popen(command, creationflags=_NO_WINDOW | _NEW_GROUP, **more)


def try_lock(descriptor: int) -> bool:
    """Take an exclusive lock on an open file if it is free; it ends with the descriptor."""
    import msvcrt

    os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True


def wait_for_lock(descriptor: int) -> None:
    """Take an exclusive lock on an open file, waiting for as long as its holder lives."""
    while not try_lock(descriptor):
        time.sleep(_POLL)


def replace(source: str, target: str) -> None:
    """Rename, in the place of what is there. Who reads a file keeps it from being replaced, for a moment as a rule."""
    _patiently(lambda: os.replace(source, target))


def _patiently(action: Callable[[], None]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            action()
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL)
        else:
            return


def remove_folder(path: str) -> None:
    """Remove a folder with all it holds, files that are read-only included."""
    import shutil

    def again(function: Callable[[str], None], name: str, _: Any) -> None:
        os.chmod(name, stat.S_IWRITE)
        _patiently(lambda: function(name))

    shutil.rmtree(path, onerror=again)


def sync_folder(path: str) -> None:
    """Do nothing: Windows opens no folders to flush them."""


def free_bytes(folder: str) -> int:
    """Tell how much room there is on a folder's disk."""
    import shutil

    return shutil.disk_usage(folder).free


def is_root() -> bool:
    """Tell whether this process may give files to other users: on Windows it never does."""
    return False


def is_ours(status: os.stat_result, path: str) -> bool:
    """Tell whether a file is of the system or the administrators; PowerShell knows."""
    show = "(Get-Acl -LiteralPath $env:TIDEGATE_FILE).GetOwner([Security.Principal.SecurityIdentifier]).Value"
    try:
        output = subprocess.check_output(
            [system_program(POWERSHELL, os.environ), "-NoProfile", "-NonInteractive", "-Command", show],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ, TIDEGATE_FILE=path.replace("/", "\\")),
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return output.decode("ascii", "replace").strip() in _OWNERS
