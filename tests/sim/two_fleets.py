"""Blue/green from outside: who installs, who serves, and who may be taken out, recomputed from AWS's words alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.sim.stories import IN_PLACE, Story, floor_of, health_of

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

ALLOW = ("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")
BLOCK = ("BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic")
STEPS = (IN_PLACE, ALLOW, BLOCK)
LOOKED_BEFORE = 60.0  # a wait counts from the time of the pass, whose look may have taken so long


@dataclass
class TwoFleets(Story):
    """A blue/green deployment, or the way back of one.

    The minimum is of the replacement fleet: it paces the installation, and so many replacement instances must have
    traffic before it is taken from the first original. Originals go at the same pace over their own number, one at
    least; none is begun once one has failed. On the way back the same minimum over the originals must serve before
    traffic is taken from the replacement (AWS: "Instance health"; decision 011).

    Attributes
    ----------
    gives, takes : who is to get traffic, and who is to lose it
    back : it is a way back
    needed : so many of those that get traffic must have it before any is taken
    pace : of those that lose it, so many may be out or have failed
    installed : replacement instances on which the revision was installed
    ready_wait : traffic does not move before somebody continues the deployment
    terminate_after : seconds the originals are kept; None: for good
    without_traffic_at : when the last of those that were to lose their traffic was through
    """

    gives: set[str] = field(default_factory=set)
    takes: set[str] = field(default_factory=set)
    back: bool = False
    needed: int = 1
    pace: int = 0
    installed: set[str] = field(default_factory=set)
    ready_wait: bool = False
    terminate_after: float | None = None
    without_traffic_at: float = 0.0

    def begin(
        self,
        world: SimWorld,
        item: Mapping[str, Any],
        members: Sequence[Sequence[Any]],
        rows: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.back = "trafficBackOf" in item
        blue = {member[0] for member in members if member[4] == "Blue"}
        green = {member[0] for member in members if member[4] == "Green"}
        self.gives, self.takes = (blue, green) if self.back else (green, blue)
        self.healthy = set()
        kind, value = item["minimum"]["type"], item["minimum"]["value"]
        lost = floor_of(kind, value, len(blue))
        spare = max(0, len(blue) - 1)
        self.minimum = min(lost, spare) if self.back else floor_of(kind, value, len(green))
        self.needed = max(1, self.minimum)
        self.pace = len(green) if self.back else len(blue) - min(lost, spare)
        options = item["blueGreenDeploymentConfiguration"]
        self.ready_wait = options["deploymentReadyOption"]["actionOnTimeout"] == "STOP_DEPLOYMENT" and not self.back
        end = options["terminateBlueInstancesOnDeploymentSuccess"]
        if end["action"] == "TERMINATE" and not self.back:
            self.terminate_after = end["terminationWaitTimeInMinutes"] * 60
        if not self.back:
            self._check_order_of_both(green, blue, rows, world)
        if world.copies and not self.back:
            world.copies.check_fleets(self.deployment_id, green, blue)

    def _check_order_of_both(
        self, green: set[str], blue: set[str], rows: Mapping[str, Mapping[str, Any]], world: SimWorld
    ) -> None:
        good = (world.group().get("lastGood") or {}).get("revisionKey", "")

        def place(target_id: str) -> tuple[int, str]:
            return health_of(rows.get(target_id, {}), good), target_id

        wanted = [*sorted(green, key=place), *sorted(blue, key=place)]
        assert self.fleet == wanted, f"the order of {self.deployment_id} is {self.fleet}, not {wanted}"

    def events_of(self, target_id: str) -> tuple[str, ...]:
        if target_id in self.takes:
            return BLOCK
        return ALLOW if self.back else (*IN_PLACE, *ALLOW)

    def begins_with(self, target_id: str, event: str) -> bool:
        return event in (step[0] for step in STEPS)

    # --- what is wrong, in words; nothing where all is well

    def too_many_out(self, target_id: str) -> str:
        """Whether the step that a target begins leaves enough of its fleet."""
        step = next(each for each in STEPS if self.last_event[target_id] in each)
        if step is BLOCK:
            gone = (self.out | self.failed) & self.takes
            most = self.pace
        elif self.back:
            return ""  # nobody is taken out that serves, and there is hurry
        elif step is ALLOW:
            gone = (self.gives - self.installed) | (self.out | self.failed) & self.gives
            most = max(len(self.gives) - self.minimum, len(self.gives - self.installed) + 1)
            if len(self.installed) < self.needed:
                return f"traffic moves to {target_id}, and {len(self.installed)} of {self.needed} are installed"
        else:
            gone = (self.out | self.failed) & self.gives
            most = len(self.gives) - self.minimum
        if len(gone) > most:
            return f"{len(gone)} are out or failed in {step}, and {most} may be; {target_id} was the last"
        return ""

    def sent_too_early(self, event: str, cells: bytes, item: Mapping[str, Any]) -> str:
        """Whether a step is begun that is to wait, or is not to be begun any more."""
        if event == ALLOW[0] and self.ready_wait and "READY_WAIT" not in item.get("continued", ()):
            return "traffic moves, and nobody has continued the deployment"
        if event == BLOCK[0] and not self.back:
            failed = [t for t, cell in zip(self.fleet, cells, strict=True) if t in self.takes and cell & 7 == 3]
            return f"another original loses its traffic after {failed} have failed" if failed else ""
        return ""

    def taken(self, ids: Collection[str], serving: Collection[str]) -> str:
        """Whether those that are to serve do, while traffic is taken from others.

        Parameters
        ----------
        serving : who is registered and healthy, or was until Auto Scaling ended it
        """
        if not set(ids) & set(self.fleet):
            return ""  # originals that came after the fleets were read; when it ends they are not to serve either
        if wrong := set(ids) - self.takes:
            return f"{sorted(wrong)} were to keep their traffic"
        there = self.gives & set(serving) & self.succeeded
        if len(there) < self.needed:
            return f"traffic was taken from {list(ids)}, and {len(there)} of {self.needed} others had it"
        return ""

    def terminated(
        self, ids: Collection[str], registered: Collection[str], serving: Collection[str], now: float
    ) -> str:
        """Whether instances may be ended: originals without traffic, whose time is over."""
        if self.terminate_after is None or set(ids) - self.takes:
            return f"{list(ids)} were to be kept"
        if still := sorted(set(ids) & set(registered)):
            return f"{still} were ended with their traffic"
        if now < self.without_traffic_at + self.terminate_after - LOOKED_BEFORE:
            return f"the originals were ended {now - self.without_traffic_at:.0f} s after they had lost their traffic"
        there = len(self.gives & set(serving))
        return f"the originals were ended, and {there} of {self.needed} others served" if there < self.needed else ""

    def came_through(self, target_id: str, event: str, now: float) -> None:
        super().came_through(target_id, event, now)
        if event == IN_PLACE[-1]:
            self.out.discard(target_id)
            self.installed.add(target_id)
        elif event == BLOCK[-1]:
            self.without_traffic_at = now
