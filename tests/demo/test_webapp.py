"""The example application's own scripts, run as a host that is a re-rooted folder runs them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate_cli.demo.revisions import EXAMPLE, assemble

EVENTS = ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")


@dataclass
class Host:
    """A folder that stands for a host's root, and the address its server binds."""

    root: Path
    port: int

    def run(self, revision: Path, event: str) -> subprocess.CompletedProcess[str]:
        """Run the script that the AppSpec names for an event; before AfterInstall, put the files in place."""
        spec = yaml.safe_load((revision / "appspec.yml").read_text())
        if event == "AfterInstall":
            for entry in spec["files"]:
                shutil.copytree(
                    revision / entry["source"], self.root / entry["destination"].lstrip("/"), dirs_exist_ok=True
                )
        (script,) = spec["hooks"][event]
        environment = {
            "PATH": os.environ["PATH"],
            "TIDEGATE_HOST_ROOT": str(self.root),
            "TIDEGATE_HOST_ADDRESS": "127.0.0.1",
            "WEBAPP_PORT": str(self.port),
        }
        return subprocess.run(
            [str(revision / script["location"])],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=script["timeout"],
        )

    def deploy(self, revision: Path) -> dict[str, subprocess.CompletedProcess[str]]:
        """Run all events up to the first that fails."""
        ran = {}
        for event in EVENTS:
            ran[event] = self.run(revision, event)
            if ran[event].returncode:
                break
        return ran

    def takes_connections(self) -> bool:
        try:
            return bool(self.ask("/"))
        except OSError:
            return False

    def ask(self, page: str) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.port}{page}", timeout=5) as answer:
            return json.loads(answer.read())


@pytest.fixture
def revisions(tmp_path: Path) -> list[Path]:
    return assemble(EXAMPLE, tmp_path / "revisions")


@pytest.fixture
def host(tmp_path: Path, revisions: list[Path]) -> Iterator[Host]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    host = Host(tmp_path / "root", port)
    yield host
    host.run(revisions[0], "ApplicationStop")


def test_revision_1_serves_after_its_scripts_have_ended(host: Host, revisions: list[Path]) -> None:
    ran = host.deploy(revisions[0])

    assert {event: one.returncode for event, one in ran.items()} == dict.fromkeys(EVENTS, 0)
    assert host.ask("/")["version"] == "1"
    assert host.ask("/health") == {"status": "ok", "version": "1"}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        host.ask("/other")


def test_revision_2_fails_its_health_check_and_says_what_was_answered(host: Host, revisions: list[Path]) -> None:
    host.deploy(revisions[0])

    ran = host.deploy(revisions[1])

    assert list(ran) == list(EVENTS)
    assert ran["ValidateService"].returncode == 1
    assert "/health answered 500" in ran["ValidateService"].stderr
    assert "WEBAPP_UPLOADS" in ran["ValidateService"].stderr
    assert host.ask("/")["version"] == "2"


def test_revision_1_comes_back_over_revision_2(host: Host, revisions: list[Path]) -> None:
    for number in (0, 1, 0):
        ran = host.deploy(revisions[number])

    assert ran["ValidateService"].returncode == 0
    assert host.ask("/")["version"] == "1"


def test_starting_and_stopping_twice_is_the_same_as_once(host: Host, revisions: list[Path]) -> None:
    host.deploy(revisions[0])

    again = host.run(revisions[0], "ApplicationStart")
    stops = [host.run(revisions[0], "ApplicationStop") for _ in range(2)]

    assert "runs already" in again.stdout
    assert [one.returncode for one in stops] == [0, 0]
    assert "does not run" in stops[1].stdout
    with pytest.raises(OSError, match="refused"):
        host.ask("/")


def test_a_request_that_is_under_way_is_answered_before_the_server_ends(host: Host, revisions: list[Path]) -> None:
    host.deploy(revisions[0])
    stopped: list[subprocess.CompletedProcess[str]] = []
    stop = threading.Thread(target=lambda: stopped.append(host.run(revisions[0], "ApplicationStop")))
    with socket.create_connection(("127.0.0.1", host.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.0\r\n")
        assert host.ask("/")["version"] == "1"  # connections are taken in order: the first one is, too
        stop.start()
        assert any(not host.takes_connections() for _ in range(1000))
        client.sendall(b"\r\n")
        with client.makefile("rb") as answer:
            assert answer.readline().split()[1] == b"200"
            assert b'"version": "1"' in answer.read()
    stop.join(30)
    assert stopped[0].returncode == 0
    assert "killing" not in stopped[0].stdout


def test_a_pid_that_belongs_to_another_program_is_left_alone(host: Host, revisions: list[Path]) -> None:
    host.deploy(revisions[0])
    host.run(revisions[0], "ApplicationStop")
    with subprocess.Popen(["sleep", "60"]) as other:
        (host.root / "var/lib/webapp/server.pid").write_text(f"{other.pid}\n")

        stopped = host.run(revisions[0], "ApplicationStop")

        assert other.poll() is None
        other.kill()
    assert (stopped.returncode, stopped.stdout) == (0, "the server does not run\n")
