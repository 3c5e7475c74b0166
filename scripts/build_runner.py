"""Write the host runner's archives: ``build_runner.py PACKAGE_FOLDER ARCHIVE``; the second is ``ARCHIVE_windows``."""

from __future__ import annotations

import sys
from pathlib import Path

from tidegate_runner.archive import build


def main(source: str, target: str) -> None:
    """Build the archives from the package folder `source`: the file `target`, and the one for Windows beside it."""
    archive = Path(target)
    archive.write_bytes(build(source))
    archive.with_name(f"{archive.stem}_windows.zip").write_bytes(build(source, "windows"))


if __name__ == "__main__":
    main(*sys.argv[1:])
