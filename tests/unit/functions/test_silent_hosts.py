"""Hosts that answer late, never, or without a word: judged by our own clock, asked, given up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.functions.hosts import Host
from tests.unit.functions.world import Account, hosts

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
