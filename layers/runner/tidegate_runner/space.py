"""Is there room for what a bundle unpacks to? Asked before the first file is written."""

import os
import struct

from tidegate_runner.errors import EventError
from tidegate_runner.system import free_bytes

FULL = "The disk is (or was) full during extraction."
_BEST_OF_DEFLATE = 1032  # no content gets smaller than by this factor


def check_room(needed: int, folder: str) -> None:
    """Refuse what needs more than is free.

    Raises
    ------
    EventError
    """
    free = free_bytes(folder)
    if needed > free:
        raise EventError(
            "%s The bundle unpacks to at least %d bytes, %s has %d bytes free. Make room, then deploy again."
            % (FULL, needed, folder, free)
        )


def tar_size(bundle: str) -> int:
    """Tell about how large a tar's content is: as large as the tar, whose size gzip keeps at its end (up to 4 GiB)."""
    packed = os.path.getsize(bundle)
    with open(bundle, "rb") as stream:
        if stream.read(2) != b"\x1f\x8b" or packed < 18:
            return packed
        stream.seek(-4, os.SEEK_END)
        said: int = struct.unpack("<I", stream.read(4))[0]
    # Members one behind the other keep only the last one's size; a size that cannot be is no size.
    return max(said, packed) if said < packed * _BEST_OF_DEFLATE else packed
