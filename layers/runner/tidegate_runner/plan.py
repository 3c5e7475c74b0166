"""Planning an Install: from the AppSpec and what is on the host to a list of instructions.

Nothing is changed here. Planning is done before the last revision is removed, with what it installed
taken for absent, so whatever stands in the way is found while the host still has its old revision.
"""

import os
from typing import Any, Dict, FrozenSet, List, Set

from tidegate_runner.errors import EventError
from tidegate_runner.instructions import Copy, Instruction, MakeFolder
from tidegate_runner.paths import HostPaths
from tidegate_runner.permissions import plan_permissions

_LISTED = 50


class View:
    """The host's files as they will be once the paths in `forgotten` are gone."""

    def __init__(self, host: HostPaths, forgotten: FrozenSet[str] = frozenset()) -> None:
        self._host = host
        self._forgotten = forgotten

    def is_folder(self, path: str) -> bool:
        return path not in self._forgotten and os.path.isdir(self._host.at(path))

    def exists(self, path: str) -> bool:
        """Tell whether something is there; a link that points nowhere counts as nothing."""
        return path not in self._forgotten and os.path.exists(self._host.at(path))

    def real(self, path: str) -> str:
        return self._host.at(path)


def make_plan(appspec: Dict[str, Any], behavior: str, archive: str, view: View) -> List[Instruction]:
    """Plan the Install of a revision.

    Parameters
    ----------
    appspec : dict
        Compiled form (host contract).
    behavior : str
        What to do with files that exist: DISALLOW, OVERWRITE or RETAIN.
    archive : str
        Logical path of the unpacked revision.
    view : View

    Returns
    -------
    list of Instruction
        Folders and copies first, in the order of ``files``, then permissions.

    Raises
    ------
    EventError
        Where the AppSpec contradicts itself or the host; all files in the way are named.
    """
    planner = _Planner(behavior, archive, view)
    for entry in appspec.get("files") or []:
        planner.add(os.path.normpath(archive + "/" + entry["source"]), entry["destination"])
    planner.refuse_collisions()
    changes = plan_permissions(appspec.get("permissions") or [], planner.copies, planner.folders, view.is_folder)
    return planner.instructions + changes


class _Planner:
    def __init__(self, behavior: str, archive: str, view: View) -> None:
        self.instructions: List[Instruction] = []
        self.copies: Dict[str, str] = {}
        self.folders: Set[str] = set()
        self._behavior = behavior
        self._archive = archive
        self._view = view
        self._known: Set[str] = set()
        self._in_the_way: List[str] = []
        self._missing: List[str] = []

    def add(self, source: str, destination: str) -> None:
        real = self._view.real(source)
        destination = "/" + os.path.normpath("/" + destination).lstrip("/")
        if os.path.isdir(real):
            self._add_folder(source, destination, frozenset())
        else:
            self._make_folders(destination)
            self._add_file(source, os.path.join(destination, os.path.basename(source)))

    def refuse_collisions(self) -> None:
        if self._missing:
            raise EventError("No such file or directory in the revision: %s" % _listed(self._missing))
        if self._in_the_way:
            raise EventError(
                "The deployment failed because a specified file already exists at this location: %s. "
                "The last revision was left as it is. Move what is in the way, or set the file exists behavior to "
                "OVERWRITE or RETAIN." % _listed(self._in_the_way)
            )

    def _add_folder(self, source: str, destination: str, above: FrozenSet[str]) -> None:
        real = os.path.realpath(self._view.real(source))
        if real in above:
            raise EventError("The revision's link %s leads back to a folder it is in." % source)
        self._make_folders(destination)
        for name in sorted(os.listdir(real)):
            inner = os.path.join(source, name)
            if os.path.isdir(self._view.real(inner)):
                self._add_folder(inner, os.path.join(destination, name), above | {real})
            else:
                self._add_file(inner, os.path.join(destination, name))

    def _make_folders(self, path: str) -> None:
        if path in self._known or path == "/":
            return
        self._make_folders(os.path.dirname(path))
        if path in self.copies:
            raise EventError(
                "The AppSpec file includes an mkdir command more than once for the same destination path: %s is to be "
                "a file (from %s) and a directory" % (path, self.copies[path])
            )
        if not self._view.is_folder(path):
            if self._view.exists(path):
                self._in_the_way.append(path + " (a directory is needed there)")
            _refuse_line_breaks(path)
            self.folders.add(path)
            self.instructions.append(MakeFolder(path))
        self._known.add(path)

    def _add_file(self, source: str, destination: str) -> None:
        if destination in self.copies:
            raise EventError(
                "The AppSpec file specifies two source files named %s and %s for the same destination %s"
                % (self.copies[destination], source, destination)
            )
        if destination in self.folders:
            raise EventError(
                "The AppSpec file cannot install %s: a file with that name already exists at the location (%s), "
                "planned as a directory" % (source, destination)
            )
        _refuse_line_breaks(destination)
        if not os.path.lexists(self._view.real(source)):
            self._missing.append(os.path.relpath(source, self._archive))
        if self._view.exists(destination) and not self._may_replace(destination):
            return
        self.copies[destination] = source
        self.instructions.append(Copy(source, destination))

    def _may_replace(self, destination: str) -> bool:
        if self._behavior == "RETAIN":
            return False
        if self._behavior == "OVERWRITE":
            if self._view.is_folder(destination):
                self._in_the_way.append(destination + " (a directory)")
            return True
        if self._behavior != "DISALLOW":
            raise EventError("An invalid option was specified for fileExistsBehavior: %s" % self._behavior)
        self._in_the_way.append(destination)
        return True


def _refuse_line_breaks(path: str) -> None:
    # The clean-up record has one path a line.
    if "\n" in path:
        raise EventError("The name of an installed file must not hold a line break: %r" % path)


def _listed(paths: List[str]) -> str:
    shown = ", ".join(paths[:_LISTED])
    more = " and %d more" % (len(paths) - _LISTED) if len(paths) > _LISTED else ""
    return "%s (%d in all%s)" % (shown, len(paths), more) if len(paths) > 1 else shown
