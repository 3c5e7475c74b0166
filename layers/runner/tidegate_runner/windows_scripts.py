"""Starting and ending the scripts of lifecycle events on Windows; ``scripts`` is its twin. Not run on Windows yet."""

import os
import subprocess
import sys
from typing import Any, Callable, Dict, List, Mapping

from tidegate_runner.errors import SCRIPT_FAILED, SCRIPT_NOT_EXECUTABLE, ScriptError
from tidegate_runner.files import describe
from tidegate_runner.logs import ScriptLog
from tidegate_runner.output import LineReader
from tidegate_runner.windows import start_apart
from tidegate_runner.windows_names import script_command, system_program

_CHUNK = 65536
_DRAIN = "import sys\nwhile sys.stdin.buffer.read1(65536): pass"


def make_runnable(script: Dict[str, Any], path: str, log: ScriptLog) -> None:
    """Refuse a script that Windows cannot start, or that is to run as another user.

    Raises
    ------
    ScriptError
    """
    name = script["location"]
    for option in ("runas", "sudo"):
        if script.get(option):
            message = "Script at specified location: %s cannot be run: %s is not supported on Windows" % (name, option)
            raise ScriptError(SCRIPT_FAILED, name, message)
    try:
        script_command(path, os.environ)
    except ValueError as error:
        message = "Unable to set script at specified location: %s as executable (%s)" % (name, error)
        raise ScriptError(SCRIPT_NOT_EXECUTABLE, name, message) from None


def start(
    script: Dict[str, Any], path: str, environment: Mapping[str, str], variables: Mapping[str, str], cwd: str
) -> "subprocess.Popen[bytes]":
    """Start a script.

    Raises
    ------
    ScriptError
    """
    try:
        return subprocess.Popen(
            script_command(path, environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd=cwd,
        )
    except OSError as error:
        name = script["location"]
        shown = (name, type(error).__name__, describe(error))
        message = "Script at specified location: %s failed with error %s with message %s" % shown
        raise ScriptError(SCRIPT_FAILED, name, message) from None


class PipeReader(LineReader):
    """Reads a script's pipes, a thread each: Windows has no waiting on several."""

    def __init__(self, process: "subprocess.Popen[bytes]", line: Callable[[str, str], None]) -> None:
        import queue
        import threading

        assert process.stdout is not None
        assert process.stderr is not None
        self._pipes = {process.stdout.fileno(): process.stdout, process.stderr.fileno(): process.stderr}
        names = {process.stdout.fileno(): "stdout", process.stderr.fileno(): "stderr"}
        super().__init__(names, line)
        self._empty = queue.Empty
        self._arrived = queue.Queue(64)  # type: queue.Queue[Any]
        for descriptor in names:
            threading.Thread(target=self._fetch, args=(descriptor,), daemon=True).start()

    def read(self, seconds: float) -> None:
        """Wait so long for output and log what has come."""
        try:
            descriptor, data = self._arrived.get(timeout=max(seconds, 0.001))
        except self._empty:
            return
        if descriptor in self._streams:
            self._take(descriptor, data)
        if not data:  # elsewhere it stays open: its thread may be reading from it
            self._pipes[descriptor].close()

    def holders(self) -> List[int]:
        """Name nobody: finding who has a pipe open takes rights and tools that not every Windows has."""
        return []

    def let_go(self) -> None:
        """Leave the pipes to programs that read on until their writers end: without a reader, writing would fail."""
        self._flush()
        for descriptor in list(self._streams):
            try:
                start_apart(
                    [sys.executable, "-I", "-S", "-c", _DRAIN],
                    stdin=self._pipes[descriptor],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                ).returncode = 0  # nobody waits for it
            except OSError:
                continue
        self._streams.clear()

    def _fetch(self, descriptor: int) -> None:
        data = b"start"
        while data:
            try:
                data = os.read(descriptor, _CHUNK)
            except OSError:
                data = b""
            self._arrived.put((descriptor, data))


def read_output(process: "subprocess.Popen[bytes]", line: Callable[[str, str], None]) -> LineReader:
    """Take over a script's pipes; `line` gets the stream and the text of each line."""
    return PipeReader(process, line)


def end(process: "subprocess.Popen[bytes]", reader: LineReader) -> None:
    """End a script and all it started, at once: Windows has no word to ask a program without a window."""
    try:
        subprocess.call(
            [system_program("taskkill.exe", os.environ), "/F", "/T", "/PID", str(process.pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        pass
    if process.poll() is None:
        process.kill()
    process.wait()
    reader.read(0.2)


def exit_text(code: int) -> str:
    """Spell a script's exit code for people; those of Windows itself are known in hexadecimal."""
    return str(code) if 0 < code < 0x80000000 else "%d (0x%08X)" % (code, code & 0xFFFFFFFF)
