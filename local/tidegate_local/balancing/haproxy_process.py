"""A running haproxy: started, told things on its master socket, given another configuration, ended.

Follows haproxy's management guide. A new configuration starts a new worker beside the old one, which finishes what it
has; the servers' states go from one to the other in a file, so nothing is lost.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from tidegate_local.balancing.haproxy_config import STATE_FILE

#: The program to run instead of the one that is found; empty, none is used.
VARIABLE = "TIDEGATE_LOCAL_HAPROXY"
_OLDEST = (2, 6)  # servers with health checks can be added to and deleted from a running one
_SOCKET, _CONFIG = "control", "haproxy.cfg"
_READY_SECONDS, _ANSWER_SECONDS, _END_SECONDS = 10.0, 5.0, 5.0
#: Becomes haproxy, which the kernel kills when the thread that started it ends.
_BOOT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
os.getppid() == int(sys.argv[1]) or os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class HaproxyError(OSError):
    """haproxy does not do what it is told; the message holds its answer."""


def find() -> tuple[str, str]:
    """A haproxy that can be used, as its path and version; or an empty path, and why there is none."""
    wanted = os.environ.get(VARIABLE)
    if wanted == "":
        return "", f"{VARIABLE} is empty"
    # Debian's is in a folder that is not on an ordinary user's path.
    program = wanted or shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if not program:
        return "", "haproxy is not installed (Debian: apt-get install haproxy)"
    try:
        told = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"{program} cannot be run: {error}"
    found = re.search(r"version (\d+)\.(\d+)\S*", told)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST:
        return "", f"{program} is older than {'.'.join(map(str, _OLDEST))}"
    return program, found[0].removeprefix("version ").partition("-")[0]


class HaproxyProcess:
    """One haproxy, with a master and workers. It dies with the *thread* that starts it.

    Parameters
    ----------
    program
        haproxy's path.
    folder
        A folder of its own, for its configuration and socket.
    log
        Where what it prints goes.
    """

    def __init__(self, program: str, folder: Path, log: Path) -> None:
        self._folder = folder
        self._program = program
        self._log = log
        self._popen: subprocess.Popen[bytes] | None = None
        self._reloads = 0
        self._directory = -1  # the open folder: a socket's path may be 107 bytes long, and through this it is short

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self._popen is not None and self._popen.poll() is None

    def use(self, configuration: str) -> None:
        """Start it, or give it another configuration; it is in force when this returns.

        Raises
        ------
        HaproxyError
            It does not take it. One that runs goes on with what it had.
        """
        self._make_folder()
        (self._folder / _CONFIG).write_text(configuration, encoding="utf-8")
        if not self.runs:
            self._start()
            return
        state = self.ask("show servers state")
        (self._folder / STATE_FILE).write_text(state.strip() + "\n", encoding="utf-8")
        self._reloads += 1
        self._send("reload")
        self._wait()

    def ask(self, command: str, worker: str = "1") -> str:
        """The answer of a worker: the present one, or ``!pid``."""
        return self._send(f"@{worker} {command}").strip("\n")

    def tell(self, command: str) -> None:
        """Have the present worker do something.

        Raises
        ------
        HaproxyError
            It does not.
        """
        answer = self.ask(command)
        if answer and "registered" not in answer and "deleted" not in answer:
            raise HaproxyError(f"haproxy answers {answer!r} to {command!r}")

    def rows(self, worker: str = "1") -> list[dict[str, str]]:
        """What a worker knows of its servers, as "show stat" names it."""
        table = self.ask("show stat -1 4 -1", worker).removeprefix("# ")
        return list(csv.DictReader(io.StringIO(table)))

    def old_workers(self) -> list[str]:
        """The workers that still finish what they had when a new configuration came."""
        _, _, old = self._send("show proc").partition("# old workers")
        return [f"!{pid}" for pid in re.findall(r"^(\d+)\s+worker", old, re.MULTILINE)]

    def stop(self) -> None:
        """End it and all it carries."""
        if self._popen is not None:
            self._popen.terminate()
            try:
                self._popen.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
            self._popen = None
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make_folder(self) -> None:
        if self._directory < 0:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _start(self) -> None:
        (self._folder / _SOCKET).unlink(missing_ok=True)
        (self._folder / STATE_FILE).write_text("1\n", encoding="utf-8")
        self._reloads = 0
        command = [self._program, "-W", "-S", f"unix@{_SOCKET},mode,600", "-f", _CONFIG]
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, str(os.getpid()), *command],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        """Wait for the worker that has the configuration written last."""
        until = time.monotonic() + _READY_SECONDS
        while self.runs and time.monotonic() < until:
            try:
                told = self._send("show proc")
            except OSError:
                told = ""  # it is not there yet, or between two configurations
            master = re.search(r"master\s+(\d+) \[failed: (\d+)\]", told)
            if master and int(master[1]) == self._reloads:
                if int(master[2]):
                    break
                if re.search(r"worker\s+0\s", told):
                    return
            time.sleep(0.01)
        if not self.runs:
            self._popen = None
        raise HaproxyError(f"haproxy does not take its configuration; {self._log} says why")

    def _send(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as end:
            end.settimeout(_ANSWER_SECONDS)
            end.connect(f"/proc/self/fd/{self._directory}/{_SOCKET}")
            end.sendall(command.encode() + b"\n")
            end.shutdown(socket.SHUT_WR)
            answer = bytearray()
            while data := end.recv(65536):
                answer += data
        return answer.decode("utf-8", "replace")
