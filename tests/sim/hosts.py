"""Hosts that die, hang, come back, are slow, and whose answers are lost; what they truly did is told to the watch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.unit.functions.hosts import Command, Fleet, Host, _nothing, _stage

from tidegate.gateways.run_command import Sent
from tidegate.model.decisions import Diagnostics, EventRecord, HostReport, Sight, Sighting

if TYPE_CHECKING:
    from tests.sim.world import SimWorld


@dataclass
class SimHost(Host):
    """A host with a zone and a life.

    Attributes
    ----------
    up : runs; while it does not, its commands wait for it
    lives : how often it was started; work of an earlier life is not finished
    working : stages that run on it now, with the commands that wait for the answer
    """

    zone: str = ""
    up: bool = True
    lives: int = 1
    working: dict[str, list[str]] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


class SimFleet(Fleet):
    """Run Command and EC2 over hosts that have lives; they are called as Systems Manager calls them."""

    world: SimWorld
    hosts: dict[str, SimHost]  # type: ignore[assignment]

    def reachable(self, target_ids: Iterable[str]) -> dict[str, str]:
        return {each: self.hosts[each].system for each in target_ids if self.hosts[each].online and self.hosts[each].up}

    def send(
        self, target_ids: Sequence[str], order: str, comment: str, delivery_seconds: int, system: str
    ) -> list[Sent]:
        self.world.watch.sends(self.orders.published[order][0], [self.world.target_of(each) for each in target_ids])
        return super().send(target_ids, order, comment, delivery_seconds, system)

    def come_online(self, target_id: str) -> None:
        """The agent of a host registers at last."""
        self.hosts[target_id].online = True

    def cancel(self, command_id: str, target_ids: Iterable[str]) -> None:
        """SSM may tell a host too late; then the host goes on, and only the command's status says Cancelled."""
        for each in target_ids:
            self.cancelled.append((command_id, each))
            if self.commands[command_id].sightings[each].sight not in (Sight.WAITING, Sight.RUNNING):
                continue
            if self.world.chance.happens("cancel ignored"):
                continue
            self._see(command_id, each, Sighting(Sight.UNANSWERED, detail="SSM says Cancelled"))

    def die(self, target_id: str, back_after: float | None) -> None:
        """The host goes down; what ran on it stays as it was."""
        host = self.hosts[target_id]
        self._unreliable(target_id)
        host.up, host.lives = False, host.lives + 1
        for stage in host.working:
            self.world.watch.interrupted(self.world.target_of(target_id), stage.partition("/")[0])
        host.working.clear()
        self.world.tell(f"{target_id} dies" + (f", for {back_after:.0f} s" if back_after is not None else ""))
        if back_after is not None:
            self.clock.at(self.clock.now + back_after, lambda: self._come_back(target_id))

    def _unreliable(self, target_id: str) -> None:
        self.world.unreliable.add(self.world.target_of(target_id))

    def started(self, target_id: str) -> None:
        """A host that was stopped is started."""
        self._come_back(target_id)

    def _come_back(self, target_id: str) -> None:
        host = self.hosts[target_id]
        if host.up:
            return
        host.up = host.online = True
        self.world.tell(f"{target_id} is back")
        waiting, host.waiting = host.waiting, []
        for command_id in waiting:
            self._pick_up(command_id, target_id)

    def _pick_up(self, command_id: str, target_id: str) -> None:
        late = self.world.chance.happens("host is late")
        if late is not None:
            self._unreliable(target_id)
            self.clock.at(self.clock.now + late.uniform(1, 400), lambda: self._receive(command_id, target_id))
        else:
            self._receive(command_id, target_id)

    def _receive(self, command_id: str, target_id: str) -> None:
        command, host = self.commands[command_id], self.hosts[target_id]
        if command.sightings[target_id].sight is not Sight.WAITING:
            return
        if not host.up:
            host.waiting.append(command_id)
            return
        if self.clock.now > command.expires:
            self._answer(command_id, target_id, _nothing("OrderExpired", "The order's URL has expired."))
            return
        stage = _stage(command)
        if stage in host.working:
            host.working[stage].append(command_id)  # it attaches to what runs
            self._see_running(command, target_id)
        elif stage in host.records:
            self._answer(command_id, target_id, host.records[stage] or self._interrupted(command))
        elif command.order["mode"] == "report":
            self._answer(command_id, target_id, _nothing("", "No record of this deployment."))
        else:
            self._work(command_id, command, target_id, host, stage)

    def _work(self, command_id: str, command: Command, target_id: str, host: SimHost, stage: str) -> None:
        self.world.watch.begins(self.world.target_of(target_id), command.order, command.expires)
        host.records[stage] = None  # the marker on disk: an event is in progress
        host.working[stage] = [command_id]
        host.runs[command.order["deploymentId"]] += 1
        self._see_running(command, target_id)
        takes = host.takes or 1.0
        if dice := self.world.chance.happens("host is slow"):
            takes *= dice.uniform(2, 60)
            self._unreliable(target_id)
        if self.world.chance.happens("host hangs"):
            return
        if dice := self.world.chance.happens("host dies at work"):
            back = dice.uniform(5, 900) if dice.random() < 0.6 else None
            life = host.lives
            self.clock.at(
                self.clock.now + takes * dice.random(),
                lambda: self.die(target_id, back) if host.lives == life and host.up else None,
            )
        life = host.lives
        self.clock.at(self.clock.now + takes, lambda: self._done(command, target_id, stage, life))

    def _done(self, command: Command, target_id: str, stage: str, life: int) -> None:
        host = self.hosts[target_id]
        if host.lives != life or not host.up:
            return
        key = command.order["revision"].get("s3Location", {}).get("key", "")
        fails = key in host.fails and "Install" in command.order["events"]
        report = self._report_of(
            target_id, command.order["events"], fails=fails or command.order["stage"] in host.fails_stages
        )
        host.records[stage] = report
        self.world.watch.ended(self.world.target_of(target_id), command.order, report)
        if report.status == "Succeeded":
            host.revision = key
        for command_id in host.working.pop(stage):
            if self.commands[command_id].sightings[target_id].sight is not Sight.RUNNING:
                continue
            if self.world.chance.happens("answer lost"):
                self._unreliable(target_id)
                self._see(command_id, target_id, Sighting(Sight.UNANSWERED, detail="SSM says TimedOut"))
            else:
                self._answer(command_id, target_id, report)

    def _report_of(self, target_id: str, events: list[str], *, fails: bool) -> HostReport:
        now = self.clock.now
        if not fails:
            return HostReport("Succeeded", tuple(EventRecord(name, "Succeeded", now - 1, now) for name in events))
        bad = sum(map(ord, target_id)) % len(events)
        ran = [EventRecord(name, "Succeeded", now - 1, now) for name in events[:bad]]
        why = Diagnostics(events[bad], "ScriptFailed", "scripts/validate.sh", "Script exited with 1", "no answer")
        return HostReport("Failed", (*ran, EventRecord(events[bad], "Failed", now - 1, now)), why)

    def _interrupted(self, command: Command) -> HostReport:
        first = command.order["events"][0]
        why = Diagnostics(first, "UnknownError", "", "The host was started anew while the event ran.", "")
        return HostReport("Failed", (EventRecord(first, "Failed"),), why)

    def _see_running(self, command: Command, target_id: str) -> None:
        command.sightings[target_id] = Sighting(Sight.RUNNING, detail="InProgress")
