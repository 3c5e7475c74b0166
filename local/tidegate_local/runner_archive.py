"""The host runner's archive, which on AWS comes in a layer."""

from __future__ import annotations

from pathlib import Path


def build_runner_archive(directory: Path) -> Path:
    """Build the archive from the checkout, as `sam build` does, and give its path."""
    import tidegate_runner
    from tidegate_runner import archive

    path = directory / "opt" / "runner" / "tidegate_runner.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive.build(tidegate_runner.__path__[0]))
    return path
