"""The AWS CLI, unmodified, many commands in one process of its own: each by itself takes a second to start."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """How one command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def answer(self) -> Any:
        """What it printed, as JSON; an empty object where it printed nothing."""
        return json.loads(self.stdout) if self.stdout.strip() else {}


def aws(environment: Mapping[str, str], commands: Sequence[Sequence[str]]) -> list[Done]:
    """Run commands one after the other: ``[["deploy", "list-applications"], …]``."""
    base = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1"}
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(list(map(list, commands))),
        env=base | {"AWS_CONFIG_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"} | dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return [Done(*each) for each in json.loads(done.stdout)]


def _run(driver: Any, words: list[str]) -> tuple[int, str, str]:
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            # Commands of its own give no status when all went well.
            status = driver.main([*words, "--output", "json"]) or 0
        except SystemExit as end:
            status = int(end.code or 0)
    for stream in (out, err):
        stream.flush()
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return status, texts[0], texts[1]


if __name__ == "__main__":
    from awscli.clidriver import create_clidriver

    the_driver = create_clidriver()
    results = [_run(the_driver, words) for words in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(results))
