"""What this host has done of a deployment's stage: the record that makes repeats harmless.

Written before an event starts and after it ends. An event in progress that no living worker holds was
interrupted (a crash, a reboot); it is reported Failed and never run again.
"""

from typing import Any, Dict, List, Optional

from tidegate_runner.files import read_json, write_json
from tidegate_runner.result import diagnostics_of, result_document

INTERRUPTED = (
    "Failing in-progress lifecycle event after an agent restart: the host runner ended while %s was in "
    "progress (a crash or a reboot of the host). It is not run again; deploy again."
)
CUT_OFF = "The host runner ended before %s was started (a crash or a reboot of the host). Deploy again."


class Journal:
    """The record of one stage of one deployment on this host."""

    def __init__(self, path: str, deployment: str, stage: str, target: str) -> None:
        self.path = path
        self.deployment = deployment
        self.stage = stage
        self.target = target
        self.events: List[List[Any]] = []
        self.in_progress: Optional[List[Any]] = None
        self.result: Optional[Dict[str, Any]] = None
        self.reload()

    def reload(self) -> None:
        """Read what is recorded by now (another process may write it)."""
        record = read_json(self.path)
        if isinstance(record, dict):
            self.events = record.get("events") or []
            self.in_progress = record.get("inProgress")
            self.result = record.get("result")

    @property
    def done(self) -> List[str]:
        return [str(event[0]) for event in self.events]

    def begin(self, event: str, now: float) -> None:
        self.in_progress = [event, round(now, 3)]
        self._write()

    def finish(self, status: str, now: float) -> None:
        assert self.in_progress is not None
        event, start = self.in_progress
        self.events.append([event, status, start, round(now, 3)])
        self.in_progress = None
        self._write()

    def complete(self, status: str, diagnostics: Optional[Dict[str, str]]) -> Dict[str, Any]:
        """Record the final result; from now on it is the answer to every repeat."""
        self.result = self._document(status, diagnostics)
        self._write()
        return self.result

    def interrupt(self, now: float) -> Dict[str, Any]:
        """Record that the event in progress was interrupted. Only for a caller who holds the stage's lock."""
        assert self.in_progress is not None
        event = str(self.in_progress[0])
        self.finish("Failed", now)
        return self.complete("Failed", diagnostics_of(event, "UnknownError", "", INTERRUPTED % event, ""))

    def cut_off(self, next_event: str) -> Dict[str, Any]:
        """Record that the worker ended between two events and nobody is to go on."""
        return self.complete("Failed", diagnostics_of(next_event, "UnknownError", "", CUT_OFF % next_event, ""))

    def progress(self, now: float) -> Dict[str, Any]:
        events = list(self.events)
        if self.in_progress is not None:
            events.append([self.in_progress[0], "InProgress", self.in_progress[1], None])
        return {
            "deployment": self.deployment,
            "target": self.target,
            "stage": self.stage,
            "events": events,
            "updatedAt": round(now, 3),
        }

    def _document(self, status: str, diagnostics: Optional[Dict[str, str]]) -> Dict[str, Any]:
        return result_document(self.deployment, self.target, self.stage, status, self.events, diagnostics)

    def _write(self) -> None:
        record = {"schema": 1, "events": self.events, "inProgress": self.in_progress, "result": self.result}
        write_json(self.path, record, 0o600)
