"""What truly happens to the targets of a deployment, and the rules of health recomputed from AWS's words alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tidegate.store.rosters import stored_members

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

IN_PLACE = (
    "ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall", "ApplicationStart",
    "ValidateService",
)  # fmt: skip
RESTARTED = tuple(event for event in IN_PLACE if event not in ("DownloadBundle", "Install"))
LEAVING = ("BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic", "ApplicationStop")
CLASSES = {"unhealthy": 0, "unknown": 1, "old": 2, "current": 3}


def events_of(item: Mapping[str, Any]) -> tuple[str, ...]:
    """All events of a target, in order (AWS: "AppSpec 'hooks' section")."""
    if item["creator"] == "autoscalingTermination":
        return LEAVING if _is_balanced(item) else LEAVING[-1:]
    host = RESTARTED if item.get("deploymentMode") == "RESTART" else IN_PLACE
    if not _is_balanced(item):
        return host
    before = () if item["creator"] == "autoscaling" else ("BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic")
    return (*before, *host, "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")


def _is_balanced(item: Mapping[str, Any]) -> bool:
    return (item.get("deploymentStyle") or {}).get("deploymentOption") == "WITH_TRAFFIC_CONTROL"


def floor_of(kind: str, value: int, total: int) -> int:
    """Healthy targets to keep (API: MinimumHealthyHosts; one at a time keeps all but one)."""
    if kind == "FLEET_PERCENT":
        return math.ceil(round(total * value / 100, 9))
    return value if kind == "HOST_COUNT" else max(0, total - value)


def health_of(row: Mapping[str, Any], good: str) -> int:
    """The class in which an instance is selected, by what is noted of it (AWS: "Instance health").

    Parameters
    ----------
    good : key of the group's last good revision
    """
    if not row.get("healthy"):
        return CLASSES["unhealthy"]
    if not row.get("revisionKey"):
        return CLASSES["unknown"]
    return CLASSES["current" if row["revisionKey"] == good else "old"]


@dataclass
class Story:
    """One deployment as it truly goes.

    Attributes
    ----------
    fleet : its targets in the order of the ledger
    healthy : those that were healthy when it began
    minimum : to be kept of the fleet
    zones : zone by target, where it goes by zones; else empty
    floors : to be kept of each zone
    out, failed, succeeded : targets that are worked on now, that failed, and that came well through
    """

    deployment_id: str
    events: tuple[str, ...]
    fleet: list[str]
    healthy: set[str]
    minimum: int
    zones: dict[str, str]
    floors: dict[str, int]
    monitor: tuple[float, float]
    zone_ended: dict[str, float] = field(default_factory=dict)  # when a pass saw the last target of a zone end
    out: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    succeeded: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    commands: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)
    last_event: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, world: SimWorld, deployment_id: str) -> Story:
        """The story of a deployment whose fleet has just been selected."""
        item = world.deployment(deployment_id)
        members = stored_members(world.table, f"DEP#{deployment_id}")
        fleet = [member[0] for member in members]
        rows = world.noted_health()
        for name, since in world.boxes.registered.items():
            if rows.get(name, {}).get("time", since) < since:
                del rows[name]  # of an earlier machine of this name
        zonal = item.get("zonal") if item["creator"] != "codeDeployRollback" else None
        zones = {each: world.hosts[each].zone if each in world.hosts else "" for each in fleet} if zonal else {}
        sizes = {zone: list(zones.values()).count(zone) for zone in zones.values()}
        per_zone = (zonal or {}).get("minimumHealthyHostsPerZone") or {"type": "HOST_COUNT", "value": 0}
        watch = float((zonal or {}).get("monitorDurationInSeconds") or 0)
        first = (zonal or {}).get("firstZoneMonitorDurationInSeconds")
        minimum = item["minimum"]
        others = world.selected() - set(fleet) if item["creator"] == "CodeDeployAutoUpdate" else set()
        well = sum(bool(rows.get(each, {}).get("healthy")) for each in others)
        story = cls(
            deployment_id,
            events_of(item),
            fleet,
            {each for each in fleet if rows.get(each, {}).get("healthy")},
            min(
                floor_of(minimum["type"], minimum["value"], len(fleet)),
                max(0, floor_of(minimum["type"], minimum["value"], len(fleet) + len(others)) - well),
            ),
            zones,
            {zone: floor_of(per_zone["type"], per_zone["value"], size) for zone, size in sizes.items()},
            (watch if first is None else float(first), watch),
        )
        story.begin(world, item, members, rows)
        return story

    def begin(
        self,
        world: SimWorld,
        item: Mapping[str, Any],
        members: Sequence[Sequence[Any]],
        rows: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Look at the fleet that was selected: its order, and who is missing.

        Parameters
        ----------
        members : of the roster
        rows : what is noted of instances, by target id
        """
        if "scaling" not in item:
            self._check_order(item, rows, world)

    def events_of(self, target_id: str) -> tuple[str, ...]:
        """All events that a target goes through, in order."""
        return self.events

    def begins_with(self, target_id: str, event: str) -> bool:
        """Whether a target is taken out by this event; those further on are taken to the end of their way."""
        return target_id not in self.sent

    def _check_order(self, item: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]], world: SimWorld) -> None:
        good = (world.group().get("lastGood") or {}).get("revisionKey", "")

        def place(target_id: str) -> tuple[str, int, str]:
            return self.zones.get(target_id, ""), health_of(rows.get(target_id, {}), good), target_id

        began = world.current[-1].began
        # What is noted while the fleet is being selected may have been read before or after.
        noted = [each for each in self.fleet if rows.get(each, {}).get("time", 0.0) < began]
        wanted = sorted(noted, key=place)
        assert noted == wanted, f"the order of {self.deployment_id} is {noted}, not {wanted}"
        gone = {each for each, since in world.boxes.deregistered.items() if since < began}
        assert not gone & set(self.fleet), f"{sorted(gone & set(self.fleet))} are no longer registered"
        there = {plan.target_id for plan in world.scenario.hosts} - world.boxes.deregistered.keys()
        if item["creator"] == "CodeDeployAutoUpdate":
            others = there & set(self.fleet)
            assert not others, f"{self.deployment_id} follows for newcomers, and deploys to {others}"
            return
        for target_id in there - set(self.fleet):
            row = rows.get(target_id, {})
            outdated = not row.get("healthy") or row.get("revisionKey") != item["revisionKey"]
            assert item.get("updateOutdatedInstancesOnly"), f"{target_id} is missing"
            assert not outdated, f"{target_id} is outdated, and missing"

    # --- what is wrong, in words; nothing where all is well

    def event(self, target_id: str, event: str) -> str:
        """A target comes to an event."""
        last = self.last_event.get(target_id)
        events = self.events_of(target_id)
        done = events.index(last) if last else -1
        self.last_event[target_id] = event
        if target_id in self.failed or target_id in self.succeeded:
            return f"{target_id} came to {event} after its end"
        if event not in events or events.index(event) <= done:
            return f"{target_id} came to {event} after {last}"
        return ""

    def too_many_out(self, target_id: str) -> str:
        """Whether the minimum holds now that a target went out."""
        gone = self.out | self.failed
        if len(gone) > len(self.fleet) - self.minimum:
            left = f"{len(gone)} of {len(self.fleet)} are out or failed, {self.minimum} must stay"
            return f"{left}; {target_id} was the last"
        zone = self.zones.get(target_id)
        if zone is not None:
            size = sum(each == zone for each in self.zones.values())
            there = sum(self.zones[each] == zone for each in gone)
            if there > size - self.floors[zone]:
                return f"{there} of {size} in {zone} are out or failed, {self.floors[zone]} must stay"
        if target_id in self.healthy:
            left = len((self.healthy - gone) | (self.succeeded - gone))
            if left < self.minimum:
                return (
                    f"{left} are healthy and not out, {self.minimum} must stay; {target_id} was healthy, and the last"
                )
        return ""

    def zones_seen(self, cells: bytes, now: float) -> None:
        """Note which zones have ended."""
        if self.zones:
            there = {self.zones[each] for each, cell in zip(self.fleet, cells, strict=True) if cell & 7 < 2}
            for zone in self.floors.keys() - there:
                self.zone_ended.setdefault(zone, now)

    def out_of_turn(self, target_id: str, cells: bytes, now: float) -> str:
        """Whether a target's zone has its turn: all of the earlier zones has ended, and was watched long enough."""
        zone = self.zones.get(target_id)
        if zone is None:
            return ""
        early = [each for each, cell in zip(self.fleet, cells, strict=True) if self.zones[each] < zone and cell & 7 < 2]
        if early:
            return f"{target_id} of {zone} was begun before {early} of earlier zones had ended"
        before = [each for each in sorted(self.floors) if each < zone]
        wait = self.monitor[0] if len(before) == 1 else self.monitor[1]
        since = now - self.zone_ended[before[-1]] if before else wait
        if since < wait:
            return f"{target_id} of {zone} was begun {since:.0f} s after {before[-1]} had ended, not {wait:.0f} s"
        return ""

    def has_failed(self, target_id: str) -> None:
        """A target failed by its own account."""
        self.out.discard(target_id)
        self.failed.add(target_id)

    def came_through(self, target_id: str, event: str, now: float) -> None:
        """A target came well through its events up to this one."""
        if event == self.events_of(target_id)[-1]:
            self.out.discard(target_id)
            self.succeeded.add(target_id)
