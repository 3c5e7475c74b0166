"""Deployments that the tests of crashes, of generations and of earlier machines disturb, and what must be the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.unit.functions.world import Account, hosts

TERMINAL = {"Succeeded", "Failed", "Stopped"}
HALF = ("FLEET_PERCENT", 50)
ON_ALARM = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]}
ON_FAILURE = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}


def succeeding(**env: str) -> Account:
    account = Account(hosts(3), **env)
    account.hosts["i-00000000000000002"].answer_lost = True
    account.deploy("v1.zip", HALF)
    return account


def rolling_back(**env: str) -> Account:
    account = Account(hosts(3), **env)
    account.deploy("v1.zip", ("HOST_COUNT", 0))
    account.run()
    for host in account.hosts.values():
        host.fails = frozenset({"v2.zip"})
    account.deploy("v2.zip", ("HOST_COUNT", 2), autoRollback=ON_FAILURE)
    return account


def stopped(**env: str) -> Account:
    account = Account(hosts(4), **env)
    deployed = account.deploy("v1.zip", HALF)

    def stop_while_the_first_are_running(name: str, _state: object) -> None:
        if name == "AwaitProgress" and "stop" not in account.deployment(deployed):
            account.clock.at(account.now + 3, lambda: account.stop(deployed))

    account.before = stop_while_the_first_are_running
    return account


def alarmed(**env: str) -> Account:
    account = Account(hosts(4), **env)
    account.alarms.put("errors")
    account.deploy("v1.zip", ("HOST_COUNT", 0))
    account.run()
    watched = {"names": ["errors"], "ignorePollFailure": False}
    deployed = account.deploy("v2.zip", HALF, alarms=watched, autoRollback=ON_ALARM)
    raised: list[float] = []

    def raise_it_while_the_first_are_running(name: str, state: dict[str, Any]) -> None:
        if name == "AwaitProgress" and state["deploymentId"] == deployed and not raised:
            raised.append(account.now)
            account.clock.at(account.now + 3, lambda: account.alarms.put("errors", "ALARM"))

    account.before = raise_it_while_the_first_are_running
    return account


SCENARIOS = {"succeeding": succeeding, "rolling back": rolling_back, "stopped": stopped, "alarmed": alarmed}


def outcome(account: Account) -> dict[str, Any]:
    """What must be the same whatever happened on the way."""
    return {
        deployment_id: (
            account.deployment(deployment_id)["status"],
            account.deployment(deployment_id).get("error", {}).get("code"),
            account.deployment(deployment_id)["overview"],
            account.deployment(deployment_id).get("rollback", {}).keys(),
            sorted(account.statuses(deployment_id).values()),
        )
        for deployment_id in account.table.courses
    }


def renamed(found: dict[str, Any]) -> list[Any]:
    """Outcomes in order, without ids: a try that died may have used one up."""
    return [found[each] for each in sorted(found)]


def lawful(account: Account) -> None:
    """Nothing lost, nothing twice."""
    assert {each.status for each in account.executions.values()} == {"SUCCEEDED"}
    ended_once(account)


def ended_once(account: Account) -> None:
    """Every deployment ended once with a whole history, its lock is free, and no host did anything twice."""
    assert "live" not in account.group()
    for deployment_id, course in account.table.courses.items():
        assert len(TERMINAL & set(course)) == 1, f"{deployment_id} ends once: {course}"
        assert course[-1] in TERMINAL
        assert course.count(course[-1]) == 1
        told = account.decisions(deployment_id)
        assert [each["SK"] for each in told] == [f"DECISION#{n:06d}" for n in range(len(told))]
        assert [each["kind"] for each in told].count("Finish") == 1
    ran = Counter(
        (command.order["deploymentId"], target)
        for command in account.fleet.commands.values()
        for target in command.target_ids
        if command.order["mode"] == "run"
    )
    assert set(ran.values()) <= {1}, "no host is sent the same work twice"
    for host in account.hosts.values():
        assert set(host.runs.values()) <= {1}
