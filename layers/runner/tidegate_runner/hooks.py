"""Running the scripts of a lifecycle event."""

import os
import subprocess
import time
from typing import Any, Dict, List, Mapping

from tidegate_runner.errors import SCRIPT_FAILED, SCRIPT_MISSING, SCRIPT_TIMED_OUT, ScriptError
from tidegate_runner.logs import ScriptLog
from tidegate_runner.output import LineReader
from tidegate_runner.signals import HeldBack
from tidegate_runner.system import IS_WINDOWS

if IS_WINDOWS:
    from tidegate_runner.windows_scripts import end, exit_text, make_runnable, read_output, start
else:
    from tidegate_runner.scripts import end, exit_text, make_runnable, read_output, start

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
        path = os.path.join(archive, script["location"].lstrip("/\\" if IS_WINDOWS else "/"))
        if not os.path.isfile(path):
            message = "Script does not exist at specified location: %s" % path
            raise ScriptError(SCRIPT_MISSING, script["location"], message)
        make_runnable(script, path, log)
        with HeldBack() as held:
            process = start(script, path, dict(environment, **variables), variables, cwd)
            _attend(script, process, log, held)


def _attend(script: Dict[str, Any], process: "subprocess.Popen[bytes]", log: ScriptLog, held: HeldBack) -> None:
    """Follow a script to its end; the reader owns its pipes."""
    reader = read_output(process, log.output)
    try:
        held.heed()
        timeout = min(int(script["timeout"]), _LONGEST)
        if not _await_exit(process, reader, time.monotonic() + timeout):
            end(process, reader)
            raise ScriptError(
                SCRIPT_TIMED_OUT,
                script["location"],
                "Script at specified location: %s failed to complete in %d seconds" % (script["location"], timeout),
            )
        _await_output(script, reader, log)
    except (KeyboardInterrupt, SystemExit):  # somebody at a terminal ends what they started by hand
        end(process, reader)
        raise
    finally:
        reader.close()
    _check_exit(script, process.returncode)


def _await_exit(process: "subprocess.Popen[bytes]", reader: LineReader, deadline: float) -> bool:
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


def _await_output(script: Dict[str, Any], reader: LineReader, log: ScriptLog) -> None:
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
    user = " run as user %s" % script["runas"] if script.get("runas") else ""
    raise ScriptError(
        SCRIPT_FAILED,
        script["location"],
        "Script at specified location: %s%s failed with exit code %s" % (script["location"], user, exit_text(code)),
    )
