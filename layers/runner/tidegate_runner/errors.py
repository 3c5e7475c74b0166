"""What can go wrong while a lifecycle event runs.

RunnerError
    EventError       an event failed; carries CodeDeploy's public error code
        ScriptError  because of a script; names it
    OrderError       nothing was started: the order cannot be used
"""

UNKNOWN_ERROR = "UnknownError"
SCRIPT_MISSING = "ScriptMissing"
SCRIPT_NOT_EXECUTABLE = "ScriptNotExecutable"
SCRIPT_TIMED_OUT = "ScriptTimedOut"
SCRIPT_FAILED = "ScriptFailed"


class RunnerError(Exception):
    """The root of all errors the runner raises itself."""


class EventError(RunnerError):
    """A lifecycle event failed."""

    error_code = UNKNOWN_ERROR
    script_name = ""


class ScriptError(EventError):
    """A script of a lifecycle event is missing, cannot run, ran too long or failed."""

    def __init__(self, error_code: str, script_name: str, message: str) -> None:
        super().__init__(message)
        self.error_code = error_code
        self.script_name = script_name


class OrderError(RunnerError):
    """The order cannot be used; nothing was started."""
