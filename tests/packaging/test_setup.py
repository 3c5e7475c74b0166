"""The set-up tells a person what is missing, and which package holds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[2] / "scripts" / "setup_venv.sh"


def interpreter(folder: Path, version: str, *, suitable: bool, venv: bool) -> Path:
    """Return a program that answers the set-up's questions as a Python of that kind does."""
    program = folder / f"python-{version}"
    program.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        f"*python_version*) echo {version};;\n"
        f"*version_info*) exit {0 if suitable else 1};;\n"
        f"*ensurepip*) exit {0 if venv else 1};;\n"
        "esac\n"
    )
    program.chmod(0o755)
    return program


def set_up(python: Path | str, folder: Path) -> subprocess.CompletedProcess[str]:
    lock = folder / "lock.txt"
    lock.write_text("")
    return subprocess.run(
        [str(SETUP), str(folder / "env"), str(lock)],
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("version", "suitable", "said"),
    [
        ("3.12.4", True, "apt-get install python3-venv"),
        ("3.9.2", False, "needs Python 3.11 to 3.14; found only"),
    ],
)
def test_an_interpreter_that_will_not_do_is_named_with_the_remedy(
    tmp_path: Path, version: str, suitable: bool, said: str
) -> None:
    python = interpreter(tmp_path, version, suitable=suitable, venv=False)

    ran = set_up(python, tmp_path)

    assert ran.returncode == 1
    assert said in ran.stderr
    assert f"{python} ({version})" in ran.stderr
    assert not (tmp_path / "env").exists()


def test_without_any_interpreter_the_package_is_named(tmp_path: Path) -> None:
    ran = set_up(tmp_path / "nothing", tmp_path)

    assert ran.returncode == 1
    assert "none is on PATH" in ran.stderr
    assert "apt-get install python3 python3-venv" in ran.stderr


@pytest.mark.long
def test_an_environment_is_made_once_and_made_anew_when_its_interpreter_is_gone(tmp_path: Path) -> None:
    first, second = set_up(sys.executable, tmp_path), set_up(sys.executable, tmp_path)
    (tmp_path / "env/bin/python").unlink()
    third = set_up(sys.executable, tmp_path)

    assert [ran.returncode for ran in (first, second, third)] == [0, 0, 0], third.stderr
    assert ["making" in ran.stderr for ran in (first, second, third)] == [True, False, True]
    assert (tmp_path / "env/bin/python").exists()
