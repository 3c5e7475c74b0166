"""A bundle's bytes, decompressed a piece ahead of who reads them."""

import os
import threading
import zlib
from typing import IO, Iterator, List, Optional, Union, cast

_PACKED = 128 * 1024
_PIECE = 256 * 1024
_AHEAD = 4
_FEW = 64 * 1024  # so little is done before a thread has started


def decompressed(path: str) -> Iterator[bytes]:
    """Give a file's content in pieces; what is packed with gzip, bzip2 or xz is unpacked."""
    with open(path, "rb") as stream:
        start = stream.read(6)
        stream.seek(0)
        pieces = _pieces(stream, start)
        if start[:1] in (b"\x1f", b"B", b"\xfd") and os.path.getsize(path) > _FEW and _has_another_cpu():
            with_thread = _Ahead(pieces)
            try:
                for piece in with_thread:
                    yield piece
            finally:
                with_thread.stop()  # before the file is closed under it
        else:
            for piece in pieces:
                yield piece


def _pieces(stream: IO[bytes], start: bytes) -> Iterator[bytes]:
    if start[:2] == b"\x1f\x8b":
        return _gunzipped(stream)
    if start[:3] == b"BZh":
        import bz2

        return _read(cast(IO[bytes], bz2.BZ2File(stream)))
    if start == b"\xfd7zXZ\x00":
        import lzma

        return _read(cast(IO[bytes], lzma.LZMAFile(stream)))
    return _read(stream)


def _read(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: stream.read(_PIECE), b"")


def _gunzipped(stream: IO[bytes]) -> Iterator[bytes]:
    """Unpack gzip members one behind the other. zlib itself checks each one's checksum and length."""
    packed = stream.read(_PACKED)
    while packed:
        member = zlib.decompressobj(31)
        while not member.eof:
            if not packed:
                raise EOFError("it ends in the middle of its compressed content")
            yield member.decompress(packed, _PIECE)
            packed = member.unconsumed_tail or (b"" if member.eof else stream.read(_PACKED))
        packed = member.unused_data
        while True:  # zeros between members are padding
            packed = packed.lstrip(b"\0") or stream.read(_PACKED)
            if not packed or packed[:1] != b"\0":
                break


def _has_another_cpu() -> bool:
    try:
        return len(os.sched_getaffinity(0)) > 1
    except (AttributeError, OSError):
        return False


class _Ahead:
    """Takes pieces in a thread of its own, a few more than were asked for: zlib works beside the writing."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._ready: List[Union[bytes, BaseException, None]] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._changed:
                while not self._ready:
                    self._changed.wait()
                piece = self._ready.pop(0)
                self._changed.notify()
            if piece is None:
                return
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        last: Optional[BaseException] = None
        try:
            for piece in self._pieces:
                if not self._put(piece):
                    return
        except Exception as error:  # raised where the pieces are read
            last = error
        self._put(last)

    def _put(self, piece: Union[bytes, BaseException, None]) -> bool:
        with self._changed:
            while len(self._ready) >= _AHEAD and not self._stopped:
                self._changed.wait()
            self._ready.append(piece)
            self._changed.notify()
            return not self._stopped
