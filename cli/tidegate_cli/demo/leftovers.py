"""What an instance of the local cloud has left behind: processes, namespaces, mounts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["leftovers", "namespaces_of"]

KINDS = ("mnt", "pid", "uts", "user")
PROC = Path("/proc")


def namespaces_of(pids: list[int]) -> frozenset[str]:
    """Return the namespaces of processes that are not our own, as the kernel names them: ``mnt:[4026532…]``."""
    own = _namespaces("self")
    return frozenset(name for pid in pids for name in _namespaces(str(pid)) - own)


def leftovers(directory: Path, namespaces: frozenset[str]) -> list[str]:
    """Return a line for each process or mount that belongs to the instance in `directory`.

    A process belongs to it when it lives in one of its `namespaces`, has the folder in its command line, or
    was started with ``TIDEGATE_LOCAL_DIR`` naming it. A namespace or a mount lives only as long as a process
    that holds it, or in our own table of mounts.
    """
    found = [
        f"process {pid}: {_command(pid) or 'no command line'}"
        for pid in _processes()
        if _belongs(pid, directory, namespaces)
    ]
    for line in _text(PROC / "self" / "mountinfo").splitlines():
        mount_point = line.split()[4]
        if Path(mount_point).is_relative_to(directory):
            found.append(f"mount {mount_point}")
    return found


def _processes() -> Iterator[str]:
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            yield entry.name


def _belongs(pid: str, directory: Path, namespaces: frozenset[str]) -> bool:
    if _text(PROC / pid / "stat").rpartition(")")[2].split()[:1] in ([], ["Z"], ["X"]):
        return False
    variables = _text(PROC / pid / "environ").split("\0")
    return (
        bool(namespaces & _namespaces(pid))
        or f"{directory}/" in _command(pid) + "/"
        or f"TIDEGATE_LOCAL_DIR={directory}" in variables
    )


def _namespaces(pid: str) -> frozenset[str]:
    found = set()
    for kind in KINDS:
        # Another user's process is closed to us, and any may end while we look.
        with suppress(OSError):
            found.add(str((PROC / pid / "ns" / kind).readlink()))
    return frozenset(found)


def _command(pid: str) -> str:
    return _text(PROC / pid / "cmdline").replace("\0", " ").strip()


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_bytes().decode(errors="replace")
    return ""
