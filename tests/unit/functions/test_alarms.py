"""Alarms that a deployment watches: before it begins, while it runs, in its waits, and when they cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.functions.blue_green import TwoFleets
from tests.unit.functions.world import Account, hosts

from tidegate.gateways.errors import DeniedError, GatewayError, ThrottledError, UnavailableError

HALF = ("FLEET_PERCENT", 50)
ON_ALARM = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]}
ON_STOP = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_FAILURE"]}
WATCHED = {"names": ["errors", "latency"], "ignorePollFailure": False}
IGNORING = {**WATCHED, "ignorePollFailure": True}


def watching(count: int = 4, alarms: dict[str, Any] = WATCHED, **more: Any) -> tuple[Account, str]:
    """An account that runs v1 everywhere, both alarms at rest, and a deployment of v2 that watches them."""
    account = Account(hosts(count))
    for name in WATCHED["names"]:  # type: ignore[attr-defined]
        account.alarms.put(name)
    account.deploy("v1.zip", HALF)
    account.run()
    return account, account.deploy("v2.zip", HALF, alarms=alarms, **more)


def ended(account: Account, deployed: str) -> tuple[str, str, str]:
    item = account.run().deployment(deployed)
    return item["status"], item.get("error", {}).get("code", ""), item.get("error", {}).get("message", "")


def test_alarms_at_rest_or_without_data_do_not_matter() -> None:
    account, deployed = watching()
    account.alarms.put("latency", "INSUFFICIENT_DATA")
    assert ended(account, deployed) == ("Succeeded", "", "")
    passes = account.path(deployed).count("EvaluateHealth")
    assert len(account.alarms.looks) == passes > 2, "read in every pass"


def test_an_alarm_that_is_active_before_stops_it_before_a_host_is_touched() -> None:
    account, deployed = watching(autoRollback=ON_ALARM)
    account.alarms.put("latency", "ALARM")
    account.alarms.put("errors", "ALARM")
    status, code, message = ended(account, deployed)
    assert (status, code) == ("Stopped", "ALARM_ACTIVE")
    assert message.endswith("<errors> <latency>")
    assert set(account.statuses(deployed).values()) == {"Skipped"}
    assert not [host for host in account.hosts.values() if host.runs[deployed]]
    # All run what they ran before, so there is nothing to roll back.
    assert "No instance was touched" in account.deployment(deployed)["rollback"]["rollbackMessage"]


def test_an_alarm_stops_what_is_pending_lets_finish_what_runs_and_rolls_back() -> None:
    account, deployed = watching(autoRollback=ON_ALARM)
    account.clock.at(account.now + 6, lambda: account.alarms.put("errors", "ALARM"))
    status, code, message = ended(account, deployed)
    assert (status, code) == ("Stopped", "ALARM_ACTIVE")
    assert message.endswith("is in ALARM: <errors>")
    assert sorted(account.statuses(deployed).values()) == ["Skipped", "Skipped", "Succeeded", "Succeeded"]
    old = account.deployment(deployed)
    new = account.deployment(old["rollback"]["rollbackDeploymentId"])
    # It is still in ALARM: rollbacks do not watch.
    assert (new["status"], new["creator"], "alarms" in new) == ("Succeeded", "codeDeployRollback", False)
    assert {host.revision for host in account.hosts.values()} == {"v1.zip"}
    assert "ALARM_ACTIVE" in [each["code"] for each in account.decisions(deployed)]


@pytest.mark.parametrize(("settings", "rolls_back"), [(ON_ALARM, True), (ON_STOP, False)])
def test_a_stop_by_an_alarm_has_a_setting_of_its_own(settings: dict[str, Any], rolls_back: bool) -> None:
    account, deployed = watching(autoRollback=settings)
    account.clock.at(account.now + 6, lambda: account.alarms.put("errors", "ALARM"))
    assert ended(account, deployed)[1] == "ALARM_ACTIVE"
    assert ("rollbackDeploymentId" in account.deployment(deployed).get("rollback", {})) == rolls_back


@pytest.mark.parametrize(("tells_after", "within"), [(2, 5), (None, 65)], ids=["told", "event lost"])
def test_an_event_wakes_it_and_a_lost_one_costs_a_heartbeat(tells_after: float | None, within: float) -> None:
    account, deployed = watching()
    for host in account.hosts.values():
        host.takes = 150
    raised = account.now + 60
    account.clock.at(raised, lambda: account.alarms.put("errors", "ALARM", tells_after))
    assert ended(account, deployed)[1] == "ALARM_ACTIVE"
    told = next(each["time"] for each in account.decisions(deployed) if "<errors>" in each["reason"])
    assert raised < told < raised + within


def test_an_alarm_that_recovers_before_it_was_seen_stops_nothing() -> None:
    account, deployed = watching()
    for host in account.hosts.values():
        host.takes = 100
    account.clock.at(account.now + 60, lambda: account.alarms.put("errors", "ALARM", tells_after=3))
    account.clock.at(account.now + 61, lambda: account.alarms.put("errors"))
    assert ended(account, deployed)[0] == "Succeeded"


def test_an_alarm_that_was_seen_counts_although_it_recovers() -> None:
    account, deployed = watching()
    account.clock.at(account.now + 6, lambda: account.alarms.put("errors", "ALARM", tells_after=0))
    account.clock.at(account.now + 8, lambda: account.alarms.put("errors"))
    assert ended(account, deployed)[1] == "ALARM_ACTIVE"


def test_a_stop_request_comes_before_an_alarm() -> None:
    account, deployed = watching(autoRollback=ON_ALARM)

    def both() -> None:
        account.alarms.put("errors", "ALARM")
        account.stop(deployed)

    account.clock.at(account.now + 6, both)
    assert ended(account, deployed)[1] == "MANUAL_STOP"
    assert "rollback" not in account.deployment(deployed)


@pytest.mark.parametrize("state", ["ValidateRevision", "SelectTargets", "EvaluateHealth"])
def test_an_alarm_before_the_first_batch_touches_no_host(state: str) -> None:
    account, deployed = watching()

    def raise_it(name: str, _state: object) -> None:
        if name == state:
            account.alarms.put("errors", "ALARM")

    account.before = raise_it
    assert ended(account, deployed)[:2] == ("Stopped", "ALARM_ACTIVE")
    assert not [host for host in account.hosts.values() if host.runs[deployed]]


FAULTS = [
    ThrottledError("reading alarms from Amazon CloudWatch: Throttling: Rate exceeded"),
    DeniedError("reading alarms from Amazon CloudWatch: AccessDenied: not authorized"),
    UnavailableError("reading alarms from Amazon CloudWatch: timed out"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_alarms_that_cannot_be_read_stop_it_after_the_patience_of_a_step(fault: GatewayError) -> None:
    account, deployed = watching()
    before = account.now

    def blind() -> None:
        account.alarms.fault = fault

    account.clock.at(account.now + 6, blind)
    status, code, message = ended(account, deployed)
    assert (status, code) == ("Stopped", "ALARM_ACTIVE")
    assert "cannot be read: reading alarms from Amazon CloudWatch" in message
    assert "ignorePollAlarmFailure" in message
    assert sorted(account.statuses(deployed).values()) == ["Skipped", "Skipped", "Succeeded", "Succeeded"]
    tries = [look for look in account.alarms.looks if look > before + 6]
    assert len(tries) == 7, "seven tries, and none once it is ending"


def test_alarms_that_can_be_read_again_in_time_do_not_stop_it() -> None:
    account, deployed = watching()
    account.clock.at(account.now + 6, lambda: setattr(account.alarms, "fault", FAULTS[0]))
    account.clock.at(account.now + 30, lambda: setattr(account.alarms, "fault", None))
    assert ended(account, deployed)[0] == "Succeeded"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_whoever_asks_for_it_goes_on_without_knowing(fault: GatewayError) -> None:
    account, deployed = watching(alarms=IGNORING)
    account.alarms.fault = fault
    assert ended(account, deployed)[0] == "Succeeded"
    passes = account.path(deployed).count("EvaluateHealth")
    assert len(account.alarms.looks) == passes > 2
    (reason,) = told_unread(account, deployed)
    assert str(fault) in reason
    assert "ignorePollAlarmFailure" in reason


def test_each_cause_is_told_once_however_it_is_worded_and_however_often_it_comes_back() -> None:
    account, deployed = watching(alarms=IGNORING)
    for host in account.hosts.values():
        host.takes = 100
    begun = account.now

    def blinded(after: float, fault: GatewayError | None) -> None:
        account.clock.at(begun + after, lambda: setattr(account.alarms, "fault", fault))

    for turn, after in enumerate(range(5, 200, 20)):
        blinded(after, ThrottledError(f"request {turn}: Rate exceeded"))
        blinded(after + 15, None)
    blinded(150, DeniedError("not authorized"))
    assert ended(account, deployed)[0] == "Succeeded"
    first, second = told_unread(account, deployed)
    assert "request 0: Rate exceeded" in first
    assert "not authorized" in second


def test_who_dies_after_the_history_was_written_does_not_go_on_unsaid() -> None:
    account, deployed = watching(alarms=IGNORING)
    account.alarms.fault = FAULTS[0]
    amend, died = account.runtime.deployments.amend, list[str]()

    def dying(deployment_id: str, changes: dict[str, Any], **more: Any) -> Any:
        if "alarmsUnread" in changes and not died:
            died.append(deployment_id)
            raise TimeoutError
        return amend(deployment_id, changes, **more)

    account.runtime.deployments.amend = dying  # type: ignore[method-assign, assignment]
    assert ended(account, deployed)[0] == "Succeeded"
    assert (len(died), len(told_unread(account, deployed))) == (1, 2)


def told_unread(account: Account, deployed: str) -> list[str]:
    """What the history says of alarms that could not be read."""
    return [each["reason"] for each in account.decisions(deployed) if each["code"] == "ALARMS_UNREAD"]


def test_an_alarm_that_does_not_exist_cannot_be_read() -> None:
    account, deployed = watching(alarms={"names": ["errors", "gone"], "ignorePollFailure": False})
    status, code, message = ended(account, deployed)
    assert (status, code) == ("Stopped", "ALARM_ACTIVE")
    assert "there is no alarm <gone>" in message
    account, deployed = watching(alarms={"names": ["errors", "gone"], "ignorePollFailure": True})
    assert ended(account, deployed)[0] == "Succeeded"


def test_an_active_alarm_counts_where_another_cannot_be_read() -> None:
    account, deployed = watching(alarms={"names": ["errors", "gone"], "ignorePollFailure": True})
    account.alarms.put("errors", "ALARM")
    assert ended(account, deployed)[:2] == ("Stopped", "ALARM_ACTIVE")


def test_nothing_of_a_watch_is_left_when_its_deployment_has_ended() -> None:
    account, deployed = watching()
    found: list[set[str]] = []

    def look(name: str, _state: object) -> None:
        found.append(account.runtime.alarm_watches.deployments_of(["errors", "latency", "other"]))

    account.before = look
    assert ended(account, deployed)[0] == "Succeeded"
    assert {deployed} in found
    assert account.runtime.alarm_watches.deployments_of(["errors", "latency"]) == set()


def test_an_hour_of_waiting_costs_a_bounded_number_of_looks() -> None:
    """The idle passes of an hour, with the heartbeat of 5 minutes that stacks have: what they cost is budgeted."""
    account = Account(hosts(2), TIDEGATE_HEARTBEAT_SECONDS="300")
    for host, zone in zip(account.hosts.values(), "ab", strict=True):
        host.zone = zone
    account.alarms.put("errors")
    zonal = {"firstZoneMonitorDurationInSeconds": 3600}
    deployed = account.deploy("v1.zip", alarms={"names": ["errors"], "ignorePollFailure": False}, zonal=zonal)
    assert account.run().deployment(deployed)["status"] == "Succeeded"
    begun = next(each["time"] for each in account.decisions(deployed) if each["code"] == "MONITOR")
    looks = [look for look in account.alarms.looks if begun < look <= begun + 3600]
    transitions, calls = 3 * len(looks) * 0.000025, len(looks) * 0.00001
    assert len(looks) <= 17
    assert transitions + calls < 0.0015, "US$, without the fifth that Lambda and the table add"


def blue_green(**more: Any) -> tuple[TwoFleets, dict[str, Any]]:
    fleets = TwoFleets()
    fleets.account.alarms.put("errors")
    watched = {"names": ["errors"], "ignorePollFailure": False}
    return fleets, {"alarms": watched, "autoRollback": ON_ALARM, **more}


def test_an_alarm_while_the_replacement_is_ready_leaves_the_traffic_with_the_originals() -> None:
    fleets, options = blue_green(ready=2880)
    raised: list[float] = []

    def raise_it(_deployment_id: str) -> None:
        raised.append(fleets.account.now)
        fleets.account.alarms.put("errors", "ALARM")

    fleets.when("Ready", raise_it, after=5000)
    item = fleets.account.deployment(fleets.deploy(**options))
    assert (item["status"], item["error"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert item["completeTime"] < raised[0] + 5, "waked by the event"
    assert fleets.serving() == fleets.blue
    assert "No traffic was moved" in item["rollback"]["rollbackMessage"]


def test_an_alarm_in_the_termination_wait_gives_the_originals_their_traffic_back() -> None:
    fleets, options = blue_green(terminate=2880)
    fleets.when_originals_wait(lambda _: fleets.account.alarms.put("errors", "ALARM"), after=7200)
    item = fleets.account.deployment(fleets.deploy(**options))
    assert (item["status"], item["error"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    back = fleets.account.deployment(item["rollback"]["rollbackDeploymentId"])
    assert (back["status"], back["creator"], "alarms" in back) == ("Succeeded", "codeDeployRollback", False)
    assert fleets.serving() == fleets.blue
    assert fleets.terminations.calls == []
