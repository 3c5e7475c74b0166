"""A Windows host: a folder, stand-ins for Windows' programs, and a Python that lacks what Windows lacks."""

import base64
import functools
import hashlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tidegate_runner import archive

REPOSITORY = Path(__file__).parents[4]
PROGRAMS = {
    "python.exe": """exec "$STANDIN_BASE" -I -S "$STANDIN" "$@" """,
    "cmd.exe": """[ "$1 $2" = "/s /c" ] || exit 99
exec sh "$(printf %s "$3" | tr '\\\\' /)" """,
    "powershell.exe": """case "$*" in
  *Get-Acl*) echo "${STANDIN_OWNER:-S-1-5-18}" ;;
  "-ExecutionPolicy Bypass -File "*) exec sh "$(printf %s "$4" | tr '\\\\' /)" ;;
  *) exit 99 ;;
esac""",
    "taskkill.exe": """[ "$1 $2 $3" = "/F /T /PID" ] || exit 99
tree() { for child in $(cat /proc/$1/task/*/children); do tree $child; done; kill -9 $1; }
tree "$4" """,
}


@functools.cache
def runner_archive() -> bytes:
    """The runner as hosts with Windows get it."""
    return archive.build(str(REPOSITORY / "layers" / "runner" / "tidegate_runner"), "windows")


class WindowsHost:
    """Runs what the document for Windows hands to Python, on a folder that is the drives."""

    def __init__(self, host: Any, folder: Path) -> None:
        self.host = host
        self.root: Path = host.root
        self.variables: dict[str, str] = {}
        self._bin = folder / "bin"
        self._bin.mkdir()
        for name, text in PROGRAMS.items():
            (self._bin / name).write_text("#!/bin/sh\n" + text + "\n")
            (self._bin / name).chmod(0o755)
        runner = runner_archive()
        sha256 = hashlib.sha256(runner).hexdigest()
        self._runner = {"url": host.server.put("/windows.zip", runner), "sha256": sha256}
        self._numbers = itertools.count(1)

    def path(self, logical: str) -> Path:
        return self.root / logical.replace(":", "", 1)

    def state(self, deployment_id: str, group_id: str) -> Path:
        return self.path(f"C:/ProgramData/Amazon/CodeDeploy/{group_id}/{deployment_id}")

    def order(self, deployment_id: str, bundle: bytes, appspec: dict[str, Any], **changes: Any) -> dict[str, Any]:
        return self.host.order(deployment_id, bundle, {"os": "windows", **appspec}, runner=self._runner, **changes)

    @property
    def python(self) -> Path:
        return self._bin / "python.exe"

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "AWS_SSM_INSTANCE_ID": "i-0123",
            "TIDEGATE_FOLDER": f"{self.root}/C/ProgramData\\Tidegate",
            "TIDEGATE_HOST_ROOT": str(self.root),
            "PROGRAMDATA": "C:\\ProgramData",
            "SYSTEMROOT": "C:\\Windows",
            "SYSTEMDRIVE": "C:",
            "STANDIN": str(Path(__file__).with_name("standin.py")),
            "STANDIN_BASE": getattr(sys, "_base_executable", sys.executable),
            "STANDIN_BIN": str(self._bin),
            "STANDIN_PYTHON": str(self.python),
            **self.variables,
        }

    def start(self, order: dict[str, Any]) -> "subprocess.Popen[bytes]":
        body = json.dumps(order).encode()
        url = self.host.server.put(f"/windows-order/{next(self._numbers)}", body)
        named = {"url": url, "sha256": hashlib.sha256(body).hexdigest()}
        process = subprocess.Popen(
            [self.python, "-I", "-S", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self.environment(), "TIDEGATE_ORDER": base64.b64encode(json.dumps(named).encode()).decode()},
        )
        assert process.stdin is not None
        with process.stdin as stream:
            stream.write(python_part().encode("ascii"))
        process.stdin = None
        return process

    def finish(self, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
        out, err = process.communicate(timeout=120)
        assert err == b"", err.decode()
        result: dict[str, Any] = json.loads(out)
        assert process.returncode == (0 if result["status"] == "Succeeded" else 1)
        return result

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        return self.finish(self.start(order))


@functools.cache
def document() -> list[str]:
    """The lines of the document for Windows: PowerShell, Python, PowerShell."""
    resources = yaml_parse((REPOSITORY / "template.yaml").read_text())["Resources"]
    lines = resources["RunStageWindowsDocument"]["Properties"]["Content"]["mainSteps"][0]["inputs"]["runCommand"]
    assert len(lines) == 3
    return list(lines)


def python_part() -> str:
    return document()[1]


@pytest.fixture
def windows(host: Any, tmp_path: Path) -> WindowsHost:
    return WindowsHost(host, tmp_path)
