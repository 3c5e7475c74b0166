"""What kind of bundle an object is: by what it holds, never by its name."""

from __future__ import annotations

import zlib
from typing import Final

from tidegate.model.uploads import UploadRefused

#: Bytes from the beginning that are enough to tell.
HEAD: Final = 8192
_BLOCK: Final = 512
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
#: Hosts read a tar however it is compressed.
_COMPRESSED_TAR: Final = (b"BZh", b"\xfd7zXZ\x00")


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
    if head.startswith(_ZIP):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        if _is_tar(_unzipped(head)):
            return "tgz"
        raise UploadRefused(
            "NotABundle", f"{name} is compressed with gzip, but no tar is inside. Put the files into a tar first."
        )
    if head.startswith(_COMPRESSED_TAR) or _is_tar(head):
        return "tar"
    if platform != "Server" and (text := _text(head)):
        return "JSON" if text.startswith("{") else "YAML"
    wanted = "a zip, tar or tgz archive" if platform == "Server" else "an AppSpec in YAML or JSON, or an archive of one"
    begins = f"it begins with the bytes {head[:4].hex(' ')}" if head else "it is empty"
    raise UploadRefused("NotABundle", f"{name} is not {wanted}: {begins}. Upload the bundle itself.")


def _unzipped(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(head, _BLOCK)
    except zlib.error:
        return b""


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
