"""Planning an Install: from the AppSpec and what is on the host to a list of instructions.

Nothing is changed here. Planning is done before the last revision is removed, with what it installed
taken for absent, so whatever stands in the way is found while the host still has its old revision.
"""

import os
import posixpath
from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Set, Tuple, Union

from tidegate_runner.errors import EventError
from tidegate_runner.instructions import Copy, MakeFolder
from tidegate_runner.many import Destinations, Instructions, PathSet
from tidegate_runner.paths import HostPaths, destination_path, drive_of
from tidegate_runner.permissions import plan_permissions
from tidegate_runner.system import IS_WINDOWS

if IS_WINDOWS:
    from tidegate_runner.windows_names import refuse_doubles, same

_LISTED = 50


class View:
    """The host's files as they will be once the paths in `forgotten` are gone."""

    def __init__(
        self, host: HostPaths, forgotten: Union[PathSet, Iterable[str]] = (), archive: Tuple[str, str] = ("", "")
    ) -> None:
        """Take also a logical folder that is elsewhere for now, and the real one that stands for it."""
        self._host = host
        self._forgotten: Union[PathSet, FrozenSet[str]]
        if IS_WINDOWS:
            self._forgotten = frozenset(same(path) for path in forgotten)
        else:
            self._forgotten = forgotten if isinstance(forgotten, PathSet) else frozenset(forgotten)
        self._archive = archive

    def is_folder(self, path: str) -> bool:
        return not self._is_forgotten(path) and os.path.isdir(self._host.at(path))

    def exists(self, path: str) -> bool:
        """Tell whether something is there; a link that points nowhere counts as nothing."""
        return not self._is_forgotten(path) and os.path.exists(self._host.at(path))

    def _is_forgotten(self, path: str) -> bool:
        return (same(path) if IS_WINDOWS else path) in self._forgotten

    def known_name(self, folder: str, name: str) -> str:
        """Give a name as it is kept among what is forgotten, where it is."""
        if isinstance(self._forgotten, PathSet):
            return self._forgotten.kept(folder, name) or name
        return name

    def real(self, path: str) -> str:
        logical, real = self._archive
        if logical and (path == logical or path.startswith(logical + "/")):
            return real + path[len(logical) :]
        return self._host.at(path)


class InTheWay(NamedTuple):
    """Something at a path where the Install needs a ``file`` or a ``directory``."""

    path: str
    needed: str
    note: str = ""


class Plan(NamedTuple):
    """What an Install would do, and what keeps it from doing so."""

    instructions: Instructions
    in_the_way: List[InTheWay]
    retained: List[str]
    missing: List[str]
    warnings: List[str]

    def refuse(self) -> None:
        """Raise an ``EventError`` that names all that is missing, or else all that is in the way."""
        if self.missing:
            raise EventError("No such file or directory in the revision: %s" % _listed(self.missing))
        if self.in_the_way:
            raise EventError(
                "The deployment failed because a specified file already exists at this location: %s. "
                "The last revision was left as it is. Move what is in the way, or set the file exists behavior to "
                "OVERWRITE or RETAIN." % _listed([found.path + found.note for found in self.in_the_way])
            )


def make_plan(appspec: Dict[str, Any], behavior: str, archive: str, view: View) -> Plan:
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
    Plan
        Its instructions are folders and copies first, in the order of ``files``, then permissions.

    Raises
    ------
    EventError
        Where the AppSpec contradicts itself or names users the host does not have.
    """
    planner = _Planner(behavior, archive, view)
    for entry in appspec.get("files") or []:
        planner.add(entry["source"].replace("\\", "/") if IS_WINDOWS else entry["source"], entry["destination"])
    warnings: List[str] = []
    permissions = appspec.get("permissions") or []
    if IS_WINDOWS:
        refuse_doubles((copy.source, copy.destination) for copy in planner.instructions if isinstance(copy, Copy))
        if permissions:
            raise EventError("permissions are not supported on Windows; set rights in a script")
    copies = Destinations(planner.instructions)
    for change in plan_permissions(permissions, copies, planner.folders, view.is_folder, warnings.append):
        planner.instructions.append(change)
    return Plan(planner.instructions, planner.in_the_way, planner.retained, planner.missing, warnings)


class _Planner:
    def __init__(self, behavior: str, archive: str, view: View) -> None:
        self.instructions = Instructions()
        self.folders: Set[str] = set()
        self.in_the_way: List[InTheWay] = []
        self.retained: List[str] = []
        self.missing: List[str] = []
        self._behavior = behavior
        self._archive = archive
        self._view = view
        self._known: Set[str] = set()

    def add(self, named: str, destination: str) -> None:
        source = posixpath.normpath(self._archive + "/" + named)
        if source != self._archive and not source.startswith(self._archive + "/"):
            raise EventError("The AppSpec file names a source outside of the revision: %s" % named)
        real = self._view.real(source)
        destination = destination_path(destination)
        self._known.update((drive_of(destination), drive_of(destination) + "/"))
        if os.path.isdir(real):
            self._add_folder(source, destination, frozenset())
            return
        if not os.path.lexists(real):
            self.missing.append(posixpath.relpath(source, self._archive))
        self._make_folders(destination)
        self._add_file(source, posixpath.join(destination, posixpath.basename(source)))

    def _add_folder(self, source: str, destination: str, above: FrozenSet[str]) -> None:
        real = os.path.realpath(self._view.real(source))
        if real in above:
            raise EventError("The revision's link %s leads back to a folder it is in." % source)
        self._make_folders(destination)
        prefix = destination.rstrip("/") + "/"
        with os.scandir(real) as found:
            entries = sorted((entry.name, entry.is_dir()) for entry in found)
        for name, is_folder in entries:
            if is_folder:
                self._add_folder(source + "/" + name, prefix + name, above | {real})
            else:
                self._add_file(source + "/" + name, prefix + name)

    def _make_folders(self, path: str) -> None:
        if path in self._known:
            return
        self._make_folders(posixpath.dirname(path))
        source = self.instructions.source_of(path)
        if source is not None:
            raise EventError(
                "The AppSpec file includes an mkdir command more than once for the same destination path: %s is to be "
                "a file (from %s) and a directory" % (path, source)
            )
        if not self._view.is_folder(path):
            if self._view.exists(path):
                self.in_the_way.append(InTheWay(path, "directory", " (a directory is needed there)"))
            self.folders.add(path)
            self.instructions.append(MakeFolder(path))
        self._known.add(path)

    def _add_file(self, source: str, destination: str) -> None:
        other = self.instructions.source_of(destination)
        if other is not None:
            raise EventError(
                "The AppSpec file specifies two source files named %s and %s for the same destination %s"
                % (other, source, destination)
            )
        if destination in self.folders:
            raise EventError(
                "The AppSpec file cannot install %s: a file with that name already exists at the location (%s), "
                "planned as a directory" % (source, destination)
            )
        # In a folder that is made now there can be nothing.
        folder, _, name = destination.rpartition("/")
        is_new = folder in self.folders
        if not is_new and self._view.exists(destination) and not self._may_replace(destination):
            self.retained.append(destination)
            return
        self.instructions.copy(source.rpartition("/")[0], folder, self._view.known_name(folder, name))

    def _may_replace(self, destination: str) -> bool:
        if self._behavior == "RETAIN":
            return False
        if self._behavior == "OVERWRITE":
            if self._view.is_folder(destination):
                self.in_the_way.append(InTheWay(destination, "file", " (a directory)"))
            return True
        if self._behavior != "DISALLOW":
            raise EventError("An invalid option was specified for fileExistsBehavior: %s" % self._behavior)
        self.in_the_way.append(InTheWay(destination, "file"))
        return True


def _listed(paths: List[str]) -> str:
    shown = ", ".join(paths[:_LISTED])
    more = " and %d more" % (len(paths) - _LISTED) if len(paths) > _LISTED else ""
    return "%s (%d in all%s)" % (shown, len(paths), more) if len(paths) > 1 else shown
