"""Unpacking and copying on Windows, where files have neither modes nor owners that matter. Not run on Windows yet.

Who may read and write a file follows from the folder it is made in.
"""

import os
import shutil
import stat
from typing import BinaryIO, Dict, Optional, Tuple

from tidegate_runner.errors import EventError
from tidegate_runner.system import replace
from tidegate_runner.tree import Limits, Owner, Tree, safe_name
from tidegate_runner.windows_names import check_member


class WindowsTree(Tree):
    """A folder under construction: no modes, no links, and only names that Windows has files for."""

    def __init__(self, root: str, limits: Limits) -> None:
        super().__init__(root, limits)
        self._spelt: Dict[str, str] = {}

    def add_folder(self, name: str, mode: int, mtime: Optional[float], owner: Owner = None) -> None:
        self._make_folder(self._name(name)[0])

    def add_file(
        self, name: str, source: BinaryIO, size: int, mode: int, mtime: Optional[float], owner: Owner = None
    ) -> None:
        """Write a file of exactly `size` bytes; a member of the same name that came earlier is replaced."""
        path = self._file_name(name)
        super().add_file(path, source, size, mode, None)
        if mtime is not None:
            os.utime(self.root + "/" + path, (mtime, mtime))

    def add_hard_link(self, name: str, target: str) -> None:
        super().add_hard_link(self._file_name(name), self._file_name(target))

    def add_symbolic_link(self, name: str, target: str, owner: Owner = None) -> None:
        raise EventError(
            "The bundle holds the link %r, and links are not made on Windows. Put a copy in its place." % name
        )

    def _file_name(self, name: str) -> str:
        path, other = self._name(name)
        if other:
            raise EventError(
                "The bundle holds %r and %r: Windows does not tell capital letters from small ones." % (path, other)
            )
        return path

    def _name(self, name: str) -> Tuple[str, str]:
        """Give a member's path as it was first spelt, and its own spelling where its last part differs."""
        check_member(name)
        walked = ""
        spelt = []
        parts = safe_name(name).split("/")
        for part in parts:
            walked += "/" + part.lower()
            spelt.append(self._spelt.setdefault(walked, part))
        path = "/".join(spelt)
        return path, "" if spelt[-1] == parts[-1] else "/".join(parts)


def copy_file(source: str, destination: str, partial: str) -> None:
    """Copy a file with its time, in one step as seen from outside; what is read-only is replaced as well."""
    temporary = os.path.join(os.path.dirname(destination), partial)
    shutil.copyfile(source, temporary)
    changed = os.stat(source).st_mtime_ns
    os.utime(temporary, ns=(changed, changed))
    try:
        if os.path.lexists(destination) and not os.access(destination, os.W_OK):
            os.chmod(destination, stat.S_IWRITE)
        replace(temporary, destination)
    except OSError:
        os.unlink(temporary)
        raise
