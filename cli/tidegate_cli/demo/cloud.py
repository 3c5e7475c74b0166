"""A local cloud of the demonstration's own, driven by the same commands that a user types."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tidegate_cli.clients import UserError
from tidegate_cli.demo.leftovers import leftovers, namespaces_of

__all__ = ["DemoCloud", "fetch_json", "parse_exports"]

# Proxies are for the world outside; everything here is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch_json(url: str, timeout: float = 5.0) -> Any:
    """Return the JSON at `url`; raises OSError or ValueError when there is none."""
    with _OPENER.open(url, timeout=timeout) as answer:
        return json.loads(answer.read())


def parse_exports(text: str) -> dict[str, str]:
    """Return the variables of ``export NAME=value`` lines.

    >>> parse_exports("export A=1\\nexport B='two words'\\n")
    {'A': '1', 'B': 'two words'}
    """
    variables = {}
    for line in text.splitlines():
        words = shlex.split(line)
        if len(words) == 2 and words[0] == "export":
            name, _, value = words[1].partition("=")
            variables[name] = value
    return variables


class DemoCloud:
    """One instance of the local cloud in a folder of its own; :meth:`down` leaves nothing of it.

    Attributes
    ----------
    hosts : what ``tidegate local hosts --json`` said after :meth:`up`
    """

    def __init__(self, directory: Path, say: Callable[[str], None]) -> None:
        self.directory = directory
        self.hosts: list[dict[str, Any]] = []
        self._say = say
        self._namespaces: frozenset[str] = frozenset()
        self._programs = Path(sys.executable).parent
        # What the user has set for AWS must reach neither the local cloud nor its clients.
        self._variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._variables["TIDEGATE_LOCAL_DIR"] = str(directory)
        self._client_variables: dict[str, str] = {}

    def up(self, hosts: int, tag: str) -> None:
        """Start the cloud with `hosts` hosts tagged `tag`, and point this process's clients at it."""
        for line in self._local("up", "--hosts", str(hosts), "--tag", tag, "--detach").splitlines():
            self._say(line)
        self.hosts = json.loads(self._local("hosts", "--json"))
        self._namespaces = namespaces_of([int(host["pid"]) for host in self.hosts if host.get("pid")])
        self._client_variables = parse_exports(self._local("env"))
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(self._client_variables)

    def aws(self, *arguments: str) -> str:
        """Run the unmodified ``aws`` program against the cloud and return what it printed."""
        return self._run([str(self._programs / "aws"), *arguments], self._client_variables)

    def calls(self) -> dict[str, int]:
        """Return what the cloud has counted since it started, without the calls of the API: those are a watcher's."""
        door = urlsplit(self._client_variables["AWS_ENDPOINT_URL_CODEDEPLOY"])
        counted: Mapping[str, Any] = fetch_json(f"{door.scheme}://{door.netloc}/_local/calls")
        api: Mapping[str, int] = counted.get("byFunction", {}).get("ApiFunction", {})
        return {name: value - api.get(name, 0) for name, value in counted.items() if isinstance(value, int)}

    def down(self, patience: float = 30.0) -> list[str]:
        """Take everything down, and return what is left of it after `patience` seconds: nothing, or a fault.

        Asked again while something is left: an interrupt that came just as ``up`` was being started leaves it behind
        unknown to us, and what it starts appears only later.
        """
        deadline = time.monotonic() + patience
        while True:
            with suppress(UserError):
                self._local("down")
            left = leftovers(self.directory, self._namespaces)
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.2)

    def keep_logs(self, target: Path) -> None:
        """Copy the cloud's log files into `target`, for looking into a failure."""
        shutil.rmtree(target, ignore_errors=True)
        for log in [*self.directory.glob("*.log"), *self.directory.glob("logs/**/*.log")]:
            kept = target / log.relative_to(self.directory)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, kept)

    def _local(self, *arguments: str) -> str:
        return self._run([str(self._programs / "tidegate"), "local", *arguments], {})

    def _run(self, command: list[str], variables: Mapping[str, str]) -> str:
        # A session of its own: Ctrl-C reaches this process only, which then takes down in order.
        with subprocess.Popen(
            command,
            env={**self._variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(timeout=120)
            except BaseException:
                process.terminate()
                # Not communicate(): what the program started may hold its pipes for longer.
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=10)
                process.kill()
                raise
        if process.returncode:
            what = " ".join([Path(command[0]).name, *command[1:4]])
            raise UserError(f"{what} failed: {(err or out).strip() or process.returncode}")
        return out
