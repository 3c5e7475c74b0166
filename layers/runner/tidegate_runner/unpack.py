"""Reading zip and tar bundles. Every archive is taken for hostile; see ``tree`` for what is refused."""

import os
import stat
import time
from typing import TYPE_CHECKING, Any, BinaryIO, Optional

from tidegate_runner.errors import EventError
from tidegate_runner.tree import Limits, Tree

if TYPE_CHECKING:
    import zipfile

_LONGEST_LINK = 4096
_FOREIGN_SYSTEMS = (0, 10, 11, 14)  # FAT, NTFS: no Unix modes, and often backslashes in names


def unpack(path: str, kind: str, tree: Tree, limits: Limits) -> None:
    """Unpack a bundle of `kind` ``zip``, ``tar`` or ``tgz`` into `tree`.

    The kind decides, not the content; as with GNU tar, a ``tar`` may be compressed.

    Raises
    ------
    EventError
        For whatever is wrong with the archive.
    """
    if kind not in ("zip", "tar", "tgz"):
        raise EventError("The bundle type %r is not supported; zip, tar and tgz are." % kind)
    try:
        if kind == "zip":
            _unpack_zip(path, tree, limits)
        else:
            from tidegate_runner.tar import unpack_tar

            unpack_tar(path, kind, tree, limits)
        tree.finish()
    except EventError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise EventError("The bundle cannot be unpacked as %s: %s." % (kind, error)) from None
    except Exception as error:  # the archive libraries raise nearly anything for damaged input
        raise EventError("The bundle cannot be unpacked as %s: %s." % (kind, error or type(error).__name__)) from None


def _unpack_zip(path: str, tree: Tree, limits: Limits) -> None:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > limits.members:
            raise EventError("The bundle holds %d members; at most %d are allowed." % (len(members), limits.members))
        tree.expect(sum(member.file_size for member in members))
        for member in members:
            tree.count(member.filename)
            _add_zip_member(archive, member, tree)


def _add_zip_member(archive: "zipfile.ZipFile", member: "zipfile.ZipInfo", tree: Tree) -> None:
    name = member.filename
    foreign = member.create_system in _FOREIGN_SYSTEMS
    if foreign and "/" not in name:
        name = name.replace("\\", "/")
    attributes = 0 if foreign else member.external_attr >> 16
    kind = stat.S_IFMT(attributes)
    mode = attributes & 0o777
    if name.endswith("/") or kind == stat.S_IFDIR:
        tree.add_folder(name, mode or 0o755, None)
    elif kind == stat.S_IFLNK:
        if member.file_size > _LONGEST_LINK:
            raise EventError("The bundle's link %r has a target of %d bytes." % (name, member.file_size))
        tree.add_symbolic_link(name, os.fsdecode(archive.read(member)))
    elif kind in (0, stat.S_IFREG):
        with archive.open(member) as source:
            tree.add_file(name, _binary(source), member.file_size, mode or 0o644, _zip_time(member))
    else:
        raise EventError("The bundle holds a device or pipe: %r." % name)


def _zip_time(member: "zipfile.ZipInfo") -> Optional[float]:
    try:
        return time.mktime(member.date_time + (0, 0, -1))
    except (OverflowError, ValueError):
        return None


def _binary(stream: Any) -> BinaryIO:
    found: BinaryIO = stream
    return found
