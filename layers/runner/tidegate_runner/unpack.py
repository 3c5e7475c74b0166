"""Reading zip and tar bundles. Every archive is taken for hostile; see ``tree`` for what is refused."""

import gzip
import os
import stat
import tarfile
import time
import zipfile
from typing import IO, Any, BinaryIO, Optional, Tuple

from tidegate_runner.errors import EventError
from tidegate_runner.space import check_room, tar_size
from tidegate_runner.system import is_root
from tidegate_runner.tree import Limits, Tree

_LONGEST_LINK = 4096
# A header block of an archive that asks for more memory than this is an attack.
_LARGEST_READ = 8 * 1024 * 1024
_SKIP = 256 * 1024
_FOREIGN_SYSTEMS = (0, 10, 11, 14)  # FAT, NTFS: no Unix modes, and often backslashes in names


def unpack(path: str, kind: str, tree: Tree, limits: Limits) -> None:
    """Unpack a bundle of `kind` ``zip``, ``tar`` or ``tgz`` into `tree`.

    The kind decides, not the content; as with GNU tar, a ``tar`` may be compressed.

    Raises
    ------
    EventError
        For whatever is wrong with the archive.
    """
    readers = {"zip": _unpack_zip, "tar": _unpack_tar, "tgz": _unpack_tgz}
    if kind not in readers:
        raise EventError("The bundle type %r is not supported; zip, tar and tgz are." % kind)
    try:
        readers[kind](path, tree, limits)
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
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > limits.members:
            raise EventError("The bundle holds %d members; at most %d are allowed." % (len(members), limits.members))
        tree.expect(sum(member.file_size for member in members))
        for member in members:
            tree.count(member.filename)
            _add_zip_member(archive, member, tree)


def _add_zip_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, tree: Tree) -> None:
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


def _zip_time(member: zipfile.ZipInfo) -> Optional[float]:
    try:
        return time.mktime(member.date_time + (0, 0, -1))
    except (OverflowError, ValueError):
        return None


def _unpack_tgz(path: str, tree: Tree, limits: Limits) -> None:
    with open(path, "rb") as stream:
        if stream.read(2) != b"\x1f\x8b":
            raise EventError("The bundle cannot be unpacked as tgz: it is not compressed with gzip.")
    _unpack_tar(path, tree, limits)


def _unpack_tar(path: str, tree: Tree, limits: Limits) -> None:
    check_room(tar_size(path), tree.root)
    with _decompressed(path) as stream:
        bounded = _BoundedReader(stream, limits.size + limits.members * 2048 + _LARGEST_READ)
        with tarfile.open(fileobj=_binary(bounded), mode="r:") as archive:
            for member in archive:
                tree.count(member.name)
                _add_tar_member(archive, member, bounded, tree)
                archive.members = []  # type: ignore[attr-defined]  # else a big archive's headers pile up
            _check_end(bounded, archive)


def _add_tar_member(archive: tarfile.TarFile, member: tarfile.TarInfo, stream: "_BoundedReader", tree: Tree) -> None:
    owner = _owner(member)
    mode = member.mode & 0o7777
    if member.isreg():
        if member.issparse():
            source: Any = archive.extractfile(member)
        else:  # the content follows: read as it comes, without tarfile's layers
            stream.seek(member.offset_data)
            source = _Part(stream, member.size)
        tree.add_file(member.name, _binary(source), member.size, mode, member.mtime, owner)
    elif member.isdir():
        tree.add_folder(member.name, mode, member.mtime, owner)
    elif member.issym():
        tree.add_symbolic_link(member.name, member.linkname, owner)
    elif member.islnk():
        tree.add_hard_link(member.name, member.linkname)
    else:
        raise EventError("The bundle holds a device, pipe or unknown member: %r." % member.name)


def _owner(member: tarfile.TarInfo) -> Optional[Tuple[int, int]]:
    return (member.uid, member.gid) if is_root() else None


def _check_end(stream: "_BoundedReader", archive: tarfile.TarFile) -> None:
    """Refuse what Python's tarfile takes for the end without a word: a damaged header behind the first."""
    stream.seek(archive.offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if block.strip(b"\0"):
        raise EventError("The bundle is damaged: it has no valid tar header at byte %d." % archive.offset)


def _decompressed(path: str) -> IO[bytes]:
    with open(path, "rb") as stream:
        start = stream.read(6)
    if start[:2] == b"\x1f\x8b":
        return _binary(gzip.open(path, "rb"))
    if start[:3] == b"BZh":
        import bz2

        return bz2.open(path, "rb")
    if start == b"\xfd7zXZ\x00":
        import lzma

        return _binary(lzma.open(path, "rb"))
    return open(path, "rb")


class _Part:
    """The next bytes of a stream, and no more than that."""

    def __init__(self, stream: "_BoundedReader", size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data


class _BoundedReader:
    """A forward stream for tarfile that refuses reads too large for memory and a total past the bound.

    tarfile steps back by at most one block. The newest bytes are kept for that, since going back in a
    compressed stream means decompressing it from its start.
    """

    def __init__(self, stream: IO[bytes], furthest: int) -> None:
        self._stream = stream
        self._furthest = furthest
        self._position = 0
        self._recent = b""
        self._again = 0  # how many of the recent bytes are to be given once more

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LARGEST_READ:
            raise EventError("The bundle is damaged: a header asks for %d bytes." % size)
        repeated = self._recent[len(self._recent) - self._again :][:size]
        self._again -= len(repeated)
        fresh = self._stream.read(size - len(repeated)) if size > len(repeated) else b""
        self._position += len(fresh)
        if self._position > self._furthest:
            raise EventError("The bundle unpacks to more than %d bytes." % self._furthest)
        self._recent = (self._recent + fresh)[-2 * tarfile.BLOCKSIZE :]
        return repeated + fresh

    def seek(self, offset: int) -> int:
        back = self._position - offset
        if 0 <= back <= len(self._recent):
            self._again = back
            return offset
        if back > 0:
            raise EventError("The bundle is damaged: its headers point back to byte %d." % offset)
        self._again = 0
        while self._position < offset and self.read(min(offset - self._position, _SKIP)):
            pass
        return self._position

    def tell(self) -> int:
        return self._position - self._again


def _binary(stream: Any) -> BinaryIO:
    found: BinaryIO = stream
    return found
