"""What kind of bundle an object is: by what it holds, never by its name."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Final

from tidegate.model.uploads import UploadRefused

#: Bytes from the beginning that are enough to tell.
HEAD: Final = 8192
_BLOCK: Final = 512
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
#: Compression, its first bytes, and the type of a tar in it: hosts read a ``tar`` however it is compressed.
_COMPRESSED: Final = (("gzip", b"\x1f\x8b", "tgz"), ("bzip2", b"BZh", "tar"), ("xz", b"\xfd7zXZ\x00", "tar"))


def bundle_type(head: bytes, platform: str, name: str) -> str:
    """The bundle type (API: BundleType) of an object that begins with ``head``.

    Parameters
    ----------
    head
        Its first :data:`HEAD` bytes, or all of it.
    platform
        The application's. Lambda and ECS also take the AppSpec itself, as YAML or JSON.
    name
        The object, for the message.

    Raises
    ------
    UploadRefused
        It is nothing that can be deployed.
    """
    if kind := _archive(head, name):
        if kind == "tar" and platform != "Server":
            raise UploadRefused(
                "NotABundle",
                f"{name} is a tar, which applications of platform {platform} take only compressed with gzip: "
                "upload a zip, a tgz, or the AppSpec itself.",
            )
        return kind
    if platform != "Server" and (text := _text(head)):
        return "JSON" if text.startswith("{") else "YAML"
    wanted = "a zip, tar or tgz archive" if platform == "Server" else "an AppSpec in YAML or JSON, or an archive of one"
    begins = f"it begins with the bytes {head[:4].hex(' ')}" if head else "it is empty"
    raise UploadRefused("NotABundle", f"{name} is not {wanted}: {begins}. Upload the bundle itself.")


def _archive(head: bytes, name: str) -> str:
    """The type of an archive; empty for what is none."""
    if head.startswith(_ZIP):
        return "zip"
    for compression, begins, kind in _COMPRESSED:
        if head.startswith(begins):
            if _holds_tar(head, compression):
                return kind
            raise UploadRefused(
                "NotABundle",
                f"{name} is compressed with {compression}, but no tar is inside. Put the files into a tar first.",
            )
    return "tar" if _is_tar(head) else ""


def _holds_tar(head: bytes, compression: str) -> bool:
    """Whether a tar is inside, as far as the beginning tells.

    bzip2 gives nothing before a whole block of up to 900 kB is there: of a large object only its hosts can tell.
    """
    try:
        block = _unpacked(head, compression)
    except (zlib.error, OSError, lzma.LZMAError):
        return False
    return _is_tar(block) or (not block and compression == "bzip2" and len(head) >= HEAD)


def _unpacked(head: bytes, compression: str) -> bytes:
    """The first block, never more of it, whatever the compressed bytes would grow to."""
    if compression == "gzip":
        return zlib.decompressobj(31).decompress(head, _BLOCK)
    unpack = bz2.BZ2Decompressor() if compression == "bzip2" else lzma.LZMADecompressor(lzma.FORMAT_XZ)
    return unpack.decompress(head, _BLOCK)


def _is_tar(block: bytes) -> bool:
    """By the checksum of the first header, which every kind of tar has."""
    if len(block) < _BLOCK or not block[0]:
        return False
    try:
        told = int(block[148:156].strip(b" \x00") or b"x", 8)
    except ValueError:
        return False
    # The checksum counts itself as blanks.
    return told == sum(block[:148]) + 8 * 32 + sum(block[156:_BLOCK])


def _text(head: bytes) -> str:
    """The text without leading blanks; empty where it is none. The last character may be cut."""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(head) < HEAD or error.start < len(head) - 4:
            return ""
        text = head[: error.start].decode("utf-8-sig")
    # YAML allows no others.
    return "" if any(ord(each) < 32 and each not in "\t\n\r" for each in text) else text.lstrip()
