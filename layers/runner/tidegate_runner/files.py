"""Writing files so that a crash leaves the old content or the new, never half."""

import json
import os
from typing import Any, Iterable, Optional

from tidegate_runner.system import PLAIN, remove_folder, replace, sync_folder


def make_folder(path: str, mode: int = 0o755) -> None:
    os.makedirs(path, mode=mode, exist_ok=True)


def write_atomically(path: str, data: bytes, mode: int = 0o644) -> None:
    """Replace a file's content in one step and make it last through a loss of power."""
    write_pieces(path, (data,), mode)


def write_pieces(path: str, pieces: Iterable[bytes], mode: int = 0o644) -> None:
    """Do the same with content that need not be in memory as a whole."""
    make_folder(os.path.dirname(path))
    temporary = "%s.%d.tmp" % (path, os.getpid())
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | PLAIN, mode)
    with os.fdopen(descriptor, "wb") as stream:
        for piece in pieces:
            stream.write(piece)
        stream.flush()
        os.fsync(stream.fileno())
    replace(temporary, path)
    sync_folder(os.path.dirname(path))


def write_json(path: str, value: Any, mode: int = 0o644) -> None:
    write_atomically(path, json.dumps(value).encode("ascii"), mode)


def read_json(path: str) -> Optional[Any]:
    """Read a JSON file; ``None`` when it is not there or not whole."""
    try:
        with open(path, "rb") as stream:
            return json.loads(stream.read().decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def read_text(path: str) -> Optional[str]:
    try:
        with open(path, "rb") as stream:
            return os.fsdecode(stream.read())
    except (FileNotFoundError, NotADirectoryError):
        return None


def remove_tree(path: str) -> None:
    """Remove a folder with all it holds; nothing happens when it is not there."""
    if os.path.islink(path):
        os.unlink(path)
    elif os.path.lexists(path):
        remove_folder(path)


def describe(error: OSError) -> str:
    """Say what the system refused, and where, without the number Python puts in front."""
    where = ": %s" % error.filename if error.filename else ""
    return "%s%s" % (error.strerror or type(error).__name__, where)
