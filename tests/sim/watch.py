"""What must always hold, checked at every step from outside: by what hosts and balancers really do and by the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.sim.stories import Story
from tests.sim.two_fleets import TwoFleets
from tests.unit.functions.machine import Execution
from tests.unit.functions.world import RecordingTable

from tidegate.model.decisions import HostReport
from tidegate.model.deployment import TERMINAL
from tidegate.store.table import Item, Key, Write
from tidegate.store.values import packed

if TYPE_CHECKING:
    from tests.sim.ports import Invocation
    from tests.sim.world import SimWorld

LONGEST_HEARTBEAT = 300


class Violation(BaseException):
    """Something that must always hold did not. No function can catch it."""


class WatchedTable(RecordingTable):
    """A table that shows each write to the watch."""

    watch: Watch | None = None

    def __init__(self) -> None:
        super().__init__()
        self._changes: list[tuple[Key, Item | None, Item | None]] = []  # of the write that is under way
        self.checks_readers = True

    @property
    def items(self) -> Mapping[Key, Mapping[str, Any]]:
        """All items, to be read only: nothing is copied."""
        return self._items

    def _read(self, key: Key) -> Item:
        # Copies of all that functions read would be a tenth of the time. That nobody changes what is shared is checked
        # at the end, in some of the seeds: an item is as it was written.
        return dict(self._items[key])

    def _bytes(self, item: Item) -> bytes:
        return packed(item) if self.checks_readers else b""

    def changed_by_readers(self) -> list[Key]:
        """Items that somebody changed who had only read them."""
        return [key for key, item in self._items.items() if self._packed[key] and packed(item) != self._packed[key]]

    def write(self, *writes: Write) -> None:
        super().write(*writes)
        changes, self._changes = self._changes, []
        if self.watch is not None:
            self.watch.wrote(changes)

    def _store(self, key: Key, item: Item | None, as_bytes: bytes) -> None:
        self._changes.append((key, self._items.get(key), item))
        super()._store(key, item, as_bytes)


def _overtaken(first: tuple[int, float], sender: Invocation, item: Mapping[str, Any]) -> bool:
    """Whether one of two who sent the same has lost the deployment to the other while it was at it.

    Its execution was aborted, and it goes on, as a function does; nothing but the host can keep that command from being
    run, and the host does not run a stage twice.
    """
    generation, at = first
    taken = item.get("generationTime", 0.0)
    if sender.generation < item["generation"]:
        return sender.began <= taken
    return generation < item["generation"] and at > taken


class Watch:
    """The stories of all deployments, and the rules that each step is held to."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self.stories: dict[str, Story] = {}
        self.live: set[str] = set()
        self.of_instances: set[str] = set()  # deployments that Auto Scaling started for one instance
        self.stopping: dict[str, float] = {}  # since when a deployment is to begin nothing new
        self.refusals = 0
        self.taken_late: set[str] = set()  # newcomers of original groups, at the end of blue/green
        self.ever_late: set[Key] = set()  # rows ever written by a function that had been taken for dead
        self.written_late: set[Key] = set()  # those that it wrote last
        self.good_when_made: dict[str, str] = {}  # by deployment: the group's last good revision then
        self.good_when_ended: dict[str, str] = {}

    def require(self, holds: bool, rule: int | str, what: str) -> None:
        if not holds:
            raise Violation(f"invariant {rule}: {what}")

    # --- hosts

    def sends(self, order: Mapping[str, Any], target_ids: Sequence[str]) -> None:
        """A command is sent."""
        deployment_id = order["deploymentId"]
        story, since = self.stories[deployment_id], self.stopping.get(deployment_id)
        if order["mode"] != "run":
            return
        sender = self._world.current[-1]
        first = order["events"][0]
        fresh = [each for each in target_ids if story.begins_with(each, first)]
        if fresh and since is not None:
            what = (
                f"{deployment_id} began {fresh} at {sender.began:.2f}, though it was to begin nothing since {since:.2f}"
            )
            self.require(sender.began <= since, 2, what)
        item = self._world.table.items[f"DEP#{deployment_id}", "DEP"]
        suspends = (item.get("ec2DeploymentOptions") or {}).get("autoScalingGroupProcessesToSuspend", ())
        if suspends and self._world.scaling:
            ready = self._world.scaling.resumed_late or self._world.scaling.changes.ready_for(suspends)
            self.require(ready, 10, f"{deployment_id} begins, and {suspends} are not suspended")
        if isinstance(story, TwoFleets):
            why = story.sent_too_early(first, self._world.cells(deployment_id), item)
            self.require(not why, 1, f"{deployment_id}: {why}")
        for each in target_ids:
            place = (each, order["stage"])
            fine = place not in story.commands or _overtaken(story.commands[place], sender, item)
            self.require(fine, 4, f"{deployment_id} sent {each} '{order['stage']}' twice")
            story.commands.setdefault(place, (sender.generation, self._world.now))
            story.sent.add(each)

    def begins(self, target_id: str, order: Mapping[str, Any], expires: float) -> None:
        """A host begins to work on an order."""
        deployment_id = order["deploymentId"]
        story = self.stories[deployment_id]
        self._world.tell(f"{target_id} begins '{order['stage']}' of {deployment_id}")
        self.require(self._world.now <= expires, 9, f"{target_id} ran an order of {deployment_id} that had expired")
        self.require(deployment_id in self.live, 9, f"{target_id} began {deployment_id} after its end")
        cell = self._world.cells(deployment_id)[story.fleet.index(target_id)]
        self.require(cell & 7 == 1, 9, f"{target_id} began {deployment_id} though it had been given up")
        if order["events"][0] == "AfterBlockTraffic" and target_id not in self._world.leaving:
            traffic = self._world.balancer.still_in((), [target_id])
            self.require(not traffic, 4, f"{target_id} was worked on while its traffic was {traffic.get(target_id)}")
        if order["events"][0] == "AfterAllowTraffic":
            served = self._world.balancer.is_healthy(target_id) or target_id in self.taken_late
            self.require(served, 4, f"{target_id} of {deployment_id} came to {order['events']} without its traffic")
        for event in order["events"]:
            why = story.event(target_id, event)
            self.require(not why, 4, f"{deployment_id}: {why}")
        self.out(story, target_id)

    def out(self, story: Story, target_id: str) -> None:
        """A target is out from now on."""
        if target_id in story.out:
            return
        story.out.add(target_id)
        why = story.too_many_out(target_id)
        self.require(not why, 1, f"{story.deployment_id}: {why}")
        why = story.out_of_turn(target_id, self._world.cells(story.deployment_id), self._world.now)
        self.require(not why, 1, f"{story.deployment_id}: {why}")

    def ended(self, target_id: str, order: Mapping[str, Any], report: HostReport) -> None:
        """A host has ended a stage."""
        story = self.stories[order["deploymentId"]]
        self._world.tell(f"{target_id} ends '{order['stage']}' of {story.deployment_id}: {report.status}")
        if report.status != "Succeeded":
            story.has_failed(target_id)
        else:
            story.came_through(target_id, order["events"][-1], self._world.now)

    def interrupted(self, target_id: str, deployment_id: str) -> None:
        """A host went down while it worked on a deployment."""
        self.stories[deployment_id].has_failed(target_id)

    def traffic(self, event: str, ids: Sequence[str]) -> None:
        """Balancers are asked to take targets out, or in; they may be asked twice."""
        boxes = sorted(set(ids) & self._world.boxes.registered.keys())
        self.require(not boxes, 4, f"balancers are asked for {boxes}, which are on-premises instances")
        for story in self.stories.values():
            if story.deployment_id not in self.live or self._world.current[-1].deployment_id != story.deployment_id:
                continue
            for each in (each for each in ids if each in story.fleet):
                if story.last_event.get(each) == event:
                    continue
                why = story.event(each, event)
                self.require(not why, 4, f"{story.deployment_id}: {why}")

    def blocked(self, ids: Sequence[str]) -> None:
        """Targets have lost their traffic: in blue/green, others have it."""
        story = self.stories.get(self._world.current[-1].deployment_id)
        if self._world.current[-1].function == "FinishDeploymentFunction":
            self.taken_late |= set(ids)  # whose launch may be deployed to meanwhile, and lets them go without traffic
        if isinstance(story, TwoFleets):
            why = story.taken(ids, self._serving())
            self.require(not why, 1, f"{story.deployment_id}: {why}")

    def terminates(self, ids: Sequence[str]) -> None:
        """Instances are ended by a deployment."""
        story, balancer = self.stories.get(self._world.current[-1].deployment_id), self._world.balancer
        self.require(isinstance(story, TwoFleets), 1, f"{ids} are ended, and not by blue/green")
        assert isinstance(story, TwoFleets)
        why = story.terminated(ids, balancer.since, self._serving(), self._world.now)
        self.require(not why, 1, f"{story.deployment_id}: {why}")

    def _serving(self) -> set[str]:
        """Who is registered and healthy, or would be if Auto Scaling had let it."""
        balancer = self._world.balancer
        return {each for each in balancer.since if balancer.is_healthy(each)} | self._world.leaving

    def alarms_read(self, states: Mapping[str, str]) -> None:
        """An alarm is in ALARM, and a function knows it."""

    # --- people

    def refused(self, why: str) -> None:
        """A deployment was refused since another one is live, or was a moment ago."""
        self.refusals += 1
        known = [each for each in self._world.table.courses if each in why and each not in self.of_instances]
        self.require(len(known) == 1, 3, f"a deployment was refused, and not because of another one: {why}")

    def to_stop(self, deployment_id: str, item: Mapping[str, Any]) -> None:
        """A stop was acknowledged."""
        self.require("stop" in item, 7, f"the stop of {deployment_id} was acknowledged and is not recorded")
        self.stopping.setdefault(deployment_id, self._world.now)

    # --- executions

    def parked(self, execution: Execution, seconds: float) -> None:
        """An execution waits."""
        self.require(0 < seconds <= LONGEST_HEARTBEAT + 1, 6, f"{execution.name} waits for {seconds:.0f} s")

    # --- the table

    def wrote(self, changes: Sequence[tuple[Key, Mapping[str, Any] | None, Mapping[str, Any] | None]]) -> None:
        """A write was done: one call, or one transaction."""
        late = bool(self._world.current) and self._world.current[-1].ghost
        for (pk, sk), old, new in changes:
            if late:
                self.written_late.add((pk, sk))
                self.ever_late.add((pk, sk))
            elif self.written_late:
                self.written_late.discard((pk, sk))
            if sk == "DEP":
                self._deployment_changed(pk[4:], old, new)
            elif sk == "GROUP#prod" and new is not None and self._world.scaling:
                self._world.scaling.rules.group_changed(new)
            elif sk == "LEDGER" and new is not None:
                self._ledger_changed(pk[4:], old, new)
            elif sk[0] not in "DL":
                continue
            elif sk.startswith("DECISION#"):
                same = old is None or {**old, "time": 0} == {**(new or {}), "time": 0}
                self.require(same, 7, f"the decision {pk} {sk} was changed: {old} became {new}")
            elif sk.startswith("LEDGER#") and old is not None and new is not None:
                self._cells_changed(pk[4:], old["cells"], new["cells"])

    def _deployment_changed(
        self, deployment_id: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
    ) -> None:
        assert new is not None, "deployments are kept"
        if old is not None:
            lost = [name for name in ("stop", "startTime", "rollback") if name in old and name not in new]
            self.require(not lost, 7, f"{deployment_id} lost {lost}")
            self.require(old["generation"] <= new["generation"], 7, f"the generation of {deployment_id} went back")
            if old["status"] in TERMINAL:
                self.require(
                    old["status"] == new["status"], 7, f"{deployment_id} ended {old['status']}, then {new['status']}"
                )
        group = self._world.table.items["APP#shop", "GROUP#prod"]
        good = (group.get("lastGood") or {}).get("revisionKey", "")
        if old is None:
            self.good_when_made[deployment_id] = good
        if new["status"] in TERMINAL:
            self.good_when_ended.setdefault(deployment_id, good)
            self.live.discard(deployment_id)
            self._world.liveness.deployment_ended(deployment_id)
            self.stopping.setdefault(deployment_id, self._world.now)
        else:
            self.live.add(deployment_id)
        if old is None and "scaling" in new and self._world.scaling:
            self.of_instances.add(deployment_id)
            self._world.scaling.rules.deployment_made(new)
        fleet = self.live - self.of_instances
        self.require(len(fleet) <= 1, 3, f"{sorted(fleet)} are live together")

    def _ledger_changed(self, deployment_id: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        assert new is not None, "ledgers are kept"
        if old is None and new["settled"]:
            return  # it ended before it had a fleet
        if old is None:
            item = self._world.table.items[f"DEP#{deployment_id}", "DEP"]
            two_fleets = "scaling" not in item and item.get("deploymentStyle", {}).get("deploymentType") == "BLUE_GREEN"
            self.stories[deployment_id] = (TwoFleets if two_fleets else Story).of(self._world, deployment_id)
            return
        self._world.liveness.ledger_changed(deployment_id, old, new)
        self.require(
            new["version"] == old["version"] + 1, 7, f"two passes wrote the ledger of {deployment_id} together"
        )
        self.require(new["decisions"] >= old["decisions"], 7, f"decisions of {deployment_id} went back")
        if old["closing"]:
            self.require(bool(new["closing"]), 2, f"{deployment_id} was closing, and is no longer")
        since = self.stopping.get(deployment_id)
        if new["batches"] > old["batches"] and since is not None and self._world.current:
            run = [f for f in new["flights"] if f["purpose"] == "run" and f["stage"] == 0 and f not in old["flights"]]
            fresh = [f for f in run if f["key"].rstrip("+") not in {each["key"].rstrip("+") for each in old["flights"]}]
            began = self._world.current[-1].began
            self.require(
                not fresh or began <= since, 2, f"{deployment_id} chose a batch though it was to begin nothing"
            )
        if new["closing"]:
            self.stopping.setdefault(deployment_id, self._world.now)

    def _cells_changed(self, deployment_id: str, old: bytes, new: bytes) -> None:
        for position, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after and before & 0b111 in (2, 3, 4):
                onward = before & 0b111 == 2 and after & 0b111 in (0, 1, 4)  # to the next leg of blue/green
                if onward and isinstance(self.stories[deployment_id], TwoFleets):
                    continue
                self.require(
                    before & 0b111 == after & 0b111, 7, f"{deployment_id}: target {position} had ended, and moved"
                )
        if deployment_id in self.stories and self._world.current:
            self.stories[deployment_id].zones_seen(self._world.cells(deployment_id), self._world.current[-1].began)
