"""A machine to deploy to by hand: folders of its own, and the real command."""

from __future__ import annotations

import functools
import json
import os
import pwd
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import forked

COMMAND = Path(sys.executable).parent / "tidegate"
GROUP = "default-local-deployment-group"
ORDER = [
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
]
HOOKS = [event for event in ORDER if event not in ("DownloadBundle", "Install")]


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def statuses(self) -> dict[str, str]:
        return {event["lifecycleEventName"]: event["status"] for event in self.json["events"]}

    @property
    def failure(self) -> tuple[str, dict[str, str]]:
        """The name and diagnostics of the event that failed last."""
        event = [event for event in self.json["events"] if event["status"] == "Failed"][-1]
        return event["lifecycleEventName"], event["diagnostics"]


class Machine:
    """State, a destination, and a file into which scripts write, all below one folder."""

    order = ORDER
    hooks = HOOKS
    group = GROUP

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.target = folder / "target"
        self.said = folder / "said"

    def bundle(
        self, name: str, files: Mapping[str, str] | None = None, appspec: str | None = None, **hooks: str
    ) -> Path:
        """Make a folder with files, with a script of each event of `hooks` (its body), and with an AppSpec.

        The default AppSpec installs the folder ``web`` (made where there is none) into the target.
        """
        folder = self.folder / name
        for path, content in {"web/.keep": "", **(files or {})}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        for event, body in hooks.items():
            script = folder / f"{event}.sh"
            script.write_text(f"#!/bin/sh\n{body}\n")
            script.chmod(0o755)
        (folder / "appspec.yml").write_text(self.appspec(*hooks) if appspec is None else appspec)
        return folder

    def appspec(self, *hooks: str, more: str = "") -> str:
        text = f"version: 0.0\nos: linux\nfiles:\n  - source: web\n    destination: {self.target}\n{more}\n"
        if hooks:
            text += "hooks:\n" + "".join(f"  {hook}:\n    - location: {hook}.sh\n      timeout: 20\n" for hook in hooks)
        return text

    def say(self, text: str) -> str:
        """Give a script's body that appends `text` (a shell word) to what was said."""
        return f'echo "{text}" >> {self.said}'

    def speaking(self, name: str, *events: str, text: str = "$LIFECYCLE_EVENT") -> Path:
        """Make a bundle whose scripts say its name and something."""
        hooks = {event: self.say(f"{name} {text}") for event in events or HOOKS}
        return self.bundle(name, {"web/revision": name}, **hooks)

    def heard(self) -> list[str]:
        return self.said.read_text().splitlines() if self.said.exists() else []

    def pack(self, folder: Path, kind: str, inside: str = "") -> Path:
        """Make an archive of a folder's content, below the folder `inside` of the archive."""
        path = folder.with_suffix(f".{kind}")
        members = sorted(path for path in folder.rglob("*"))
        if kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for member in members:
                    name = Path(inside) / member.relative_to(folder)
                    if member.is_symlink():
                        link = zipfile.ZipInfo(str(name))
                        link.create_system, link.external_attr = 3, 0o120777 << 16
                        archive.writestr(link, os.fsencode(member.readlink()))
                    else:
                        archive.write(member, name)
            return path
        with tarfile.open(path, "w:gz" if kind == "tgz" else "w") as tar:
            for member in members:
                tar.add(member, Path(inside) / member.relative_to(folder), recursive=False)
        return path

    def command(self, verb: str, bundle: Path | str, *options: str, kind: str = "directory") -> list[str]:
        place = ["--bundle", str(bundle), "--bundle-type", kind, "--root", str(self.state)]
        return [str(COMMAND), "host", verb, *place, *options]

    def deploy(self, bundle: Path | str, *options: str, kind: str = "directory", **more: Any) -> Outcome:
        return run([*self.command("deploy", bundle, "--json", kind=kind), *options], **more)

    def plan(self, bundle: Path | str, *options: str, kind: str = "directory", **more: Any) -> Outcome:
        return run([*self.command("plan", bundle, "--json", kind=kind), *options], **more)

    def installed(self) -> dict[str, str]:
        """The target's files, but for the one each bundle has."""
        files = (path for path in self.target.rglob("*") if path.is_file() and path.name != ".keep")
        return {str(path.relative_to(self.target)): path.read_text() for path in files}


def run(command: list[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Outcome:
    environment = {"PATH": os.environ["PATH"], "HOME": "/", **(env or {})}
    # What Python reads only when it starts needs one that starts.
    if command[0] == str(COMMAND) and not any(name.startswith("PYTHON") for name in environment):
        done = forked.tidegate().run(command[1:], environment, cwd)
    else:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, timeout=100)
    return Outcome(done.returncode, done.stdout, done.stderr)


@functools.cache
def ordinary_user() -> list[str]:
    """Give what to put in front of a command so that it runs as a user who is not root.

    The interpreter may lie in a folder that only root may enter. Then root's right to read, and nothing else of
    root's, goes along.
    """
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("NOT RUN: no setpriv on this machine; apt-get install util-linux")
    nobody = pwd.getpwnam("nobody")
    user = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    caps = [f"--{kind}=-all,+dac_read_search" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    for prefix in (user, user + caps):
        if run([*prefix, str(COMMAND), "host", "--help"]).code == 0:
            return prefix
    pytest.skip("NOT RUN: no ordinary user may read this Python or this checkout; put them outside of /root")


def as_ordinary_user(command: list[str], own: Path) -> list[str]:
    """Give `command` as a user who is not root; `own` is given to that user."""
    prefix = ordinary_user()
    if prefix:
        nobody = pwd.getpwnam("nobody")
        os.chown(own, nobody.pw_uid, nobody.pw_gid)
    return [*prefix, *command]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def shell() -> Any:
    """The two ways to run a command: as this user, and as an ordinary one."""
    return type("Shell", (), {"run": staticmethod(run), "as_ordinary_user": staticmethod(as_ordinary_user)})
