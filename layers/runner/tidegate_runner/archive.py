"""The archive of this package that hosts unpack: the same bytes for the same sources, always."""

import io
import os
import zipfile

_PACKAGE = "tidegate_runner"
_EARLIEST = (1980, 1, 1, 0, 0, 0)


def build(source_dir: str) -> bytes:
    """Pack the runner's sources.

    Parameters
    ----------
    source_dir : str
        The package's folder (the one that holds this file).

    Returns
    -------
    bytes
        A zip with ``tidegate_runner/*.py``, sorted, with fixed dates and modes; stored, because
        compressed bytes differ between builds of zlib.

    Raises
    ------
    ValueError
        When the folder is not the package.
    """
    names = sorted(name for name in os.listdir(source_dir) if name.endswith(".py"))
    if "front.py" not in names:
        raise ValueError("%s is not the folder of %s: it holds no front.py" % (source_dir, _PACKAGE))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            member = zipfile.ZipInfo("%s/%s" % (_PACKAGE, name), _EARLIEST)
            member.create_system = 3
            member.external_attr = 0o100644 << 16
            with open(os.path.join(source_dir, name), "rb") as stream:
                archive.writestr(member, stream.read())
    return buffer.getvalue()
