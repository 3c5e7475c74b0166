"""The host runner's archives, which on AWS come in a layer."""

from __future__ import annotations

from pathlib import Path


def build_runner_archive(directory: Path) -> Path:
    """Build the archives from the checkout, as `sam build` does, and give the path of the one for Linux."""
    import tidegate_runner
    from tidegate_runner import archive

    path = directory / "opt" / "runner" / "tidegate_runner.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive.build(tidegate_runner.__path__[0]))
    path.with_name(f"{path.stem}_windows.zip").write_bytes(archive.build(tidegate_runner.__path__[0], "windows"))
    return path
