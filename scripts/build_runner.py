"""Write the host runner's archive: ``build_runner.py PACKAGE_FOLDER ARCHIVE``."""

from __future__ import annotations

import sys
from pathlib import Path

from tidegate_runner.archive import build


def main(source: str, target: str) -> None:
    """Build the archive from the package folder `source` and write it to the file `target`."""
    Path(target).write_bytes(build(source))


if __name__ == "__main__":
    main(*sys.argv[1:])
