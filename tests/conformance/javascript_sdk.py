"""AWS's SDK for JavaScript, installed as its lock file says, and run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parent / "javascript"
BUILD = Path(__file__).parents[2] / "build" / "javascript"


def run(script: str, *words: str, seconds: float = 180) -> Any:
    """Run one of the scripts beside the lock file; what it printed, as JSON."""
    folder = _installed()
    shutil.copy(SOURCE / script, folder / script)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        ["node", script, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False,
        timeout=seconds,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _installed() -> Path:
    for program, package in (("node", "nodejs"), ("npm", "npm")):
        if shutil.which(program) is None:
            pytest.skip(f"NOT RUN: {program} is missing; apt-get install {package}")
    lock = (SOURCE / "package-lock.json").read_bytes()
    folder = BUILD / hashlib.sha256(lock).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as guard:
        # Several test processes may come here at once.
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, folder / name)
            words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=300)
            (folder / "done").touch()
    return folder
