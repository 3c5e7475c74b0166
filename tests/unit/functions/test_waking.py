"""Signals: hints that save waiting, and are never needed for the outcome."""

from __future__ import annotations

import json

import pytest
from functions.await_progress import app as await_progress
from functions.wake_deployment import app as wake_deployment
from tests.unit.functions.machine import Json
from tests.unit.functions.world import Account, hosts

from tidegate.model.decisions import Sighting
from tidegate.model.ledger import Flight, Purpose


def record(message: str, body: str) -> dict[str, str]:
    return {"messageId": message, "body": body}


def about(command_id: str) -> str:
    return json.dumps({"detail": {"command-id": command_id, "status": "Success"}})


def flight(command_id: str) -> Flight:
    return Flight("0001.00", Purpose.RUN, 0, (0, 1), 1.0, command_id, 2.0)


@pytest.mark.parametrize("arrive", [0, 1, 4], ids=["lost", "once", "four times"])
def test_the_outcome_does_not_depend_on_signals(arrive: int) -> None:
    account = Account(hosts(3))
    account.signals_arrive = arrive
    deployed = account.deploy("v1.zip")
    assert account.run().deployment(deployed)["status"] == "Succeeded"
    assert {host.runs[deployed] for host in account.hosts.values()} == {1}


def test_a_signal_saves_the_wait_for_the_heartbeat() -> None:
    took = {}
    for arrive in (0, 1):
        account = Account(hosts(1, takes=100))
        account.signals_arrive = arrive
        begun = account.now
        account.deploy("v1.zip")
        account.run()
        took[arrive] = account.now - begun
    assert took[1] < took[0] <= took[1] + 61  # a lost event costs at most one heartbeat


def test_a_signal_between_look_and_parking_is_not_lost() -> None:
    """The race: the pass has looked, the command ends and signals, only then does the pass park."""
    account = Account(hosts(1))
    account.signals_arrive = 0
    deployed = account.deploy("v1.zip")
    waited: list[float] = []

    def signal_before_parking(name: str, _state: Json) -> None:
        if name == "AwaitProgress" and not waited:
            account.runtime.signals.signal(deployed, ["cmd-0000"])
            waited.append(account.now)
        elif name == "EvaluateHealth" and len(waited) == 1:
            waited.append(account.now)

    account.before = signal_before_parking
    account.run()
    assert waited[1] - waited[0] < 1, "answered at once instead of after the heartbeat"
    assert account.deployment(deployed)["status"] == "Succeeded"


def test_a_command_that_ends_just_after_it_was_looked_at_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signal comes while the pass still concludes from the older look."""
    account = Account(hosts(1, takes=100))
    account.signals_arrive = 0
    deployed = account.deploy("v1.zip")
    look, looks = account.fleet.look, list[float]()

    def look_and_then_signal(command_id: str, deployment_id: str) -> dict[str, Sighting]:
        looks.append(account.now)
        found = look(command_id, deployment_id)
        if len(looks) == 1:
            account.runtime.signals.signal(deployed, [command_id])
        return found

    monkeypatch.setattr(account.fleet, "look", look_and_then_signal)
    account.run()
    assert looks[1] - looks[0] < 1


def test_parking_answers_its_own_token_when_the_count_moved_on() -> None:
    account = Account(hosts(1))
    deployed = account.deploy("v1.zip")
    woken: list[str] = []
    account.wake = woken.append  # type: ignore[method-assign]
    state = {"deploymentId": deployed, "generation": 1, "signal": 0, "token": "t-1"}
    assert await_progress.run(state, account.runtime)["verdict"] == "PARKED"
    assert woken == []
    account.runtime.signals.signal(deployed)
    assert woken == ["t-1"]
    assert await_progress.run({**state, "token": "t-2"}, account.runtime)["verdict"] == "WOKEN"
    assert woken == ["t-1", "t-2"]
    assert await_progress.run({**state, "token": "t-3", "signal": 1}, account.runtime)["verdict"] == "PARKED"


def test_an_overtaken_execution_leaves_its_successors_token_parked_and_ends() -> None:
    account = Account(hosts(1))
    deployed = account.deploy("v1.zip")
    woken: list[str] = []
    account.wake = woken.append  # type: ignore[method-assign]
    account.runtime.deployments.amend(deployed, {"generation": 2}, generation=1)
    state = {"deploymentId": deployed, "generation": 2, "signal": 0, "token": "t-2"}
    await_progress.run(state, account.runtime)
    late = await_progress.run({**state, "generation": 1, "token": "t-1"}, account.runtime)
    assert (late["verdict"], woken) == ("WOKEN", ["t-1"])
    account.runtime.signals.signal(deployed)
    assert woken == ["t-1", "t-2"]


def test_ended_commands_become_one_signal_a_deployment() -> None:
    account = Account(hosts(2))
    for deployment_id in ("d-1", "d-2"):
        account.runtime.commands.record(deployment_id, [flight(f"cmd-{deployment_id}")])
    event = {
        "Records": [
            record("m1", about("cmd-d-1")),
            record("m2", about("cmd-d-1")),
            record("m3", about("cmd-d-2")),
            record("m4", about("cmd-strange")),
            record("m5", "not json"),
            record("m6", json.dumps({"detail": {}})),
            record("m7", json.dumps({"detail": {"alarmName": "nobody's", "state": {"value": "ALARM"}}})),
            record("m8", json.dumps({"detail": ["command-id"]})),
        ]
    }
    answer = wake_deployment.run(event, account.runtime)
    assert {each["itemIdentifier"] for each in answer["batchItemFailures"]} == {"m4", "m5", "m6", "m8"}
    assert [account.runtime.signals.read(each).count for each in ("d-1", "d-2")] == [1, 1]
    assert account.runtime.signals.read("d-1").changed == {"cmd-d-1"}


def test_an_event_that_comes_before_its_command_is_written_down_comes_again() -> None:
    account = Account(hosts(1))
    event = {"Records": [record("m1", about("cmd-1"))]}
    assert wake_deployment.run(event, account.runtime) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    account.runtime.commands.record("d-1", [flight("cmd-1")])
    assert wake_deployment.run(event, account.runtime) == {"batchItemFailures": []}
    assert account.runtime.signals.read("d-1").count == 1
