"""Reading tar bundles.

Plain headers (ustar's and GNU tar's for files and folders, as nearly all are) are read here, since Python's tarfile
takes longer for a header than the system for the file. From the first header on that is anything else, tarfile reads.
"""

import os
import re
from typing import TYPE_CHECKING, Any, Iterator, Optional, Tuple, cast

from tidegate_runner.errors import EventError
from tidegate_runner.inflate import decompressed
from tidegate_runner.space import check_room, tar_size
from tidegate_runner.system import is_root
from tidegate_runner.tree import Limits, Tree

if TYPE_CHECKING:
    import tarfile

_BLOCK = 512
# A header block of an archive that asks for more memory than this is an attack.
_LARGEST_READ = 8 * 1024 * 1024
_SKIP = 256 * 1024
_ZEROS = bytes(_BLOCK)
# Name, mode, uid, gid, size, mtime, checksum, kind (file or folder), no link's target, the format's mark.
_PLAIN = re.compile(
    rb"(?s)([^\0]{1,100})\0*(?<=^.{100})([0-7]{6}[0-7 ])[ \0]([0-7]{6}[0-7 ])[ \0]([0-7]{6}[0-7 ])[ \0]"
    rb"([0-7]{11})[ \0]([0-7]{11})[ \0]([0-7]{6})[ \0]{2}([05])\0{100}ustar(?:  \0|\00000)"
)


def unpack_tar(path: str, kind: str, tree: Tree, limits: Limits) -> None:
    """Unpack a ``tar``, compressed or not, or a ``tgz`` into `tree`."""
    if kind == "tgz":
        with open(path, "rb") as stream:
            if stream.read(2) != b"\x1f\x8b":
                raise EventError("The bundle cannot be unpacked as tgz: it is not compressed with gzip.")
    check_room(tar_size(path), tree.root)
    pieces = decompressed(path)
    try:
        bounded = _BoundedReader(pieces, limits.size + limits.members * 2048 + _LARGEST_READ)
        if not _add_plain_members(bounded, tree):
            _add_other_members(bounded, tree)
    finally:
        cast(Any, pieces).close()  # or its thread reads on


def _add_plain_members(stream: "_BoundedReader", tree: Tree) -> bool:
    """Add members up to the first that is not plain; tell whether there is none."""
    as_root = is_root()
    while True:
        begin = stream.tell()
        block = stream.read(_BLOCK)
        if block == _ZEROS:
            return True
        found = _plain(block)
        if found is None:
            stream.seek(begin)
            return False
        name, mode, uid, gid, size, mtime, is_folder = found
        owner = (uid, gid) if as_root else None
        tree.count(name)
        if is_folder:
            tree.add_folder(name, mode, mtime, owner)
        else:
            tree.add_file(name, cast(Any, _Part(stream, size)), size, mode, mtime, owner)
            stream.skip(-size % _BLOCK)


def _plain(block: bytes) -> Optional[Tuple[str, int, int, int, int, int, bool]]:
    """Read a header that says what it has to say in the plain fields alone; ``None`` for any other."""
    found = _PLAIN.match(block)
    if found is None:
        return None
    name, mode, uid, gid, size, mtime, checksum, kind = found.groups()
    # Zeros add nothing, and most are: without them the sum is quick. The checksum counts as blanks in itself.
    if sum(block.replace(b"\0", b"")) - sum(block[148:156]) + 8 * 32 != int(checksum, 8):
        return None
    if block[345] or (kind == b"5" and int(size, 8)):
        return None  # a prefix of the name, or what GNU tar keeps there
    text = os.fsdecode(name)
    if kind == b"5":
        text = text.rstrip("/")
    return text, int(mode, 8) & 0o7777, int(uid, 8), int(gid, 8), int(size, 8), int(mtime, 8), kind == b"5"


def _add_other_members(stream: "_BoundedReader", tree: Tree) -> None:
    import tarfile

    with tarfile.open(fileobj=cast(Any, stream), mode="r:") as archive:
        for member in archive:
            tree.count(member.name)
            _add_member(archive, member, stream, tree)
            archive.members = []  # type: ignore[attr-defined]  # else a big archive's headers pile up
        _check_end(stream, archive)


def _add_member(archive: "tarfile.TarFile", member: "tarfile.TarInfo", stream: "_BoundedReader", tree: Tree) -> None:
    owner = (member.uid, member.gid) if is_root() else None
    mode = member.mode & 0o7777
    if member.isreg():
        if member.issparse():
            source: Any = archive.extractfile(member)
        else:  # the content follows: read as it comes, without tarfile's layers
            stream.seek(member.offset_data)
            source = _Part(stream, member.size)
        tree.add_file(member.name, source, member.size, mode, member.mtime, owner)
    elif member.isdir():
        tree.add_folder(member.name, mode, member.mtime, owner)
    elif member.issym():
        tree.add_symbolic_link(member.name, member.linkname, owner)
    elif member.islnk():
        tree.add_hard_link(member.name, member.linkname)
    else:
        raise EventError("The bundle holds a device, pipe or unknown member: %r." % member.name)


def _check_end(stream: "_BoundedReader", archive: "tarfile.TarFile") -> None:
    """Refuse what Python's tarfile takes for the end without a word: a damaged header behind the first."""
    offset: int = archive.offset
    stream.seek(offset)
    if stream.read(_BLOCK).strip(b"\0"):
        raise EventError("The bundle is damaged: it has no valid tar header at byte %d." % offset)


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
    """A forward stream that refuses reads too large for memory and a total past the bound.

    tarfile steps back by at most one block. The newest bytes are kept for that, since going back in a
    compressed stream means decompressing it from its start.
    """

    def __init__(self, pieces: Iterator[bytes], furthest: int) -> None:
        self._pieces = pieces
        self._furthest = furthest
        self._buffer = b""
        self._at = 0  # in the buffer
        self._begin = 0  # of the buffer in the stream

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LARGEST_READ:
            raise EventError("The bundle is damaged: a header asks for %d bytes." % size)
        while len(self._buffer) - self._at < size and self._more():
            pass
        data = self._buffer[self._at : self._at + size]
        self._at += len(data)
        if self._begin + self._at > self._furthest:
            raise EventError("The bundle unpacks to more than %d bytes." % self._furthest)
        return data

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        passed = max(self._at - 2 * _BLOCK, 0)
        self._buffer = self._buffer[passed:] + piece
        self._begin += passed
        self._at -= passed
        return True

    def skip(self, size: int) -> None:
        while size > 0:
            passed = len(self.read(min(size, _SKIP)))
            if not passed:
                return
            size -= passed

    def seek(self, offset: int) -> int:
        if offset < self._begin:
            raise EventError("The bundle is damaged: its headers point back to byte %d." % offset)
        self._at = min(offset - self._begin, len(self._buffer))
        self.skip(offset - self.tell())
        return self.tell()

    def tell(self) -> int:
        return self._begin + self._at
