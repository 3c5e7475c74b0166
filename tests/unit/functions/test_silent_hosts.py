"""Hosts that answer late, never, or without a word: judged by our own clock, asked, given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.functions.hosts import Host
from tests.unit.functions.machine import Json, Killed
from tests.unit.functions.test_steps_failing import break_port
from tests.unit.functions.world import Account, hosts

from tidegate.gateways.errors import DeniedError
from tidegate.gateways.run_command import Sent

ALL = ("HOST_COUNT", 0)


def test_a_host_that_never_picks_up_fails_by_the_deadline_and_the_rest_goes_on() -> None:
    account = Account(hosts(3))
    account.hosts["i-00000000000000002"].picked_up = None
    deployed = account.deploy("v1.zip", ALL)
    item = account.run().deployment(deployed)
    assert (item["status"], item["overview"]["Failed"]) == ("Succeeded", 1)
    shown = account.targets(deployed)["i-00000000000000002"]
    assert "did not pick up its command within 2 min" in shown["lifecycleEvents"][0]["diagnostics"]["message"]
    assert [target for _, target in account.fleet.cancelled] == ["i-00000000000000002"]
    assert not account.runtime.targets.health("group-1")["i-00000000000000002"].healthy


def test_where_no_agent_answers_at_all_that_is_the_error() -> None:
    account = Account(hosts(3, picked_up=None))
    account.hosts["i-00000000000000001"].online = False
    deployed = account.deploy("v1.zip", ALL)
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "AGENT_ISSUE")
    assert item["error"]["message"].startswith(
        "0 instances of 3 succeeded, 3 failed; 1 must succeed. No instance's SSM"
    )
    assert "SSM agent is started" in item["error"]["message"]


def test_one_by_one_the_first_silent_agent_ends_it_and_is_the_cause() -> None:
    account = Account(hosts(3, picked_up=None))
    deployed = account.deploy("v1.zip")
    item = account.run().deployment(deployed)
    assert item["error"]["code"] == "AGENT_ISSUE"
    assert sorted(account.statuses(deployed).values()) == ["Failed", "Skipped", "Skipped"]


@pytest.mark.parametrize("behaviour", [{"fails": frozenset({"v1.zip"})}, {"takes": None}, {"tags": {"Fleet": "demo"}}])
def test_a_single_answer_or_another_reason_makes_it_the_health_of_the_fleet(behaviour: dict[str, Any]) -> None:
    account = Account(hosts(3, picked_up=None))
    account.hosts["i-00000000000000002"] = Host(**behaviour)
    deployed = account.deploy("v1.zip", ALL)
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")


def ended_by_ec2(account: Account, target_id: str, state: str) -> None:
    account.hosts[target_id] = replace(account.hosts[target_id], state=state, online=False, picked_up=None)


def why(account: Account, deployment_id: str, target_id: str) -> str:
    events = account.targets(deployment_id)[target_id]["lifecycleEvents"]
    return str(next(each for each in events if each["status"] == "Failed")["diagnostics"]["message"])


def test_an_instance_terminated_at_work_fails_when_a_silent_one_would_and_says_so() -> None:
    """Its command would run for SSM until the stage's time is over, here 19 minutes."""
    account = Account(hosts(3, takes=10), TIDEGATE_HOST_EVENT_SECONDS="300")
    first, rest = "i-00000000000000001", ["i-00000000000000002", "i-00000000000000003"]
    account.hosts[first].takes = None
    deployed = account.deploy("v1.zip", ("HOST_COUNT", 0))
    begun = account.now
    account.clock.at(account.now + 20, lambda: ended_by_ec2(account, first, "shutting-down"))
    item = account.run().deployment(deployed)
    assert item["status"] == "Succeeded"
    assert account.now - begun < 120 + 65
    assert why(account, deployed, first).startswith("The instance was terminated (Amazon EC2)")
    assert {account.statuses(deployed)[each] for each in rest} == {"Succeeded"}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("terminated", "The instance was terminated (Amazon EC2)"),
        ("stopped", "The instance is stopped (Amazon EC2): start it"),
        ("running", "The instance's SSM agent was not reachable for 2 min"),
    ],
)
def test_an_instance_that_is_never_reached_says_what_ec2_knows_of_it(state: str, words: str) -> None:
    account = Account(hosts(2))
    ended_by_ec2(account, "i-00000000000000002", state)
    deployed = account.deploy("v1.zip", ALL)
    assert account.run().deployment(deployed)["overview"]["Failed"] == 1
    assert why(account, deployed, "i-00000000000000002").startswith(words)


def test_where_ec2_cannot_be_asked_the_reason_is_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(hosts(2))
    ended_by_ec2(account, "i-00000000000000002", "terminated")

    def denied(_ids: object) -> Any:
        raise DeniedError("describing instances: UnauthorizedOperation")

    monkeypatch.setattr(account.fleet, "states", denied)
    deployed = account.deploy("v1.zip", ALL)
    account.run()
    assert "SSM agent was not reachable" in why(account, deployed, "i-00000000000000002")


def test_nobody_asks_ec2_while_all_goes_well(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(hosts(3, fails=frozenset({"v2.zip"})))
    monkeypatch.setattr(account.fleet, "states", None)
    for name in ("v1.zip", "v2.zip"):
        account.deploy(name, ALL)
        account.run()


def test_a_late_host_finds_its_order_expired_and_runs_nothing() -> None:
    account = Account(hosts(1, picked_up=200))
    deployed = account.deploy("v1.zip")
    assert account.run().deployment(deployed)["status"] == "Failed"
    assert account.hosts["i-00000000000000001"].runs[deployed] == 0


def test_an_offline_host_gets_its_command_when_it_comes_back_in_time() -> None:
    account = Account(hosts(2))
    away = account.hosts["i-00000000000000002"]
    away.online = False
    deployed = account.deploy("v1.zip", ALL)
    account.clock.at(account.now + 70, lambda: setattr(away, "online", True))
    assert account.run().deployment(deployed)["overview"]["Succeeded"] == 2


def test_a_host_without_the_opt_in_tag_is_told_which_tag_it_lacks() -> None:
    account = Account(hosts(2))
    account.hosts["i-00000000000000001"].tags = {"Fleet": "demo"}
    deployed = account.deploy("v1.zip", ALL)
    account.run()
    message = account.targets(deployed)["i-00000000000000001"]["lifecycleEvents"][0]["diagnostics"]["message"]
    assert "tidegate:managed=true" in message
    assert account.hosts["i-00000000000000001"].runs[deployed] == 0


def test_a_revision_goes_to_hosts_of_its_system_and_the_others_are_told_why_not() -> None:
    account = Account(hosts(3))
    for number in (2, 3):
        account.hosts[f"i-0000000000000000{number}"].system = "windows"
    account.bundles.appspecs["v2.zip"] = "version: 0.0\nos: windows\n"
    deployed = account.deploy("v2.zip", ALL)
    assert account.run().deployment(deployed)["overview"]["Succeeded"] == 2
    (command,) = {command.order["appspec"]["os"] for command in account.fleet.commands.values()}
    assert command == "windows"
    message = account.targets(deployed)["i-00000000000000001"]["lifecycleEvents"][0]["diagnostics"]["message"]
    assert "unsupported operating system (windows)" in message
    assert account.hosts["i-00000000000000001"].runs[deployed] == 0


def test_a_lost_answer_is_fetched_from_the_hosts_record() -> None:
    account = Account(hosts(2, answer_lost=True))
    deployed = account.deploy("v1.zip", ALL)
    assert account.run().deployment(deployed)["overview"]["Succeeded"] == 2
    assert [c.order["mode"] for c in account.fleet.commands.values()] == ["run", "report"]
    assert {host.runs[deployed] for host in account.hosts.values()} == {1}


def test_a_host_that_hangs_is_asked_and_then_given_up() -> None:
    account = Account(hosts(2))
    account.hosts["i-00000000000000001"].takes = None
    deployed = account.deploy("v1.zip", ALL)
    item = account.run().deployment(deployed)
    assert (item["status"], item["overview"]["Failed"]) == ("Succeeded", 1)
    assert account.hosts["i-00000000000000001"].runs[deployed] == 1


def test_hosts_lost_at_the_end_are_failed_unhealthy_and_in_the_report() -> None:
    account = Account(hosts(2, takes=None))
    account.runtime.settings = replace(account.runtime.settings, drain=30)  # shorter than a stage may take
    deployed = account.deploy("v1.zip")
    account.clock.at(account.now + 6, lambda: account.stop(deployed))
    item = account.run().deployment(deployed)
    assert (item["status"], item["overview"]["Failed"], item["overview"]["Skipped"]) == ("Stopped", 1, 1)
    (lost,) = [each for each, status in account.statuses(deployed).items() if status == "Failed"]
    assert account.runtime.targets.health("group-1")[lost].healthy is False
    installed = account.table.query(f"INSTALLED#{deployed}", index="GSI2").items
    assert [(each["targetId"], each["result"]) for each in installed] == [(lost, "Failed")]


def test_a_command_found_again_is_given_up_only_when_its_order_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was sent late by a try that died; its order is good from then on, and so long it is waited for."""
    account = Account(hosts(1, picked_up=100))
    send, tries = account.fleet.send, list[float]()

    def send_and_die(
        target_ids: Sequence[str], order: str, comment: str, delivery_seconds: int, system: str
    ) -> list[Sent]:
        send(target_ids, order, comment, delivery_seconds, system)
        raise Killed("after the command was sent")

    def late(name: str, _state: object) -> None:
        if name == "SendCommands" and not tries:
            tries.append(account.now)
            account.clock.pass_time_until(account.now + 60, lambda: False)

    monkeypatch.setattr(account.fleet, "send", send_and_die)
    account.before = late
    deployed = account.deploy("v1.zip")
    assert account.run().deployment(deployed)["status"] == "Succeeded"
    assert len(account.fleet.commands) == 1
    assert account.hosts["i-00000000000000001"].runs[deployed] == 1


def test_who_was_sent_to_by_tries_that_died_is_not_given_up_as_unreachable() -> None:
    """SendCommands dies before it can write down what it has sent, until its tries and the hosts' time are over."""
    account = Account(hosts(3))
    account.hosts["i-00000000000000003"].online = False
    deployed = account.deploy("v1.zip", ALL)
    working = list[str]()

    def before(name: str, _state: Json) -> None:
        working.append(name)

    account.before = before
    break_port(account, "table", "write", Killed("before it is written"), lambda: working[-1] == "SendCommands")
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "INTERNAL_ERROR")
    assert {each: host.runs[deployed] for each, host in account.hosts.items()} == {
        "i-00000000000000001": 1,
        "i-00000000000000002": 1,
        "i-00000000000000003": 0,
    }
    assert account.statuses(deployed) == {
        "i-00000000000000001": "Succeeded",
        "i-00000000000000002": "Succeeded",
        "i-00000000000000003": "Failed",
    }
