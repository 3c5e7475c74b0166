"""Auto Scaling groups in virtual time: instances wait at hooks, and their time there runs out."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.unit.functions.hosts import Host
from tests.unit.functions.machine import Execution, Pause, Walk
from tests.unit.functions.world import Account

from tidegate.model.scaling import ScalingFault, ScalingGroup, Transition

GROUP_ID = "11111111-2222-4333-8444-555555555555"
_STATES = {Transition.LAUNCHING: "Pending:Wait", Transition.TERMINATING: "Terminating:Wait"}


@dataclass
class Wait:
    """An instance at a hook."""

    hook: str
    token: str
    deadline: float


@dataclass
class Group:
    """One Auto Scaling group."""

    hooks: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    waits: dict[str, Wait] = field(default_factory=dict)
    suspended: set[str] = field(default_factory=set)


class ScalingGroups:
    """The port ``lifecycle_hooks``, and what Auto Scaling does by itself. ``told`` is how often it tells of a wait."""

    def __init__(self, account: Account, *names: str) -> None:
        self.account = account
        self.all = {name: Group() for name in names}
        account.fleet.scaling_groups.update({name: group.states for name, group in self.all.items()})
        self.told = 1
        self.heartbeats = 0
        self.answers: list[tuple[str, str]] = []
        self.calls: list[tuple[str, str, tuple[str, ...]]] = []
        self.faults: dict[str, Exception] = {}
        self._tokens = 0
        self._told: dict[str, Mapping[str, Any]] = {}

    # --- the port

    def act_for(self, role_arn: str, on: str) -> None:
        self._called("act_for")

    def groups(self, names: Sequence[str], *, pools: bool = False) -> dict[str, ScalingGroup]:
        self._called("groups")
        found = {name: self.all[name] for name in names if name in self.all}
        return {name: ScalingGroup(dict(g.states), frozenset(g.suspended)) for name, g in found.items()}

    def names(self, scaling_group: str) -> list[str]:
        return list(self.all[scaling_group].hooks)

    def put(self, scaling_group: str, name: str, transition: str, about: Mapping[str, str]) -> None:
        self._called("put")
        if scaling_group not in self.all:
            raise ScalingFault("AUTO_SCALING_CONFIGURATION", f"There is no Auto Scaling group {scaling_group}.")
        self.all[scaling_group].hooks[name] = transition

    def delete(self, scaling_group: str, name: str) -> None:
        self._called("delete")
        if scaling_group in self.all:
            self.all[scaling_group].hooks.pop(name, None)

    def complete(self, scaling_group: str, hook: str, instance_id: str, token: str, *, go_on: bool) -> bool:
        self._called("complete")
        wait = self._wait(scaling_group, hook, instance_id, token)
        if wait is None:
            return False
        self._answer(scaling_group, instance_id, "CONTINUE" if go_on else "ABANDON")
        return True

    def heartbeat(self, scaling_group: str, hook: str, instance_id: str, token: str) -> bool:
        self._called("heartbeat")
        wait = self._wait(scaling_group, hook, instance_id, token)
        if wait is not None:
            self.heartbeats += 1
            wait.deadline = self.account.now + 600
        return wait is not None

    def suspend(self, scaling_group: str, processes: Sequence[str]) -> None:
        self._called("suspend")
        self.calls.append(("suspend", scaling_group, tuple(processes)))
        self.all[scaling_group].suspended |= set(processes)

    def resume(self, scaling_group: str, processes: Sequence[str]) -> None:
        self._called("resume")
        self.calls.append(("resume", scaling_group, tuple(processes)))
        self.all[scaling_group].suspended -= set(processes)

    def _called(self, name: str) -> None:
        if name in self.faults:
            raise self.faults[name]

    def _wait(self, scaling_group: str, hook: str, instance_id: str, token: str) -> Wait | None:
        group = self.all.get(scaling_group)
        wait = group and group.waits.get(instance_id)
        return wait if wait and wait.hook == hook and token in ("", wait.token) else None

    # --- what happens by itself

    def launch(self, name: str, instance_id: str, host: Host | None = None, **detail: str) -> None:
        """A new instance, which waits at the launch hook; without a hook it is in service at once."""
        if instance_id not in self.account.hosts:
            self.account.hosts[instance_id] = host or Host()
        self._hold(name, instance_id, Transition.LAUNCHING, detail)

    def end(self, name: str, instance_id: str, **detail: str) -> None:
        """An instance that is to be ended."""
        self.all[name].waits.pop(instance_id, None)
        self._hold(name, instance_id, Transition.TERMINATING, detail)

    def _hold(self, name: str, instance_id: str, transition: Transition, detail: dict[str, str]) -> None:
        group = self.all[name]
        hook = next((each for each, of in group.hooks.items() if of == transition.value), None)
        if hook is None:
            group.states[instance_id] = "InService" if transition is Transition.LAUNCHING else "Terminated"
            return
        self._tokens += 1
        launching = transition is Transition.LAUNCHING
        ways = ("EC2", "AutoScalingGroup") if launching else ("AutoScalingGroup", "EC2")
        detail = dict(zip(("Origin", "Destination"), ways, strict=True)) | detail
        warmed = detail["Destination" if launching else "Origin"] == "WarmPool"
        prefix = "Warmed:" if warmed else ""
        group.states[instance_id] = prefix + _STATES[transition]
        group.waits[instance_id] = wait = Wait(hook, f"token-{self._tokens}", self.account.now + 600)
        self._watch(name, instance_id, wait)
        body = {
            "source": "aws.autoscaling",
            "time": datetime.fromtimestamp(int(self.account.now), UTC).isoformat(),
            "detail": {
                "LifecycleActionToken": wait.token,
                "AutoScalingGroupName": name,
                "LifecycleHookName": hook,
                "EC2InstanceId": instance_id,
                "LifecycleTransition": transition.value,
                **detail,
            },
        }
        self._told[instance_id] = body
        self._send(body)

    def told_of(self, instance_id: str) -> Mapping[str, Any]:
        """The last event about an instance."""
        return self._told[instance_id]

    def _send(self, body: Mapping[str, Any]) -> None:
        for _ in range(self.told):
            self.account.clock.at(self.account.now + 1, lambda: self.deliver(body))

    def deliver(self, body: Mapping[str, Any], tries: int = 5) -> None:
        """An event, through the queue; what OnInstanceLifecycle gives back comes again."""
        function = importlib.import_module("functions.on_instance_lifecycle.app")
        record = {"messageId": "m-1", "body": json.dumps(body)}
        if function.run({"Records": [record]}, self.account.runtime)["batchItemFailures"] and tries > 1:
            self.account.clock.at(self.account.now + 180, lambda: self.deliver(body, tries - 1))

    def _watch(self, name: str, instance_id: str, wait: Wait) -> None:
        def look() -> None:
            if name not in self.all or self.all[name].waits.get(instance_id) is not wait:
                return
            if self.account.now >= wait.deadline:
                self._answer(name, instance_id, "ABANDON")
            else:
                self.account.clock.at(wait.deadline, look)

        self.account.clock.at(wait.deadline, look)

    def _answer(self, name: str, instance_id: str, answer: str) -> None:
        group = self.all[name]
        del group.waits[instance_id]
        state = group.states[instance_id]
        goes_on = answer == "CONTINUE" and state.removeprefix("Warmed:") == _STATES[Transition.LAUNCHING]
        self.answers.append((instance_id, answer))
        there = "Warmed:Stopped" if state.startswith("Warmed:") else "InService"
        group.states[instance_id] = there if goes_on else "Terminated"


def scaled(account: Account, *names: str, **info: Any) -> ScalingGroups:
    """Give the account's group these Auto Scaling groups, and their hooks to them."""
    port = ScalingGroups(account, *names)
    vars(account.runtime)["lifecycle_hooks"] = port
    put_hooks(account, port, **info)
    return port


def put_hooks(account: Account, port: ScalingGroups, **info: Any) -> None:
    """Make the account's group anew, with all Auto Scaling groups of the port and their hooks."""
    from tidegate.scaling.hook_settling import settle_hooks

    before = account.group()["info"]
    account.runtime.groups.delete("shop", "prod")
    account.runtime.groups.create(GROUP_ID, {**before, "autoScalingGroups": list(port.all), **info})
    settle_hooks(account.group(), port, account.runtime.scaled_groups)


def run_together(account: Account, beyond: float = 86_400) -> None:
    """Run all executions side by side, until all have ended and nothing more is to come within ``beyond`` seconds."""
    walks: dict[str, tuple[Execution, Walk, Pause]] = {}

    def advance(name: str, execution: Execution, walk: Walk, answer: bool | None) -> None:
        try:
            walks[name] = (execution, walk, next(walk) if answer is None else walk.send(answer))
        except StopIteration:
            walks.pop(name, None)

    def answered() -> bool:
        return bool(account.queue) or any(p.token and e.is_answered(p.token) for e, _, p in walks.values())

    idle = False
    while walks or account.queue or not idle:
        while account.queue:
            deployment_id, generation = account.queue.pop(0)
            name = f"{deployment_id}-{generation}"
            account.executions[name].before = account.before
            advance(name, account.executions[name], account.executions[name].walk(), None)
        until = min([pause.deadline for _, _, pause in walks.values()], default=account.now + beyond)
        idle = not account.pass_time_until(until, answered) and not walks
        for name, (execution, walk, pause) in list(walks.items()):
            done = bool(pause.token) and execution.is_answered(pause.token)
            if done or pause.deadline <= account.now:
                advance(name, execution, walk, done)
