"""Commands as Systems Manager keeps them, and the shapes in which it shows them."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tidegate_local.hosts.runcommand.documents import Step

#: What lists show of one step's output, and what GetCommandInvocation shows: characters.
LIST_OUTPUT = 2_500
FULL_OUTPUT = 24_000
FULL_ERROR = 8_000
_CUT = "\n---Output truncated---"
_ERROR_MARK = "\n----------ERROR-------\n"

TERMINAL = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})


def cut(text: str, limit: int) -> str:
    """The first `limit` characters, with a mark at their end where something is missing."""
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT


@dataclass
class Plugin:
    """One step on one host."""

    step: Step
    status: str = "Pending"
    details: str = "Pending"
    code: int = -1
    output: str = ""
    errors: str = ""
    started: datetime | None = None
    finished: datetime | None = None

    def listed(self) -> dict[str, Any]:
        """As a CommandPlugin of ListCommandInvocations."""
        output = self.output + (_ERROR_MARK + self.errors if self.errors else "")
        shown: dict[str, Any] = {
            "Name": self.step.name,
            "Status": self.status,
            "StatusDetails": self.details,
            "ResponseCode": self.code,
            "Output": cut(output, LIST_OUTPUT),
            "StandardOutputUrl": "",
            "StandardErrorUrl": "",
        }
        if self.started:
            shown["ResponseStartDateTime"] = self.started
        if self.finished:
            shown["ResponseFinishDateTime"] = self.finished
        return shown


@dataclass
class Invocation:
    """A command on one host."""

    instance_id: str
    host_name: str
    plugins: list[Plugin]
    status: str = "Pending"
    details: str = "Pending"
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass
class Command:
    """A command, its hosts and what became of it.

    Attributes
    ----------
    delivery_timeout : seconds; a host that has not taken the command after these *and* the steps' own
        time-outs is given up (DeliveryTimedOut)
    max_errors : failures after which the command itself counts as failed, a number or a percentage
    """

    id: str
    document_name: str
    comment: str
    parameters: Mapping[str, Sequence[str]]
    targets: Sequence[Mapping[str, Any]]
    asked_ids: Sequence[str]
    delivery_timeout: int
    max_concurrency: str
    max_errors: str
    requested: datetime
    invocations: dict[str, Invocation]
    status: str = "Pending"
    details: str = "Pending"

    @property
    def deadline(self) -> datetime:
        """When a host that has not taken the command is given up."""
        steps = next(iter(self.invocations.values())).plugins if self.invocations else []
        run = sum(plugin.step.timeout for plugin in steps)
        return self.requested + timedelta(seconds=self.delivery_timeout + run)

    def settle(self) -> bool:
        """Bring the command's own status up to its hosts'; whether it changed."""
        status, details = self._judge()
        changed = (status, details) != (self.status, self.details)
        self.status, self.details = status, details
        return changed

    def _judge(self) -> tuple[str, str]:
        statuses = Counter(item.status for item in self.invocations.values())
        if all(status in TERMINAL for status in statuses):
            return self._judge_end(statuses)
        if statuses["Cancelling"]:
            return "Cancelling", "Cancelling"
        if set(statuses) == {"Pending"}:
            return "Pending", "Pending"
        return "InProgress", "InProgress"

    def _judge_end(self, statuses: Counter[str]) -> tuple[str, str]:
        if not set(statuses) - {"Success"}:
            return "Success", "Success"
        if set(statuses) == {"Cancelled"}:
            return "Cancelled", "Cancelled"
        undelivered = self.undelivered
        if undelivered == len(self.invocations):
            return "TimedOut", "DeliveryTimedOut"
        # Time-outs of delivery do not count against MaxErrors; everything else that failed does.
        errors = statuses["Failed"] + statuses["TimedOut"] - undelivered
        return ("Failed", "Failed") if errors > self._tolerated() else ("Failed", "Incomplete")

    def _tolerated(self) -> float:
        number = float(self.max_errors.rstrip("%"))
        return number * len(self.invocations) / 100 if self.max_errors.endswith("%") else number

    @property
    def undelivered(self) -> int:
        """How many hosts never took the command in time."""
        return sum(item.details == "DeliveryTimedOut" for item in self.invocations.values())

    def shown(self) -> dict[str, Any]:
        """As a Command of SendCommand and ListCommands."""
        statuses = Counter(item.status for item in self.invocations.values())
        return {
            "CommandId": self.id,
            "DocumentName": self.document_name,
            "DocumentVersion": "$DEFAULT",
            "Comment": self.comment,
            "ExpiresAfter": self.deadline,
            "Parameters": dict(self.parameters),
            "InstanceIds": list(self.asked_ids),
            "Targets": list(self.targets),
            "RequestedDateTime": self.requested,
            "Status": self.status,
            "StatusDetails": self.details,
            "MaxConcurrency": self.max_concurrency,
            "MaxErrors": self.max_errors,
            "TargetCount": len(self.invocations),
            "CompletedCount": sum(statuses[status] for status in TERMINAL),
            "ErrorCount": statuses["Failed"] + statuses["TimedOut"] - self.undelivered,
            "DeliveryTimedOutCount": self.undelivered,
            "ServiceRole": "",
            "TimeoutSeconds": self.delivery_timeout,
        }

    def shown_on(self, invocation: Invocation, details: bool) -> dict[str, Any]:
        """As a CommandInvocation of ListCommandInvocations."""
        return {
            "CommandId": self.id,
            "InstanceId": invocation.instance_id,
            "InstanceName": invocation.host_name,
            "Comment": self.comment,
            "DocumentName": self.document_name,
            "DocumentVersion": "$DEFAULT",
            "RequestedDateTime": self.requested,
            "Status": invocation.status,
            "StatusDetails": invocation.details,
            "StandardOutputUrl": "",
            "StandardErrorUrl": "",
            "CommandPlugins": [plugin.listed() for plugin in invocation.plugins] if details else [],
            "ServiceRole": "",
        }

    def shown_step(self, invocation: Invocation, plugin: Plugin) -> dict[str, Any]:
        """As the answer of GetCommandInvocation."""
        took = (plugin.finished - plugin.started).total_seconds() if plugin.started and plugin.finished else None
        return {
            "CommandId": self.id,
            "InstanceId": invocation.instance_id,
            "Comment": self.comment,
            "DocumentName": self.document_name,
            "DocumentVersion": "$DEFAULT",
            "PluginName": plugin.step.name,
            "ResponseCode": plugin.code,
            "ExecutionStartDateTime": iso_time(plugin.started),
            "ExecutionElapsedTime": "" if took is None else f"PT{took:.3f}S",
            "ExecutionEndDateTime": iso_time(plugin.finished),
            # A command that never reached its steps ends with a status of its own.
            "Status": plugin.status if plugin.started else invocation.status,
            "StatusDetails": plugin.details if plugin.started else invocation.details,
            "StandardOutputContent": cut(plugin.output, FULL_OUTPUT),
            "StandardOutputUrl": "",
            "StandardErrorContent": cut(plugin.errors, FULL_ERROR),
            "StandardErrorUrl": "",
        }


def iso_time(time: datetime | None) -> str:
    """Such as 2026-11-23T20:54:43.123Z; empty for none."""
    return "" if time is None else time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"
