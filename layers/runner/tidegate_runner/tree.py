"""Building a folder from an archive's members without letting any of them out of it.

Regular files and folders are made first; while that goes on the tree holds no symbolic link, so nothing
can be written through one. Links come last, and each is then resolved to see that it stays inside.
"""

import os
import stat
from typing import BinaryIO, Dict, NamedTuple, Optional, Set, Tuple, Union

from tidegate_runner.errors import EventError
from tidegate_runner.files import make_folder
from tidegate_runner.space import check_room
from tidegate_runner.system import IS_WINDOWS, PLAIN

_CHUNK = 1024 * 1024
_DEEPEST = 200
Owner = Optional[Tuple[int, int]]


class Limits(NamedTuple):
    """Bounds of an unpacked bundle: members, bytes, and bytes for its packed size's sake."""

    members: int
    size: int
    size_by_ratio: int = 1 << 62


class _Folder(NamedTuple):
    mode: int
    mtime: Optional[float]
    owner: Owner


class Tree:
    """A folder under construction."""

    def __init__(self, root: str, limits: Limits) -> None:
        self.root = root
        self._limits = limits
        self._members = 0
        self._size = 0
        self._folders: Dict[str, _Folder] = {}
        self._links: Dict[str, Tuple[str, Owner]] = {}
        self._made: Set[str] = {""}
        make_folder(root)

    @property
    def has_links(self) -> bool:
        """Whether it holds symbolic links; all there are come from here."""
        return bool(self._links)

    def count(self, name: str) -> None:
        self._members += 1
        if self._members > self._limits.members:
            raise EventError("The bundle holds more than %d members; stopped at %r." % (self._limits.members, name))

    def expect(self, size: int) -> None:
        """Refuse beforehand what is said to be larger than allowed, or than the disk has room for."""
        self._refuse_size(size, "refused before unpacking")
        check_room(size, self.root)

    def _refuse_size(self, size: int, where: str) -> None:
        if size > self._limits.size:
            raise EventError("The bundle unpacks to more than %d bytes; %s." % (self._limits.size, where))
        if size > self._limits.size_by_ratio:
            raise EventError(
                "The bundle unpacks to more than %d bytes, which is out of proportion to its size; %s."
                % (self._limits.size_by_ratio, where)
            )

    def add_folder(self, name: str, mode: int, mtime: Optional[float], owner: Owner = None) -> None:
        path = safe_name(name)
        self._links.pop(path, None)
        self._make_folder(path)
        self._folders[path] = _Folder(mode, mtime, owner)

    def add_file(
        self, name: str, source: BinaryIO, size: int, mode: int, mtime: Optional[float], owner: Owner = None
    ) -> None:
        """Write a file of exactly `size` bytes; a member of the same name that came earlier is replaced."""
        real = self._place(name)
        self._size += size
        if size < 0:
            raise EventError("The bundle is damaged: %r has a size below nothing." % name)
        if self._size > self._limits.size or self._size > self._limits.size_by_ratio:
            self._refuse_size(self._size, "stopped at %r" % name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | PLAIN
        try:
            descriptor = os.open(real, flags, 0o600)
        except FileExistsError:
            if IS_WINDOWS and os.path.basename(real) not in os.listdir(os.path.dirname(real)):
                raise  # another name there, and the same file here
            os.unlink(real)
            descriptor = os.open(real, flags, 0o600)
        try:
            left = size
            while left > 0:
                chunk = source.read(left if left < _CHUNK else _CHUNK)
                if not chunk:
                    raise EventError("The bundle cannot be unpacked: %r ends %d bytes early." % (name, left))
                left -= len(chunk)
                _write(descriptor, chunk)
            if source.read(1):
                raise EventError("The bundle is damaged: %r is longer than it says." % name)
            _set_attributes(descriptor, mode, mtime, owner)
        finally:
            os.close(descriptor)

    def add_hard_link(self, name: str, target: str) -> None:
        existing = safe_name(target)
        if not self._is_file(existing):
            raise EventError("The bundle's hard link %r names %r, which is no earlier file of it." % (name, target))
        if safe_name(name) != existing:
            real = self._place(name)
            if self._is_file(safe_name(name)):
                os.unlink(real)
            os.link(os.path.join(self.root, existing), real)

    def add_symbolic_link(self, name: str, target: str, owner: Owner = None) -> None:
        real = self._place(name)
        if self._is_file(safe_name(name)):
            os.unlink(real)
        if not target or "\0" in target or len(target) > 4095:
            raise EventError("The bundle's link %r has no usable target." % name)
        if target.startswith("/"):
            raise EventError("The bundle's link %r leads out of the bundle: it points to %r." % (name, target))
        self._links[safe_name(name)] = (target, owner)

    def finish(self) -> None:
        """Make the links, then set what folders were to look like (last, so that read-only ones can be filled)."""
        for path, (target, owner) in self._links.items():
            real = os.path.join(self.root, path)
            os.symlink(target, real)
            if owner is not None:
                _own(real, owner, follow=False)
        for path in sorted(self._folders, reverse=True):
            folder = self._folders[path]
            descriptor = os.open(os.path.join(self.root, path), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                # The owner keeps all rights: this host must be able to read and remove what it unpacked.
                _set_attributes(descriptor, folder.mode | 0o700, folder.mtime, folder.owner)
            finally:
                os.close(descriptor)

    def _place(self, name: str) -> str:
        """Give the real path for a member that is no folder; a link of the same name that came earlier is forgotten."""
        path = safe_name(name)
        if not path:
            raise EventError("The bundle holds a member without a name.")
        parent = path.rpartition("/")[0]
        if parent not in self._made:
            self._make_folder(parent)
        if path in self._made:
            raise EventError("The bundle holds %r both as a folder and as a file." % name)
        real = self.root + "/" + path
        self._links.pop(path, None)
        return real

    def _is_file(self, path: str) -> bool:
        """Tell whether a regular file is there. There are no links yet, so what is asked is the tree."""
        try:
            return stat.S_ISREG(os.lstat(self.root + "/" + path).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _make_folder(self, path: str) -> None:
        walked = ""
        for part in path.split("/"):
            walked = walked + "/" + part if walked else part
            if walked in self._made:
                continue
            if walked in self._links:
                raise EventError("The bundle holds %r below a link." % path)
            try:
                os.mkdir(self.root + "/" + walked, 0o755)
            except FileExistsError:
                raise EventError("The bundle holds %r both as a file and as a folder." % walked) from None
            self._made.add(walked)


def _write(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content)
    if written < len(content):
        left = memoryview(content)[written:]
        while left:
            left = left[os.write(descriptor, left) :]


def safe_name(name: str) -> str:
    """Give a member's path inside the folder; refuse one that is not inside."""
    if name.startswith("/"):
        raise EventError("The bundle holds a member with an absolute path: %r." % name)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise EventError("The bundle holds a member that leaves its folder: %r." % name)
    if len(parts) > _DEEPEST:
        raise EventError("The bundle nests folders more than %d deep: %r." % (_DEEPEST, name[:200]))
    if "\0" in name:
        raise EventError("The bundle holds a member with NUL in its name: %r." % name)
    return "/".join(parts)


def check_links(root: str) -> None:
    """Refuse a tree in which a link, followed all the way, leads outside of `root`."""
    inside = os.path.realpath(root)
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                continue
            end = os.path.realpath(path)
            if end != inside and not end.startswith(inside + "/"):
                shown = os.path.relpath(path, root)
                raise EventError(
                    "The bundle's link %r leads out of the bundle: it points to %r." % (shown, os.readlink(path))
                )


def _set_attributes(descriptor: int, mode: int, mtime: Optional[float], owner: Owner) -> None:
    if IS_WINDOWS:
        return
    if owner is not None:
        _own(descriptor, owner, follow=True)
    os.fchmod(descriptor, mode)  # after the owner: changing that clears set-user-ID
    if mtime is not None:
        os.utime(descriptor, (mtime, mtime))


def _own(target: Union[int, str], owner: Tuple[int, int], follow: bool) -> None:
    try:
        os.chown(target, owner[0], owner[1], follow_symlinks=follow)
    except OSError:
        # A user namespace may not know the id the archive names. The file then stays the runner's own,
        # as it does when an ordinary user unpacks.
        return
