"""Hosts behind a Run Command of their own, in virtual time; they keep records of what they ran."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.gateways.errors import FleetFault
from tidegate.gateways.instances import Instance
from tidegate.gateways.run_command import Sent
from tidegate.model.decisions import Diagnostics, EventRecord, HostReport, Sight, Sighting
from tidegate.model.nodes import Node


class Clock:
    """Virtual time with things that will happen."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, when: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (when, next(self._numbers), happens))

    def is_quiet_until(self, deadline: float) -> bool:
        """Whether nothing happens until then."""
        return not self._coming or self._coming[0][0] > deadline

    def quiet_until(self, deadline: float) -> bool:
        """Let the time pass if nothing happens meanwhile; False, and nothing done, if something does."""
        if not self.is_quiet_until(deadline):
            return False
        self.now = max(self.now, deadline)
        return True

    def pass_time_until(self, deadline: float, done: Callable[[], bool]) -> bool:
        while not done():
            if not self._coming or self._coming[0][0] > deadline:
                self.now = max(self.now, deadline)
                return done()
            self.happen()
        return True

    def happen(self) -> bool:
        """Let the next thing happen, whenever it is due; False where nothing comes any more."""
        if not self._coming:
            return False
        when, _, happens = heapq.heappop(self._coming)
        self.now = max(self.now, when)
        happens()
        return True


@dataclass
class Host:
    """A host and how it behaves.

    Attributes
    ----------
    fails : revision keys whose deployment fails on it
    fails_stages : names of the stages that fail on it
    picked_up, takes : seconds; None: never
    answer_lost : its commands end without a result
    zone : its Availability Zone
    state : EC2's word for it
    """

    fails: frozenset[str] = frozenset()
    fails_stages: frozenset[str] = frozenset()
    picked_up: float | None = 1
    takes: float | None = 10
    answer_lost: bool = False
    online: bool = True
    system: str = "linux"
    zone: str = ""
    state: str = "running"
    tags: Mapping[str, str] = field(default_factory=lambda: {"Fleet": "demo", "tidegate:managed": "true"})
    records: dict[str, HostReport | None] = field(default_factory=dict)
    runs: Counter[str] = field(default_factory=Counter)
    revision: str = ""


@dataclass
class Command:
    """A command in SSM."""

    order: Mapping[str, Any]
    comment: str
    target_ids: tuple[str, ...]
    sent_at: float
    expires: float
    sightings: dict[str, Sighting]


class Orders:
    """Orders by key; the command's parameter is the key."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.published: dict[str, tuple[Mapping[str, Any], float]] = {}

    def publish(self, key: str, order: dict[str, Any], good_for: int) -> str:
        self.published[key] = json.loads(json.dumps(order)), self.clock.now + good_for
        return key

    def url(self, key: str, good_for: int) -> str:
        return f"https://bucket.test/{key}?{good_for}"

    def runner(self, good_for: int, system: str) -> dict[str, str]:
        return {"url": self.url("runner/abc.zip", good_for), "sha256": "abc"}

    def progress_grant(self, deployment_id: str, good_for: int) -> dict[str, Any]:
        return {"url": self.url(f"progress/{deployment_id}/", good_for), "fields": {}}


class Fleet:
    """The hosts; their ports are ``instances`` and ``run_command``."""

    def __init__(self, clock: Clock, hosts: dict[str, Host], orders: Orders) -> None:
        self.clock, self.hosts, self.orders = clock, hosts, orders
        self.commands: dict[str, Command] = {}
        self.ended: Callable[[str, str], None] = lambda _command, _target: None
        self.cancelled: list[tuple[str, str]] = []
        self.nodes: list[Node] = []
        self.scaling_groups: dict[str, dict[str, str]] = {}  # lifecycle state by instance id, by name

    # --- EC2

    def selected_by(self, group: Mapping[str, Any]) -> list[Instance]:
        wanted = [(each["Key"], each["Value"]) for each in group.get("ec2TagFilters") or ()]
        states: dict[str, str] = {}
        for name in group.get("autoScalingGroups") or ():
            if name not in self.scaling_groups:
                raise FleetFault("AUTO_SCALING_CONFIGURATION", f"There is no Auto Scaling group {name}.")
            states |= self.scaling_groups[name]
        chosen = {i for i, h in self.hosts.items() if any(h.tags.get(k) == v for k, v in wanted)}
        chosen = {i for i in chosen | set(states) if states.get(i, "InService") == "InService"}
        return [Instance(i, h.tags, h.zone) for i, h in self.hosts.items() if i in chosen]

    def described(self, instance_ids: Sequence[str]) -> list[Instance]:
        return [Instance(i, self.hosts[i].tags) for i in instance_ids if i in self.hosts]

    def states(self, instance_ids: Sequence[str]) -> dict[str, str]:
        return {each: self.hosts[each].state if each in self.hosts else "terminated" for each in instance_ids}

    # --- SSM

    def hybrid(self) -> list[Node]:
        return list(self.nodes)

    def reachable(self, target_ids: Sequence[str]) -> dict[str, str]:
        return {each: self.hosts[each].system for each in target_ids if self.hosts[each].online}

    def send(
        self, target_ids: Sequence[str], order: str, comment: str, delivery_seconds: int, system: str
    ) -> list[Sent]:
        assert {self.hosts[each].system for each in target_ids} == {system}
        command_id = f"cmd-{len(self.commands):04d}"
        content, expires = self.orders.published[order]
        waiting = {each: Sighting(Sight.WAITING, detail="Pending") for each in target_ids}
        command = Command(content, comment, tuple(target_ids), self.clock.now, expires, waiting)
        self.commands[command_id] = command
        for each in target_ids:
            picked_up = self.hosts[each].picked_up
            if picked_up is not None:
                self.clock.at(self.clock.now + picked_up, lambda each=each: self._pick_up(command_id, each))
        return [Sent(command_id, tuple(target_ids))]

    def sent_since(self, since: float, system: str) -> dict[str, list[Sent]]:
        found: dict[str, list[Sent]] = {}
        for command_id, command in self.commands.items():
            if command.sent_at >= since - 1:
                found.setdefault(command.comment, []).append(Sent(command_id, command.target_ids))
        return found

    def look(self, command_id: str, deployment_id: str) -> dict[str, Sighting]:
        assert self.commands[command_id].order["deploymentId"] == deployment_id
        return dict(self.commands[command_id].sightings)

    def cancel(self, command_id: str, target_ids: Iterable[str]) -> None:
        for each in target_ids:
            self.cancelled.append((command_id, each))
            if self.commands[command_id].sightings[each].sight in (Sight.WAITING, Sight.RUNNING):
                self._see(command_id, each, Sighting(Sight.UNANSWERED, detail="SSM says Cancelled"))

    # --- what happens on a host

    def _pick_up(self, command_id: str, target_id: str) -> None:
        command, host = self.commands[command_id], self.hosts[target_id]
        if command.sightings[target_id].sight is not Sight.WAITING:
            return
        if self.clock.now > command.expires:
            self._answer(command_id, target_id, _nothing("OrderExpired", "The order's URL has expired."))
            return
        deployment, stage = command.order["deploymentId"], _stage(command)
        if command.order["mode"] == "report" or stage in host.records:
            record = host.records.get(stage) or _nothing("", "No record of this deployment.")
            self._answer(command_id, target_id, record)
            return
        host.records[stage] = None  # the event in progress
        host.runs[deployment] += 1
        command.sightings[target_id] = Sighting(Sight.RUNNING, detail="InProgress")
        if host.takes is not None:
            self.clock.at(self.clock.now + host.takes, lambda: self._finish(command_id, target_id))

    def _finish(self, command_id: str, target_id: str) -> None:
        command, host = self.commands[command_id], self.hosts[target_id]
        key = command.order["revision"].get("s3Location", {}).get("key", "")
        failed = key in host.fails or command.order["stage"] in host.fails_stages
        report = _report(command.order["events"], failed=failed, now=self.clock.now)
        host.records[_stage(command)] = report
        if report.status == "Succeeded" and "ApplicationStart" in command.order["events"]:
            host.revision = key
        if host.answer_lost:
            self._see(command_id, target_id, Sighting(Sight.UNANSWERED, detail="SSM says TimedOut"))
        else:
            self._answer(command_id, target_id, report)

    def _answer(self, command_id: str, target_id: str, report: HostReport) -> None:
        self._see(command_id, target_id, Sighting(Sight.ANSWERED, report, "Success"))

    def _see(self, command_id: str, target_id: str, sighting: Sighting) -> None:
        self.commands[command_id].sightings[target_id] = sighting
        self.ended(command_id, target_id)


def _stage(command: Command) -> str:
    """What a host keeps a record of: a stage of a deployment."""
    return f"{command.order['deploymentId']}/{command.order['stage']}"


def _report(events: Sequence[str], *, failed: bool, now: float) -> HostReport:
    if not failed:
        return HostReport("Succeeded", tuple(EventRecord(name, "Succeeded", now - 1, now) for name in events))
    ran = [EventRecord(name, "Succeeded", now - 1, now) for name in events[:-1]]
    why = Diagnostics(events[-1], "ScriptFailed", "scripts/validate.sh", "Script exited with 1", "no answer")
    return HostReport("Failed", (*ran, EventRecord(events[-1], "Failed", now - 1, now)), why)


def _nothing(code: str, message: str) -> HostReport:
    return HostReport("NotStarted", diagnostics=Diagnostics("", code, "", message, ""))


def no_archive() -> Path:
    """A path for the setting; the fake orders never read it."""
    return Path("/nonexistent/runner.zip")
