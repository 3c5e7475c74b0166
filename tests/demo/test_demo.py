"""The demonstration as a whole: where hosts can only be folders, and when somebody interrupts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate_cli.demo.leftovers import leftovers

pytestmark = [pytest.mark.long, pytest.mark.local, pytest.mark.timeout(300)]

COMMAND = [sys.executable, "-m", "tidegate_cli.demo", "--build"]
# In a user namespace of its own a process may take from itself, and only itself, the right to make more of them.
WITHOUT_NAMESPACES = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-ec",
    'for kind in user mnt pid uts; do echo 0 >/proc/sys/user/max_${kind}_namespaces; done; exec "$@"',
    "sh",
]


def test_it_keeps_its_promise_where_namespaces_are_not_allowed(tmp_path: Path) -> None:
    if subprocess.run([*WITHOUT_NAMESPACES, "true"], check=False, capture_output=True).returncode:
        pytest.skip("NOT RUN: user namespaces cannot be limited here")

    ran = subprocess.run([*WITHOUT_NAMESPACES, *COMMAND, str(tmp_path)], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert "re-rooted folders" in ran.stdout
    assert "All as promised" in ran.stdout
    seen = json.loads((tmp_path / "demo.json").read_text())
    assert [one["status"] for one in seen["deployments"]] == ["Succeeded", "Failed", "Succeeded"]
    assert [host["servedVersion"] for host in seen["hosts"]] == ["1"] * 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.json"]
    assert leftovers(tmp_path, frozenset()) == []


@pytest.mark.parametrize(
    ("when", "number"),
    [("A local cloud with", signal.SIGINT), ("InProgress ApplicationStop", signal.SIGTERM)],
    ids=["while the cloud starts", "while hosts are deployed to"],
)
def test_interrupted_it_leaves_nothing_behind(tmp_path: Path, when: str, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        seen = next((line for line in process.stdout if when in line), "")
        process.send_signal(number)
        said = process.stdout.read()

    assert seen
    assert process.returncode == 128 + number
    assert "Interrupted" in said
    assert "left behind" not in said
    assert leftovers(tmp_path, frozenset()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.json"]
