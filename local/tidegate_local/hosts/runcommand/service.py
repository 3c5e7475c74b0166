"""Run Command: sends commands to local hosts and keeps what becomes of them.

Follows the API reference of SendCommand, CancelCommand, ListCommands and ListCommandInvocations, and
"Understanding command statuses" and "Monitoring with EventBridge" of the Systems Manager user guide.
All hosts of a command are sent to at once: MaxConcurrency is kept and shown, not applied.
"""

import logging
import queue
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from tidegate_local.hosts.host import LocalHost
from tidegate_local.hosts.recorded import RecordedHost
from tidegate_local.hosts.runcommand.delivery import AGENT_WORKERS, Delivery
from tidegate_local.hosts.runcommand.documents import Document
from tidegate_local.hosts.runcommand.errors import RunCommandError
from tidegate_local.hosts.runcommand.events import command_event, invocation_event
from tidegate_local.hosts.runcommand.faults import Faults
from tidegate_local.hosts.runcommand.model import Command, Invocation, Plugin
from tidegate_local.hosts.runcommand.replay import Replay

MAX_INSTANCE_IDS = 50

#: What a command can be sent to.
Node = LocalHost | RecordedHost

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What SendCommand was asked for."""

    document_name: str
    instance_ids: Sequence[str] = ()
    targets: Sequence[Mapping[str, Any]] = ()
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    comment: str = ""
    timeout_seconds: int = 3600
    max_concurrency: str = "50"
    max_errors: str = "0"


class RunCommand:
    """The service of one account and Region.

    Parameters
    ----------
    hosts : the managed nodes there are now
    tags_of : an instance's tags
    emit : puts an event on the default event bus; called from one thread, in the order of the changes
    clock : the time, with its zone
    """

    def __init__(
        self,
        hosts: Callable[[], Sequence[Node]],
        tags_of: Callable[[str], Mapping[str, str]],
        emit: Callable[[dict[str, Any]], None],
        account: str,
        region: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.closing = threading.Event()
        self.faults = Faults()
        self.hosts = hosts
        self.tags_of = tags_of
        self._emit = emit
        self._account = account
        self._region = region
        self._clock = clock
        self._lock = threading.RLock()
        self._commands: dict[str, Command] = {}
        self._workers: dict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(AGENT_WORKERS))
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._replay = Replay(self)
        self._teller = threading.Thread(target=self._tell, name="ssm-events", daemon=True)
        self._teller.start()

    def now(self) -> datetime:
        """The time."""
        return self._clock()

    def send(self, request: Request, document: Document) -> Command:
        """Accept a command for all of its hosts, or refuse it for all of them.

        Raises
        ------
        RunCommandError : ``InvalidInstanceId`` when one id is not a managed node, ``DuplicateInstanceId``,
            ``InvalidParameters``, ``ValidationException`` for more than 50 ids
        """
        hosts = self._chosen(request)
        steps = document.resolve(request.parameters)
        invocations = {host.id: Invocation(host.id, host.name, [Plugin(step) for step in steps]) for host in hosts}
        command = Command(
            id=str(uuid.uuid4()),
            document_name=request.document_name,
            comment=request.comment,
            parameters=request.parameters,
            targets=request.targets,
            asked_ids=list(request.instance_ids),
            delivery_timeout=request.timeout_seconds,
            max_concurrency=request.max_concurrency,
            max_errors=request.max_errors,
            requested=self.now(),
            invocations=invocations,
        )
        with self._lock:
            self._commands[command.id] = command
            for host in hosts:
                self._deliver(command, invocations[host.id], host)
        return command

    def command(self, command_id: str) -> Command:
        """One command; RunCommandError ``InvalidCommandId`` when there is none."""
        with self._lock:
            found = self._commands.get(command_id)
        if found is None:
            raise RunCommandError("InvalidCommandId", f"there is no command {command_id!r}")
        return found

    def commands(self) -> list[Command]:
        """All commands, the newest first."""
        with self._lock:
            return list(reversed(self._commands.values()))

    def show(self, make: Callable[[], _T]) -> _T:
        """Make a picture of commands that no change can run into."""
        with self._lock:
            return make()

    def cancel(self, command_id: str, instance_ids: Sequence[str] = ()) -> None:
        """Ask that a command be stopped on some of its hosts, or on all; without effect on those that ended."""
        command = self.command(command_id)
        unknown = sorted(set(instance_ids) - set(command.invocations))
        if unknown:
            raise RunCommandError("InvalidInstanceId", f"command {command_id} was not sent to {unknown[0]!r}")
        for instance_id in instance_ids or list(command.invocations):
            self._cancel_on(command, command.invocations[instance_id])

    def change(self, command: Command, invocation: Invocation, apply: Callable[[], None]) -> None:
        """Apply a change, and queue the events that follow from it in the order of the changes."""
        with self._lock:
            before = invocation.status
            apply()
            now = self.now()
            if invocation.status != before:
                self._events.put(invocation_event(command, invocation, self._account, self._region, now))
            before = command.status
            if command.settle() and command.status != before:
                self._events.put(command_event(command, self._account, self._region, now))

    def close(self) -> None:
        """Let go of every command; nothing more is delivered or told."""
        self.closing.set()
        self._events.put(None)
        self._teller.join()

    def _chosen(self, request: Request) -> list[Node]:
        known = {host.id: host for host in self.hosts()}
        ids = list(request.instance_ids)
        if len(ids) > MAX_INSTANCE_IDS:
            raise RunCommandError("ValidationException", f"{len(ids)} instance ids; at most 50 are allowed")
        if len(set(ids)) != len(ids):
            raise RunCommandError("DuplicateInstanceId", "an instance id was given more than once")
        unmanaged = [instance_id for instance_id in ids if instance_id not in known]
        if unmanaged:
            raise RunCommandError(
                "InvalidInstanceId", f"Instances {unmanaged} not in a valid state for account {self._account}"
            )
        if not ids and not request.targets:
            raise RunCommandError("ValidationException", "give InstanceIds or Targets")
        return [known[instance_id] for instance_id in ids] or self._targeted(request.targets, known.values())

    def _targeted(self, targets: Sequence[Mapping[str, Any]], hosts: Iterable[Node]) -> list[Node]:
        return [host for host in hosts if all(self._is_target(host, target) for target in targets)]

    def _is_target(self, host: Node, target: Mapping[str, Any]) -> bool:
        key, values = str(target["Key"]), list(target.get("Values") or ())
        if key.lower() == "instanceids":
            return host.id in values
        if key.startswith("tag:"):
            return self.tags_of(host.id).get(key.removeprefix("tag:")) in values
        if key == "tag-key":
            return any(value in self.tags_of(host.id) for value in values)
        raise RunCommandError("InvalidParameters", f"target key {key!r}: use InstanceIds, tag:NAME or tag-key")

    def _deliver(self, command: Command, invocation: Invocation, host: Node) -> None:
        if isinstance(host, RecordedHost):
            self._replay.deliver(command, invocation, host)
            return
        delivery = Delivery(
            self, command, invocation, host, self._workers[host.id], self.faults.at(host.id), self._region
        )
        threading.Thread(target=delivery.run, name=f"command-{command.id[:8]}-{host.name}", daemon=True).start()

    def _cancel_on(self, command: Command, invocation: Invocation) -> None:
        def cancel() -> None:
            if invocation.status == "Pending":
                invocation.status = invocation.details = "Cancelled"
            elif invocation.status == "InProgress":
                invocation.status = invocation.details = "Cancelling"
                invocation.cancelled.set()

        self.change(command, invocation, cancel)

    def _tell(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._emit(event)
            except Exception as error:
                # Events are best effort, there as here; what failed may not stop those that follow. No
                # more than its kind is logged: the parameters hold a secret address.
                _log.error("an event of Run Command could not be put on the bus: %s", type(error).__name__)
