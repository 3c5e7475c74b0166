"""The two revisions of the example application, put together from one folder and an overlay."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["EXAMPLE", "assemble"]

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "webapp"


def assemble(example: Path, folder: Path) -> list[Path]:
    """Make ``folder/1`` from the example's ``v1``, and ``folder/2`` from ``v1`` with ``v2`` laid over it.

    Returns
    -------
    The folders of revisions 1 and 2, each with an AppSpec at its root.

    Raises
    ------
    FileNotFoundError
        When the example is not there: the demonstration needs the checkout, not only the installed package.
    """
    if not (example / "v1" / "appspec.yml").is_file():
        raise FileNotFoundError(f"{example} does not hold the example application: run this from a checkout")
    one, two = folder / "1", folder / "2"
    shutil.copytree(example / "v1", one)
    shutil.copytree(example / "v1", two)
    shutil.copytree(example / "v2", two, dirs_exist_ok=True)
    return [one, two]
