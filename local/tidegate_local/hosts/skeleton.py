"""Folders an ordinary user can write to, laid over the machine's own.

In a user namespace only one user exists. Folders that belong to the machine's root belong to nobody
there, and even the host's root may not write to them. An overlay takes a folder's owner from its
uppermost layer; so a layer of empty folders with the names of the machine's makes them the host's.
Files keep their owner: they can be read and replaced, not changed in place.
"""

import os
import stat
from collections import deque
from contextlib import suppress
from pathlib import Path

#: Where programs are installed and keep their files; elsewhere only the uppermost folders are covered.
_AREAS = ("etc", "opt", "srv", "var", "usr", "home", "root", "mnt", "media")
_MAX_FOLDERS = 4_000


def build(machine: Path, layer: Path, owner: int, limit: int = _MAX_FOLDERS) -> int:
    """Fill `layer` with empty folders named like those of `machine`, nearest to the root first.

    Parameters
    ----------
    owner : the user's id, as it is seen here: below a folder of the user's own nothing needs covering
    limit : how many folders to make at most

    Returns
    -------
    int : how many were made
    """
    made = 0
    pending = deque(area for area in _AREAS if (machine / area).is_dir() and not (machine / area).is_symlink())
    while pending and made < limit:
        name = pending.popleft()
        with suppress(OSError):
            details = (machine / name).stat()
            copy = layer / name
            copy.mkdir(parents=True, exist_ok=True)
            copy.chmod(stat.S_IMODE(details.st_mode) | stat.S_IRWXU)
            made += 1
            if not os.access(machine / name, os.R_OK | os.X_OK):
                _hide_lower(copy)
            elif details.st_uid != owner:
                pending.extend(_folders_in(machine / name, name))
    return made


def _folders_in(folder: Path, name: str) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(f"{name}/{entry.name}" for entry in entries if entry.is_dir(follow_symlinks=False))


def _hide_lower(folder: Path) -> None:
    """Show an unreadable folder as an empty one, not as one that fails when it is listed."""
    with suppress(OSError):  # file systems without user attributes: it then fails when listed
        os.setxattr(folder, "user.overlay.opaque", b"y")
