"""Running one step in a host, as the agent's aws:runShellScript does."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO

from tidegate_local.hosts.host import LocalHost
from tidegate_local.hosts.isolation import HostError
from tidegate_local.hosts.process import HostProcess
from tidegate_local.hosts.runcommand.documents import Step

_LOOK_SECONDS = 0.1
_KEPT_BYTES = 1 << 20
_STOPPED_CODE = 137  # what the agent reports for a step that it stopped itself


@dataclass(frozen=True)
class StepResult:
    """How a step ended: its status, exit code and outputs; `lost` when its host went down with it."""

    status: str
    code: int
    output: str
    errors: str
    lost: bool = False


def run_step(
    host: LocalHost,
    step: Step,
    environment: Mapping[str, str],
    cancelled: threading.Event,
    death_seconds: float | None,
) -> StepResult:
    """Run a step to its end.

    The step is open as long as anything holds its output, be it a child that left its process group.
    Its time-out and a cancel kill that group alone; a cancel must first reach the agent.
    (`death_seconds` does the same unasked.)
    """
    if step.problem:
        return StepResult("Failed", 1, "", step.problem)
    try:
        process = host.popen(
            ["/bin/sh", "-c", step.script],
            environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=step.folder or "/",
        )
    except HostError as error:
        return StepResult("Failed", 1, "", str(error), lost=True)
    except ValueError as error:
        return StepResult("Failed", 1, "", str(error))
    readers = [_Reader(stream) for stream in (process.stdout, process.stderr) if stream is not None]

    def is_cancelled() -> bool:
        return cancelled.is_set() and host.agent_online

    stopped = _watch(process, readers, step.timeout, is_cancelled, death_seconds)
    code = process.wait()
    output, errors = (reader.text() for reader in readers)
    if stopped:
        return StepResult(stopped, _STOPPED_CODE, output, errors, host.state == "stopped")
    if code != 0:
        note = f"failed to run commands: {'exit status ' + str(code) if code > 0 else 'signal: ' + str(-code)}"
        errors = f"{errors}\n{note}" if errors else note
    return StepResult(
        "Failed" if code else "Success", max(code, -1), output, errors, code < 0 and host.state == "stopped"
    )


def _watch(
    process: HostProcess,
    readers: list["_Reader"],
    timeout: float,
    cancelled: Callable[[], bool],
    death_seconds: float | None,
) -> str:
    """Wait until all output is closed and the process has ended; why it was stopped, if it was."""
    began = time.monotonic()
    stopped = ""
    while not all(reader.finished(_LOOK_SECONDS) for reader in readers) or process.poll() is None:
        ran = time.monotonic() - began
        wish = "Cancelled" if cancelled() else "TimedOut" if ran > timeout else ""
        if wish and not stopped:
            stopped = wish
            process.send_signal(signal.SIGKILL, group=True)
        if death_seconds is not None and ran > death_seconds:
            death_seconds = None
            process.send_signal(signal.SIGKILL, group=True)
        if all(reader.finished(0) for reader in readers):
            time.sleep(_LOOK_SECONDS / 20)  # it has closed its output and still runs
    return stopped


class _Reader:
    """Reads a stream to its end, keeps its beginning."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            while data := self._stream.read1(65_536):  # type: ignore[attr-defined]
                self._kept += data[: max(0, _KEPT_BYTES - len(self._kept))]

    def finished(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def text(self) -> str:
        return self._kept.decode("utf-8", errors="replace")
