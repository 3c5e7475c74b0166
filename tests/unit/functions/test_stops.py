"""Stop requests at every point of a deployment's life, and what is rolled back after them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.functions.machine import Json
from tests.unit.functions.test_steps_failing import break_port
from tests.unit.functions.world import Account, hosts

from tidegate.store.errors import DeploymentCompletedError

HALF = ("FLEET_PERCENT", 50)
ALL = ("HOST_COUNT", 0)
ON_STOP = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_REQUEST"]}
ON_FAILURE = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
#: How many states a deployment of four instances, half at a time, goes through.
TRANSITIONS = 19
ZONAL = {"firstZoneMonitorDurationInSeconds": 600, "monitorDurationInSeconds": 600}


def with_first_revision(count: int = 4, zones: str = "", **more: Any) -> tuple[Account, str]:
    """An account that runs v1 everywhere, and a deployment of v2 that has not begun."""
    account = Account(hosts(count))
    for host, zone in zip(account.hosts.values(), zones, strict=False):
        host.zone = zone
    account.deploy("v1.zip", HALF)
    account.run()
    return account, account.deploy("v2.zip", HALF, **more)


def at_transition(number: int, act: Callable[[], None]) -> Callable[[str, Json], None]:
    """Something that happens just before the state that an account's next execution enters as that number."""
    seen = iter(range(100_000))

    def before(_name: str, _state: Json) -> None:
        if next(seen) == number:
            act()

    return before


def test_the_transitions_below_are_all_there_are() -> None:
    account, deployed = with_first_revision()
    path = account.run().path(deployed)
    assert (len(path), path[-3:]) == (TRANSITIONS, ["FinishDeployment", "RollBack?", "Ended"])


@pytest.mark.parametrize("number", range(TRANSITIONS))
def test_a_stop_at_any_transition_begins_nothing_more(number: int) -> None:
    account, deployed = with_first_revision(autoRollback=ON_STOP)
    chosen: list[int] = []
    late: list[DeploymentCompletedError] = []

    def stop() -> None:
        loaded = account.runtime.ledgers.load(deployed)
        chosen.append(4 - loaded.ledger.census().pending if loaded else 0)
        try:
            account.stop(deployed)
        except DeploymentCompletedError as error:
            late.append(error)

    account.before = at_transition(number, stop)
    item = account.run().deployment(deployed)
    ran = sum(host.runs[deployed] for host in account.hosts.values())
    if item["status"] == "Succeeded":
        assert (ran, chosen) == (4, [4]), "only what had all been chosen may still succeed"
        assert late or account.deployment(deployed)["overview"]["Succeeded"] == 4
    else:
        assert (item["status"], item["error"]["code"]) == ("Stopped", "MANUAL_STOP")
        # What was chosen before the request goes its way, or is withdrawn before it is sent.
        assert ran <= chosen[0]
        assert ("rollbackDeploymentId" in item["rollback"]) == (ran > 0)
    assert account.runtime.groups.get("shop", "prod").get("live") is None
    assert not {"Pending", "InProgress"} & set(account.statuses(deployed).values())
    revisions = {host.revision for host in account.hosts.values()}
    assert revisions == ({"v2.zip"} if item["status"] == "Succeeded" else {"v1.zip"})


@pytest.mark.parametrize("asked", [True, False, None])
@pytest.mark.parametrize("settings", [None, ON_STOP, {**ON_STOP, "enabled": False}, ON_FAILURE])
def test_who_stops_decides_on_the_rollback_or_leaves_it_to_the_settings(
    asked: bool | None, settings: dict[str, Any] | None
) -> None:
    account, deployed = with_first_revision(autoRollback=settings)
    account.clock.at(account.now + 6, lambda: account.stop(deployed, asked))
    item = account.run().deployment(deployed)
    expected = (settings is ON_STOP) if asked is None else asked
    assert item["status"] == "Stopped"
    assert ("rollbackDeploymentId" in item.get("rollback", {})) == expected


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (None, True)])
def test_of_two_requests_the_first_counts(first: bool | None, second: bool) -> None:
    account, deployed = with_first_revision()
    account.clock.at(account.now + 6, lambda: account.stop(deployed, first))
    account.clock.at(account.now + 7, lambda: account.stop(deployed, second))
    item = account.run().deployment(deployed)
    assert item["status"] == "Stopped"
    assert ("rollbackDeploymentId" in item.get("rollback", {})) == bool(first)
    assert [each["code"] for each in account.decisions(deployed) if each["kind"] == "Finish"] == ["STOPPED"]


def test_a_request_after_the_end_is_refused_and_changes_nothing() -> None:
    account, deployed = with_first_revision()
    before = account.run().deployment(deployed)
    with pytest.raises(DeploymentCompletedError):
        account.stop(deployed, True)
    assert account.deployment(deployed) == before


def test_a_request_while_a_failing_one_lets_its_instances_finish_leaves_it_failed() -> None:
    account, deployed = with_first_revision(autoRollback=ON_FAILURE)
    for host in account.hosts.values():
        host.takes = 190
    begun = account.now
    broken = KeyError("CommandPlugins")
    break_port(account, "run_command", "look", broken, lambda: begun + 10 < account.now < begun + 150)
    account.clock.at(begun + 160, lambda: account.stop(deployed, False))
    item = account.run().deployment(deployed)
    assert "stop" in item
    assert (item["status"], item["error"]["code"]) == ("Failed", "INTERNAL_ERROR")
    assert "rollbackDeploymentId" in item["rollback"], "the settings for failures decide"


# --- waits


def wait_of(account: Account, deployed: str) -> float:
    return next(each["time"] for each in account.decisions(deployed) if each["code"] == "MONITOR")


@pytest.mark.parametrize("cause", ["stop", "alarm"])
def test_a_zone_that_is_watched_is_not_followed_by_the_next(cause: str) -> None:
    watched = {"names": ["errors"], "ignorePollFailure": False}
    account, deployed = with_first_revision(4, "aabb", zonal=ZONAL, alarms=watched)
    account.alarms.put("errors")
    happens = account.now + 200

    def happen() -> None:
        if cause == "stop":
            account.stop(deployed)
        else:
            account.alarms.put("errors", "ALARM")

    account.clock.at(happens, happen)
    item = account.run().deployment(deployed)
    assert wait_of(account, deployed) < happens
    assert (item["status"], item["error"]["code"]) == (
        "Stopped",
        {"stop": "MANUAL_STOP", "alarm": "ALARM_ACTIVE"}[cause],
    )
    assert item["completeTime"] < happens + 10
    assert sorted(account.statuses(deployed).values()) == ["Skipped", "Skipped", "Succeeded", "Succeeded"]


# --- what a rollback is


def failing(account: Account, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A deployment of v2 that fails everywhere, and its rollback."""
    for host in account.hosts.values():
        host.fails = frozenset({"v2.zip"})
    failed = account.deploy("v2.zip", HALF, autoRollback=ON_FAILURE, **more)
    old = account.run().deployment(failed)
    return old, account.deployment(old["rollback"]["rollbackDeploymentId"])


def test_both_ends_of_the_link_are_worded_as_codedeploy_words_them() -> None:
    account = Account(hosts(2))
    account.deploy("v1.zip")
    account.run()
    old, new = failing(account)
    assert old["rollback"] == {
        "rollbackDeploymentId": new["deploymentId"],
        "rollbackMessage": (
            f"Deployment {old['deploymentId']} terminated, automatic rollback triggered with DeploymentId "
            f"{new['deploymentId']}"
        ),
    }
    assert new["rollback"] == {
        "rollbackTriggeringDeploymentId": old["deploymentId"],
        "rollbackMessage": (
            f"Deployment {new['deploymentId']} is triggered to roll back deployment {old['deploymentId']}"
        ),
    }


def test_it_takes_the_revision_and_file_behaviour_of_the_last_success_and_the_instances_of_now() -> None:
    account = Account(hosts(3))
    account.deploy("v1.zip", fileExistsBehavior="RETAIN")
    account.run()
    newcomer = hosts(4)["i-00000000000000004"]

    def join(name: str, state: Json) -> None:
        if name == "RollBackDeployment":
            account.hosts["i-00000000000000004"] = newcomer

    account.before = join
    old, new = failing(account, fileExistsBehavior="OVERWRITE", updateOutdatedInstancesOnly=True)
    assert (new["location"]["s3Location"]["key"], new["fileExistsBehavior"]) == ("v1.zip", "RETAIN")
    assert new["updateOutdatedInstancesOnly"] is False
    assert (new["deploymentConfigName"], new["minimum"]) == (old["deploymentConfigName"], old["minimum"])
    assert len(account.statuses(old["deploymentId"])) == 3
    assert set(account.statuses(new["deploymentId"])) == set(account.hosts)
    assert newcomer.revision == "v1.zip"
    # Those that failed come first.
    roster = account.runtime.ledgers.roster(new["deploymentId"])
    failed = {each for each, status in account.statuses(old["deploymentId"]).items() if status == "Failed"}
    assert {member.target_id for member in roster.members[: len(failed)]} == failed


def test_deploying_an_earlier_revision_by_hand_is_an_ordinary_deployment() -> None:
    account, second = with_first_revision()
    account.run()
    back = account.deploy("v1.zip", HALF)
    item = account.run().deployment(back)
    assert (item["status"], item["creator"], "rollback" in item) == ("Succeeded", "user", False)
    assert account.group()["lastGood"]["deploymentId"] == back != second
    assert {host.revision for host in account.hosts.values()} == {"v1.zip"}


def test_a_rollback_can_be_stopped_and_is_not_rolled_back() -> None:
    account = Account(hosts(4))
    account.deploy("v1.zip", HALF)
    account.run()
    for host in account.hosts.values():
        host.fails = frozenset({"v2.zip"})
    failed = account.deploy("v2.zip", HALF, autoRollback=ON_FAILURE)
    stopped: list[str] = []

    def stop_it(name: str, state: Json) -> None:
        if name == "SendCommands" and state["deploymentId"] != failed and not stopped:
            stopped.append(state["deploymentId"])
            account.clock.at(account.now + 3, lambda: account.stop(state["deploymentId"], True))

    account.before = stop_it
    account.run()
    item = account.deployment(stopped[0])
    assert (item["status"], item["creator"]) == ("Stopped", "codeDeployRollback")
    assert "rollbackDeploymentId" not in item["rollback"]
    assert "ROLLBACK_OF_ROLLBACK" in [each["code"] for each in account.decisions(stopped[0])]


def test_a_restart_that_fails_is_not_rolled_back_to_what_it_restarts() -> None:
    account = Account(hosts(2))
    good = account.deploy("v1.zip")
    account.run()
    for host in account.hosts.values():
        host.fails = frozenset({"v1.zip"})
    restart = account.deploy("v1.zip", autoRollback=ON_FAILURE, deploymentMode="RESTART", restartOf=good)
    item = account.run().deployment(restart)
    assert item["status"] == "Failed"
    assert [each["code"] for each in account.decisions(restart) if each["kind"] == "Rollback"] == ["SAME_REVISION"]
    assert account.group()["lastGood"]["deploymentId"] == good


class Meanwhile:
    """A port before one of whose calls something happens, once."""

    def __init__(self, port: Any, call: str, act: Callable[[], None]) -> None:
        self._port, self._call, self._acts = port, call, [act]

    def __getattr__(self, name: str) -> Any:
        if name == self._call and self._acts:
            self._acts.pop()()
        return getattr(self._port, name)


def meanwhile(account: Account, port: str, call: str, act: Callable[[], None]) -> None:
    """Let something happen just before a function's next such call."""
    account.wrap(lambda name, found: Meanwhile(found, call, act) if name == port else found)


@pytest.mark.parametrize("asked", [True, False])
def test_what_a_stop_says_of_the_rollback_counts_until_the_end_has_begun(asked: bool) -> None:
    """FinishDeployment has read the deployment, which stops for an alarm, when the request is acknowledged."""
    on_alarm = {"enabled": not asked, "events": ["DEPLOYMENT_STOP_ON_ALARM"]}
    account, deployed = with_first_revision(autoRollback=on_alarm, alarms={"names": ["errors"]})
    account.alarms.put("errors")
    account.clock.at(account.now + 6, lambda: account.alarms.put("errors", "ALARM"))

    def before(name: str, _state: Json) -> None:
        if name == "FinishDeployment" and "stop" not in account.deployment(deployed):
            meanwhile(account, "table", "update_returning", lambda: account.stop(deployed, asked))

    account.before = before
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert item["stop"]["autoRollback"] is asked
    assert ("rollbackDeploymentId" in item.get("rollback", {})) is asked
    told = [each["code"] for each in account.decisions(deployed) if each["kind"] == "Rollback"]
    assert told == ["ROLLBACK"] * asked


def test_a_stop_is_refused_once_the_end_has_begun() -> None:
    account, deployed = with_first_revision(autoRollback=ON_FAILURE)
    for host in account.hosts.values():
        host.fails = frozenset({"v2.zip"})
    refused: list[str] = []

    def stop() -> None:
        with pytest.raises(DeploymentCompletedError) as told:
            account.stop(deployed, False)
        refused.append(str(told.value))

    def before(name: str, _state: Json) -> None:
        if name == "FinishDeployment" and not refused:
            meanwhile(account, "table", "write", stop)

    account.before = before
    item = account.run().deployment(deployed)
    assert refused == [f"The deployment '{deployed}' is ending just now."]
    assert ("stop" in item, item["status"]) == (False, "Failed")
    assert "rollbackDeploymentId" in item["rollback"]
