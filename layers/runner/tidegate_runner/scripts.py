"""Starting and ending the scripts of lifecycle events on Linux; ``windows_scripts`` is its twin."""

import errno
import os
import pwd
import shlex
import signal
import stat
import subprocess
import time
from typing import Any, Callable, Dict, List, Mapping

from tidegate_runner.errors import SCRIPT_FAILED, SCRIPT_NOT_EXECUTABLE, ScriptError
from tidegate_runner.files import describe
from tidegate_runner.logs import ScriptLog
from tidegate_runner.output import LineReader, OutputReader
from tidegate_runner.processes import any_alive, groups_below, signal_groups, signal_name

KILL_GRACE = 5.0
_LOOK = 0.05


def make_runnable(script: Dict[str, Any], path: str, log: ScriptLog) -> None:
    """Give a script the right to be run where its file lacks it.

    Raises
    ------
    ScriptError
    """
    name = script["location"]
    if os.stat(path).st_mode & 0o111:
        return
    log.line("[stderr]Script at specified location: %s is not executable. Trying to make it executable." % name)
    try:
        os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | 0o111)
    except OSError as error:
        raise ScriptError(
            SCRIPT_NOT_EXECUTABLE,
            name,
            "Unable to set script at specified location: %s as executable (%s)" % (name, describe(error)),
        ) from None


def _command(script: Dict[str, Any], path: str, variables: Mapping[str, str]) -> List[str]:
    # sudo starts with a fresh environment; the deployment's variables are handed over by name.
    sudo = ["sudo"] + ["%s=%s" % item for item in sorted(variables.items())] if script.get("sudo") else []
    runas = script.get("runas")
    if not runas or (not sudo and os.geteuid() != 0 and _is_own_name(str(runas))):
        return sudo + [path]
    _check_user(script, str(runas))
    return sudo + ["su", str(runas), "-c", shlex.quote(path)]


def _check_user(script: Dict[str, Any], user: str) -> None:
    problem = ""
    try:
        entry = pwd.getpwnam(user)
        if os.geteuid() != 0 and not script.get("sudo"):
            problem = "the runner is not root, so it cannot become another user"
        elif not _is_mapped(entry.pw_uid):
            problem = "this host is a user namespace that does not know the user's id"
    except KeyError:
        problem = "this host has no such user"
    if problem:
        raise ScriptError(
            SCRIPT_FAILED,
            script["location"],
            "Script at specified location: %s run as user %s failed with error: %s"
            % (script["location"], user, problem),
        )


def _is_own_name(user: str) -> bool:
    try:
        return pwd.getpwnam(user).pw_uid == os.geteuid()
    except KeyError:
        return False


def _is_mapped(uid: int) -> bool:
    try:
        with open("/proc/self/uid_map") as stream:
            ranges = [[int(field) for field in line.split()] for line in stream]
    except OSError:
        return True
    return any(first <= uid < first + count for first, _, count in ranges)


def start(
    script: Dict[str, Any], path: str, environment: Mapping[str, str], variables: Mapping[str, str], cwd: str
) -> "subprocess.Popen[bytes]":
    """Start a script in a session of its own, as the user it is to run as.

    Raises
    ------
    ScriptError
    """
    command = _command(script, path, variables)
    try:
        return _spawn(command, environment, cwd)
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # no "#!" line: the shell's, as everywhere
            return _spawn(["/bin/sh"] + command, environment, cwd)
        raise ScriptError(
            SCRIPT_FAILED,
            script["location"],
            "Script at specified location: %s failed with error %s with message %s%s"
            % (script["location"], type(error).__name__, describe(error), _hint(path, error)),
        ) from None


def _hint(path: str, error: OSError) -> str:
    if error.errno != errno.ENOENT:
        return ""
    with open(path, "rb") as stream:
        first = stream.readline(200)
    if not first.startswith(b"#!"):
        return ""
    if first.endswith(b"\r\n"):
        return " (its first line ends in a Windows line break; save the script with Unix line breaks)"
    return " (its first line names %s)" % first[2:].decode("utf-8", "replace").strip()


def _spawn(command: List[str], environment: Mapping[str, str], cwd: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=dict(environment),
        cwd=cwd,
    )


def read_output(process: "subprocess.Popen[bytes]", line: Callable[[str, str], None]) -> LineReader:
    """Take over a script's pipes; `line` gets the stream and the text of each line."""
    assert process.stdout is not None
    assert process.stderr is not None
    streams = {os.dup(process.stdout.fileno()): "stdout", os.dup(process.stderr.fileno()): "stderr"}
    process.stdout.close()
    process.stderr.close()
    return OutputReader(streams, line)


def end(process: "subprocess.Popen[bytes]", reader: LineReader) -> None:
    """End a script and all it started: ask, wait five seconds, then insist."""
    groups = groups_below(process.pid)
    signal_groups(groups, signal.SIGTERM)
    deadline = time.monotonic() + KILL_GRACE
    while time.monotonic() < deadline and (process.poll() is None or any_alive(groups)):
        if reader.ended:
            time.sleep(_LOOK)
        else:
            reader.read(_LOOK)
    signal_groups(groups | groups_below(process.pid) if process.poll() is None else groups, signal.SIGKILL)
    process.wait()
    reader.read(0)


def exit_text(code: int) -> str:
    """Spell a script's exit code for people; one that a signal ended has 128 and the signal's number."""
    return str(code) if code > 0 else "%d (ended by %s)" % (128 - code, signal_name(-code))
