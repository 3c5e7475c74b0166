"""The hostile world: many executions at once, faulty ports, unreliable events, users who stop and start deployments."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.sim.alarms import SimAlarms
from tests.sim.balancers import SimTargetGroup, SimTerminations
from tests.sim.boxes import Boxes
from tests.sim.chance import Chance
from tests.sim.copies import SimCopies
from tests.sim.earlier import leave_behind
from tests.sim.events import Events, module_of
from tests.sim.functions import CALL_TAKES, Functions
from tests.sim.hosts import SimFleet, SimHost
from tests.sim.liveness import Liveness
from tests.sim.ports import EXPECTED, FaultyPort, Invocation
from tests.sim.scaling import SimScaling
from tests.sim.scenarios import HostPlan, ScalingPlan, Scenario
from tests.sim.users import INFO, STYLE, Users
from tests.sim.watch import Violation, Watch, WatchedTable
from tests.unit.functions.blue_green import STYLE as BLUE_GREEN_STYLE
from tests.unit.functions.machine import Execution, Json, Killed, Walk
from tests.unit.functions.scaling_groups import GROUP_ID, put_hooks
from tests.unit.functions.world import START

from tidegate.store.ledgers import Ledgers

SWEPT_EVERY = 300
READERS_CHECKED = 5  # of so many seeds, one


class SimWorld(Functions):
    """An account in a hostile world."""

    fleet: SimFleet
    hosts: dict[str, SimHost]  # type: ignore[assignment]
    table: WatchedTable
    table_type = WatchedTable
    fleet_type = SimFleet

    def __init__(self, scenario: Scenario, chance: Chance) -> None:
        self.scenario = scenario
        self.trace: list[str] | None = None
        self.sweep_is_due = False
        self.walks: dict[str, Walk] = {}
        self.pauses: Counter[str] = Counter()
        self.leaving: set[str] = set()  # instances that Auto Scaling is to end, or has ended
        self.unreliable: set[str] = {plan.target_id for plan in scenario.hosts if not plan.online}
        self.running: set[str] = set()
        discovered = scenario.blue_green is not None and scenario.blue_green.copy is None
        greens = [plan.target_id for plan in scenario.hosts][1::2] if discovered else []
        self.greens = frozenset(greens)
        fleet = {plan.target_id: "green" if plan.target_id in self.greens else "demo" for plan in scenario.hosts}
        hosts = {plan.node_id: _host(plan, fleet[plan.target_id]) for plan in scenario.hosts}
        for target_id, stage in scenario.blue_green.failing if scenario.blue_green else ():
            if target_id in hosts:
                hosts[target_id].fails_stages = frozenset({stage})
        super().__init__(hosts, chance, scenario.patience, **scenario.env)
        self.watch, self.liveness, self.events = Watch(self), Liveness(self), Events(self)
        self.fleet.ended = self.events.command_ended
        self.scaling = SimScaling(self, scenario.scaling) if scenario.scaling else None
        self.boxes = Boxes(self)
        self.group_id = GROUP_ID if self.scaling else "group-1"
        if scenario.scaling and self.scaling:
            self.ports["lifecycle_hooks"] = self.scaling
            self._scale(scenario.scaling, self.scaling)
        self.fleet.world = self
        self.copies = None
        if scenario.blue_green and self.scaling:
            self.copies = self.ports["scaling_groups"] = SimCopies(self, scenario.blue_green, self.scaling)
        self.bundles.appspecs = dict.fromkeys(("v0.zip", "v1.zip", "v2.zip", "v3.zip"), self.bundles.appspecs["v1.zip"])
        self.balancer = SimTargetGroup(self)
        leave_behind(self)
        self.table.watch = self.watch
        self.table.checks_readers = scenario.seed % READERS_CHECKED == 0
        self.alarms = SimAlarms(self)
        self.terminations = SimTerminations(self)
        self.ports |= {"terminations": self.terminations, "balancers": self.balancer}
        self.runtime = self._runtime(lambda name, port: FaultyPort(self, name, port))
        # A function that goes on after its death makes the calls that it made before: nothing may be known meanwhile.
        vars(self.runtime)["ledgers"] = Ledgers(self.runtime.table, rosters_kept=0)
        self.runtime.clock = lambda: self._known_or(lambda: self.now)
        self.runtime.new_deployment_id = lambda: self._known_or(lambda: next(self.ids))  # type: ignore[method-assign]
        self.users = Users(self)
        for plan in scenario.hosts:
            if plan.comes_back is not None and chance.planned(f"{plan.target_id} comes back"):
                self.clock.at(START + plan.comes_back, lambda i=plan.node_id: self.fleet.come_online(i))

    def _scale(self, plan: ScalingPlan, scaling: SimScaling) -> None:
        """Give the group its Auto Scaling group, with hooks."""
        balanced = {"deploymentStyle": STYLE, "loadBalancerInfo": INFO} if self.scenario.balanced else {}
        hooks = {"terminationHookEnabled": plan.termination_hook, "outdatedInstancesStrategy": plan.strategy}
        if self.scenario.blue_green:
            balanced = {"deploymentStyle": BLUE_GREEN_STYLE, "loadBalancerInfo": INFO, "ec2TagFilters": []}
        put_hooks(self, scaling, **balanced, **hooks)

    def tell(self, what: str) -> None:
        """A line of the trace, where one is kept."""
        if self.trace is not None:
            self.trace.append(f"{self.now - START:10.2f}  {what}")

    def target_of(self, node_id: str) -> str:
        """The target that a managed node is: an EC2 instance is its own."""
        return self.boxes.names.get(node_id, node_id)

    def first_asked_for(self) -> str:
        """The first deployment that a user asked for, whether or not it was told so; empty where there is none."""
        ours = (each for each in self.table.courses if self.deployment(each)["creator"] == "user")
        return next(ours, "")

    def selected(self) -> set[str]:
        """The instances that the group selects now, outside of blue/green."""
        there = {plan.target_id for plan in self.scenario.hosts} - self.boxes.deregistered.keys()
        return there | (self.scaling.in_service() if self.scaling else set())

    def noted_health(self) -> dict[str, Any]:
        """What is noted of the instances' health, by target id."""
        return {row["SK"][5:]: row for row in self.table.query(f"GROUP#{self.group_id}", "HOST#").items}

    def cells(self, deployment_id: str) -> bytes:
        """The ledger's cells of a deployment, as they stand."""
        items, pk, shards = self.table.items, f"DEP#{deployment_id}", []
        while shard := items.get((pk, f"LEDGER#{len(shards):04d}")):
            shards.append(shard["cells"])
        return b"".join(shards)

    def play(self) -> None:
        """Let everything happen that is to happen."""
        self.users.come()
        self.boxes.come()
        if self.scaling:
            self.scaling.come()
        self.sweep_later()
        while self.clock.happen():
            pass

    def _sweep(self) -> None:
        """SweepDeployments, as it is scheduled."""
        faults = len(self.chance.happened)
        self.current.append(Invocation("SweepDeploymentsFunction", self.now))
        try:
            found = module_of("SweepDeploymentsFunction").run({}, self.runtime)
            self.tell(f"sweep: {dict(found['deployments'])}")
        except (Killed, *EXPECTED):
            self.tell("sweep: died")
        except Exception as error:
            if len(self.chance.happened) == faults:
                raise Violation(f"SweepDeployments raised {type(error).__name__}: {error}") from error
            self.tell(f"sweep: {error}")
        finally:
            self.current.pop()
        self.sweep_is_due = False
        open_ends = self.users.waiting or (self.scaling and self.scaling.is_open)
        if open_ends or self.table.query("LIVE").items:
            self.sweep_later()

    def sweep_later(self) -> None:
        """Let there be a sweep, if none is due."""
        if not self.sweep_is_due:
            self.sweep_is_due = True
            self.clock.at(self.now + SWEPT_EVERY, self._sweep)

    # --- executions

    def start(self, deployment_id: str, generation: int) -> None:
        name = f"{deployment_id}-{generation}"
        if name in self.executions:
            return
        state = {"deploymentId": deployment_id, "generation": generation, "pass": 0}
        self.executions[name] = Execution(self, name, state, definition=self.machine, before=self._entered(name))
        self.walks[name] = self.executions[name].walk()
        self.tell(f"execution {name} starts")
        self.sweep_later()  # a late event may start one when all else is over
        self.clock.at(self.now + CALL_TAKES, lambda: self._go_on(name, None))

    def _entered(self, name: str) -> Callable[[str, Json], None]:
        return lambda state, _: self.tell(f"{name}: {state}")

    def wake(self, token: str) -> None:
        for name, execution in self.executions.items():
            if execution.token == token and execution.status == "RUNNING" and not execution.is_answered(token):
                execution.answered[token] = {}
                self.clock.at(self.now + 0.01, partial(self._answered, name, self.pauses[name]))

    def _answered(self, name: str, number: int) -> None:
        if self.pauses[name] == number and name not in self.running:
            self._go_on(name, True)

    def _go_on(self, name: str, answer: bool | None) -> None:
        """Walk an execution to its next pause."""
        walk, execution = self.walks[name], self.executions[name]
        self.pauses[name] += 1
        self.running.add(name)
        try:
            pause = next(walk) if answer is None else walk.send(answer)
        except StopIteration:
            self.tell(f"execution {name} ends: {execution.status} {execution.error}")
            return
        finally:
            self.running.discard(name)
        number = self.pauses[name]
        if pause.token:
            self.watch.parked(execution, pause.deadline - self.now)
            if execution.status == "RUNNING":
                self.liveness.parked(str(execution.state["deploymentId"]))
        if execution.is_answered(pause.token):
            self.clock.at(self.now + 0.01, partial(self._answered, name, number))
        self.clock.at(pause.deadline, partial(self._timed_out, name, number))

    def _timed_out(self, name: str, number: int) -> None:
        if self.pauses[name] == number:
            self._go_on(name, False)


def _host(plan: HostPlan, fleet: str) -> SimHost:
    tags = {"Fleet": fleet} | ({"tidegate:managed": "true"} if plan.opted_in else {}) if plan.box is None else {}
    return SimHost(fails=plan.fails, takes=plan.takes, online=plan.online, tags=tags, zone=plan.zone)


sys.setrecursionlimit(max(sys.getrecursionlimit(), 5000))
