"""Running the scripts of a lifecycle event."""

import errno
import os
import pwd
import shlex
import signal
import stat
import subprocess
import time
from typing import Any, Dict, List, Mapping

from tidegate_runner.errors import (
    SCRIPT_FAILED,
    SCRIPT_MISSING,
    SCRIPT_NOT_EXECUTABLE,
    SCRIPT_TIMED_OUT,
    ScriptError,
)
from tidegate_runner.files import describe
from tidegate_runner.logs import ScriptLog
from tidegate_runner.output import OutputReader
from tidegate_runner.processes import any_alive, groups_below, signal_groups, signal_name

KILL_GRACE = 5.0
PIPE_GRACE = 3.0
_LOOK = 0.05
_LONGEST = 172800


def run_scripts(
    scripts: List[Dict[str, Any]],
    archive: str,
    environment: Mapping[str, str],
    variables: Mapping[str, str],
    cwd: str,
    log: ScriptLog,
) -> None:
    """Run scripts one after the other, until one fails.

    Parameters
    ----------
    scripts : list of dict
        As compiled from the AppSpec: ``location``, ``timeout`` (seconds), ``runas``, ``sudo``.
    archive : str
        The folder of the revision they belong to.
    environment, variables : mapping
        The environment they inherit, and the deployment's own variables, which ``sudo`` gets as well.

    Raises
    ------
    ScriptError
    """
    for script in scripts:
        log.line("Script - %s" % script["location"])
        path = os.path.join(archive, script["location"].lstrip("/"))
        _make_runnable(script, path, log)
        process = _start(script, path, dict(environment, **variables), variables, cwd)
        _attend(script, process, log)


def _make_runnable(script: Dict[str, Any], path: str, log: ScriptLog) -> None:
    name = script["location"]
    if not os.path.isfile(path):
        raise ScriptError(SCRIPT_MISSING, name, "Script does not exist at specified location: %s" % path)
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


def _start(
    script: Dict[str, Any], path: str, environment: Mapping[str, str], variables: Mapping[str, str], cwd: str
) -> "subprocess.Popen[bytes]":
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


def _attend(script: Dict[str, Any], process: "subprocess.Popen[bytes]", log: ScriptLog) -> None:
    """Follow a script to its end; the reader owns its pipes."""
    assert process.stdout is not None
    assert process.stderr is not None
    streams = {os.dup(process.stdout.fileno()): "stdout", os.dup(process.stderr.fileno()): "stderr"}
    process.stdout.close()
    process.stderr.close()
    reader = OutputReader(streams, log.output)
    try:
        timeout = min(int(script["timeout"]), _LONGEST)
        if not _await_exit(process, reader, time.monotonic() + timeout):
            _stop(process, reader)
            raise ScriptError(
                SCRIPT_TIMED_OUT,
                script["location"],
                "Script at specified location: %s failed to complete in %d seconds" % (script["location"], timeout),
            )
        _await_output(script, reader, log)
    except (KeyboardInterrupt, SystemExit):  # somebody at a terminal ends what they started by hand
        _stop(process, reader)
        raise
    finally:
        reader.close()
    _check_exit(script, process.returncode)


def _await_exit(process: "subprocess.Popen[bytes]", reader: OutputReader, deadline: float) -> bool:
    pause = 0.002
    while process.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if reader.ended:
            time.sleep(min(pause, left))
            pause = min(pause * 2, _LOOK)
        else:
            reader.read(min(_LOOK, left))  # wakes up at once when the script closes its output
    return True


def _stop(process: "subprocess.Popen[bytes]", reader: OutputReader) -> None:
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


def _await_output(script: Dict[str, Any], reader: OutputReader, log: ScriptLog) -> None:
    """Read what is left after the exit.

    A process the script left running may hold the output open for ever. The script itself has ended, and
    a server it started must outlive it, so after a few seconds this counts as an end like any other, with
    a warning that names who holds the pipe. (CodeDeploy's agent waits out the whole timeout, then fails.)
    """
    deadline = time.monotonic() + PIPE_GRACE
    while not reader.ended and time.monotonic() < deadline:
        reader.read(_LOOK)
    if reader.ended:
        return
    pids = ", ".join(str(pid) for pid in reader.holders()) or "unknown"
    log.line(
        "[stderr]Warning: the script %s has ended, but process %s keeps its output open. It is left running; what it "
        "prints from now on is not logged. Start it with its output redirected." % (script["location"], pids)
    )
    reader.let_go()


def _check_exit(script: Dict[str, Any], code: int) -> None:
    if code == 0:
        return
    shown = str(code) if code > 0 else "%d (ended by %s)" % (128 - code, signal_name(-code))
    user = " run as user %s" % script["runas"] if script.get("runas") else ""
    raise ScriptError(
        SCRIPT_FAILED,
        script["location"],
        "Script at specified location: %s%s failed with exit code %s" % (script["location"], user, shown),
    )
