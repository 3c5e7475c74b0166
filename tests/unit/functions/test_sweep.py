"""Deployments whose execution is gone are found, and carried on or given up; everything else is left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from functions.sweep_deployments import app as sweep_deployments
from tests.unit.functions.machine import DEFINITION, Json, Killed
from tests.unit.functions.scenarios import ON_FAILURE, SCENARIOS, ended_once, outcome, renamed
from tests.unit.functions.test_crashes import Death, Port
from tests.unit.functions.world import Account, hosts

from tidegate.gateways.errors import ThrottledError
from tidegate.rollout.revival import MOST_REVIVALS
from tidegate.runtime import Runtime
from tidegate.store.deployment_items import deployment_key, live_key
from tidegate.store.groups import group_key
from tidegate.store.table import Delete, Update

STATES = sorted(DEFINITION["States"])
ENDS = {"Ended", "Superseded"}
#: Where only deployments come that copy an Auto Scaling group.
COPYING = {"ProvisionReplacements", "ReplacementsReady?", "AwaitReplacements"}


def live(account: Account) -> set[str]:
    return {item["SK"] for item in account.table.query("LIVE").items}


def abort_at(account: Account, state: str) -> list[str]:
    """Abort the first execution that comes to a state, before it is entered."""
    before, aborted = account.before, list[str]()

    def abort(name: str, found: Json) -> None:
        before(name, found)
        if name == state and not aborted:
            aborted.append(found["deploymentId"])
            execution = next(
                each
                for each in account.executions.values()
                if each.status == "RUNNING" and each.name == f"{found['deploymentId']}-{found['generation']}"
            )
            execution.status = "ABORTED"

    account.before = abort
    return aborted


def swept(account: Account) -> Account:
    """Run it; then sweep until nothing is live any more."""
    account.run()
    for _ in range(40):
        if not live(account):
            return account
        account.sweep()
    raise AssertionError(f"live for ever: {live(account)}")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_execution_aborted_at_any_state_is_carried_on(scenario: str, state: str) -> None:
    expected = renamed(outcome(SCENARIOS[scenario]().run()))
    account = SCENARIOS[scenario]()
    aborted = abort_at(account, state)
    swept(account)
    ended_once(account)
    assert renamed(outcome(account)) == expected
    told = [each for each in account.decisions(aborted[0]) if each["kind"] == "Revival"] if aborted else []
    revived = aborted and account.deployment(aborted[0])["generation"] == 2
    assert [each["code"] for each in told] == (["REVIVED"] if revived else [])
    assert all("was aborted; generation 2 carries" in each["reason"] for each in told)
    if state not in ENDS | COPYING | {"StartSuccessor", "RollBackDeployment", "RollBack?"}:
        assert revived, "the deployment had not ended yet"


def test_an_execution_aborted_while_it_waits_is_carried_on_where_it_was() -> None:
    account = Account(hosts(4, takes=100))
    deployed = account.deploy("v1.zip", ("HOST_COUNT", 2))
    account.clock.at(account.now + 20, lambda: account.abort(deployed))
    account.run()
    assert account.deployment(deployed)["status"] == "InProgress"
    assert account.sweep()["deployments"] == {"revived": 1}
    assert account.deployment(deployed)["status"] == "Succeeded"
    assert {host.runs[deployed] for host in account.hosts.values()} == {1}


def test_a_deployment_whose_execution_goes_on_is_left_alone() -> None:
    account = Account(hosts(1, takes=100))
    account.deploy("v1.zip")
    found: list[Any] = []
    account.clock.at(account.now + 80, lambda: found.append(sweep_deployments.run({}, account.runtime)))
    account.run()
    assert found == [{"deployments": {"running": 1}, "waiting instances": {}}]
    assert len(account.executions) == 1


def test_a_deployment_that_was_never_started_is_started_after_a_while() -> None:
    account = Account(hosts(1))
    deployed = account.deploy("v1.zip")
    account.executions.clear()
    account.queue.clear()
    assert account.sweep(after=30)["deployments"] == {"running": 1}, "its creator may just be about to start it"
    assert account.sweep(after=31)["deployments"] == {"revived": 1}
    assert account.deployment(deployed)["status"] == "Succeeded"
    assert [each["kind"] for each in account.decisions(deployed)][:2] == ["Revival", "Plan"]
    ended_once(account)


def test_a_rollback_that_was_made_and_not_started_is_started() -> None:
    account = SCENARIOS["rolling back"]()
    abort_at(account, "RollBackDeployment")
    swept(account)
    ended_once(account)
    assert renamed(outcome(account)) == renamed(outcome(SCENARIOS["rolling back"]().run()))


def test_a_revision_refused_after_a_revival_keeps_every_reason() -> None:
    """The sweep tells of it before there is a ledger that numbers decisions."""
    account = Account(hosts(0))
    deployed = account.deploy("v1.zip")
    abort_at(account, "ValidateRevision")
    swept(account)
    assert [each["kind"] for each in account.decisions(deployed)] == ["Revival", "Plan", "Verdict", "Finish"]


# --- giving up


def never_running(account: Account, within: set[str] | None = None) -> None:
    """Every execution fails at once, or at the first of some states."""

    def fail(name: str, state: Json) -> None:
        if within is None or name in within:
            account.executions[f"{state['deploymentId']}-{state['generation']}"].status = "FAILED"

    account.before = fail


def fail_once_under_way(account: Account, deployment_id: str) -> None:
    """The execution that sent the first commands fails, and every later one at once."""
    waits = 0

    def fail(name: str, state: Json) -> None:
        nonlocal waits
        waits += name == "AwaitProgress"
        if state["deploymentId"] == deployment_id and waits:
            account.executions[f"{deployment_id}-{state['generation']}"].status = "FAILED"

    account.before = fail


@pytest.mark.parametrize("within", [None, {"EvaluateHealth"}], ids=["before the fleet is known", "after"])
def test_what_cannot_be_carried_on_is_ended_and_frees_its_group(within: set[str] | None) -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip")
    never_running(account, within)
    swept(account)
    item = account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "INTERNAL_ERROR")
    assert f"carried on {MOST_REVIVALS} times without any change" in item["error"]["message"]
    assert item["generation"] == MOST_REVIVALS + 2
    kinds = Counter(each["kind"] for each in account.decisions(deployed))
    assert (kinds["Revival"], kinds["Finish"]) == (MOST_REVIVALS + 1, 1)
    assert set(account.statuses(deployed).values()) == ({"Skipped"} if within else set())
    account.before = lambda _name, _state: None
    again = account.deploy("v1.zip")
    assert account.run().deployment(again)["status"] == "Succeeded"


def test_what_is_given_up_with_hosts_in_flight_says_so_and_is_rolled_back() -> None:
    account = Account(hosts(3))
    account.deploy("v1.zip", ("HOST_COUNT", 0))
    account.run()
    for host in account.hosts.values():
        host.takes = None
    failed = account.deploy("v2.zip", ("HOST_COUNT", 2), autoRollback=ON_FAILURE)
    fail_once_under_way(account, failed)
    account.run()
    for _ in range(MOST_REVIVALS):
        account.sweep()
    for host in account.hosts.values():
        host.takes = 10
    swept(account)
    assert sorted(account.statuses(failed).values()) == ["Failed", "Skipped", "Skipped"]
    item = account.deployment(failed)
    rollback = account.deployment(item["rollback"]["rollbackDeploymentId"])
    assert (item["error"]["code"], rollback["location"]["s3Location"]["key"]) == ("INTERNAL_ERROR", "v1.zip")


def test_executions_that_die_but_come_on_each_time_are_carried_on_for_ever() -> None:
    account = Account(hosts(MOST_REVIVALS + 4))
    deployed = account.deploy("v1.zip")

    def die_after_each_batch(name: str, state: Json) -> None:
        if name == "AwaitProgress":
            account.executions[f"{deployed}-{state['generation']}"].status = "FAILED"

    account.before = die_after_each_batch
    swept(account)
    assert account.deployment(deployed)["status"] == "Succeeded"
    assert account.deployment(deployed)["generation"] > MOST_REVIVALS
    ended_once(account)


def test_what_had_succeeded_and_only_was_not_recorded_is_ended_as_a_success() -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip")
    never_running(account, {"FinishDeployment"})
    swept(account)
    assert account.deployment(deployed)["status"] == "Succeeded"
    ended_once(account)


# --- crashes of the sweep itself, and two at once


def aborted_account(scenario: str) -> Account:
    account = SCENARIOS[scenario]()
    abort_at(account, "PickBatch")
    return account.run()


def sweep_alone(account: Account) -> None:
    """One sweep, which may die; what it started has not run yet, and the ports are whole again."""
    account.clock.pass_time_until(account.now + 300, lambda: False)
    with suppress(Killed):
        sweep_deployments.run({}, account.runtime)
    account.wrap(lambda _name, port: port)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_sweep_that_dies_at_any_call_leaves_it_to_the_next(scenario: str, after: bool) -> None:
    expected, nth = renamed(outcome(SCENARIOS[scenario]().run())), 0
    while True:
        account, death = aborted_account(scenario), Death(nth := nth + 1, after)
        account.wrap(lambda _name, port, death=death: Port(port, death.called))
        sweep_alone(account)
        if not death.happened:
            break
        swept(account)
        ended_once(account)
        assert renamed(outcome(account)) == expected, f"killed at call {nth}"
    assert nth > 6


def died_while_giving_up(nth: int, after: bool) -> tuple[Account, str, bool]:
    account = Account(hosts(2, takes=None))
    deployed = account.deploy("v1.zip", autoRollback=ON_FAILURE)
    fail_once_under_way(account, deployed)
    account.run()
    for _ in range(MOST_REVIVALS):
        account.sweep()
    death = Death(nth, after)
    account.wrap(lambda _name, port: Port(port, death.called))
    sweep_alone(account)
    return swept(account), deployed, death.happened


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_sweep_that_dies_while_it_gives_up_ends_it_the_next_time(after: bool) -> None:
    nth, happened = 0, True
    while happened:
        account, deployed, happened = died_while_giving_up(nth := nth + 1, after)
        item = account.deployment(deployed)
        assert (item["status"], item["error"]["code"]) == ("Failed", "INTERNAL_ERROR"), f"killed at call {nth}"
        assert "live" not in account.group()
        kinds = Counter(each["kind"] for each in account.decisions(deployed))
        assert kinds["Finish"] == 1
        assert set(account.statuses(deployed).values()) == {"Failed", "Skipped"}
    assert nth > 10


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_sweeps_at_once_revive_once(scenario: str) -> None:
    """At every call of one sweep, another whole one runs."""
    expected, nth, more = renamed(outcome(SCENARIOS[scenario]().run())), 0, True
    while more:
        nth += 1
        account, calls, more = aborted_account(scenario), 0, False

        def second(after: bool, account: Account = account, nth: int = nth) -> None:
            nonlocal calls, more
            calls += not after
            if calls == nth and not more:
                more = True
                account.wrap(lambda _name, port: port)
                sweep_deployments.run({}, account.runtime)

        account.wrap(lambda _name, port, second=second: Port(port, second))
        sweep_alone(account)
        swept(account)
        ended_once(account)
        assert renamed(outcome(account)) == expected
        assert sum(each["kind"] == "Revival" for d in account.table.courses for each in account.decisions(d)) == 1
    assert nth > 6


# --- what is left over, bounds, faults


def test_a_mark_and_a_lock_that_an_ended_deployment_still_holds_are_taken_away() -> None:
    account = Account(hosts(1))
    deployed = account.deploy("v1.zip")
    account.executions.clear()
    account.queue.clear()
    account.table.write(Update(deployment_key(deployed), set={"status": "Failed"}))  # by hand, past the lock
    assert account.sweep()["deployments"] == {"released": 1}
    assert "live" not in account.group()
    assert live(account) == set()


def test_the_lock_of_another_deployment_is_left_alone() -> None:
    account = Account(hosts(1))
    deployed = account.deploy("v1.zip")
    account.executions.clear()
    account.queue.clear()
    account.table.write(Update(deployment_key(deployed), set={"status": "Failed"}))
    account.table.write(Update(group_key("shop", "prod"), set={"live": "d-other"}))
    assert account.sweep()["deployments"] == {"ended": 1}
    assert account.group()["live"] == "d-other"


def test_a_mark_without_a_deployment_is_taken_away() -> None:
    account = Account(hosts(1))
    deployed = account.deploy("v1.zip")
    account.table.write_many([Delete(deployment_key(deployed))])
    account.queue.clear()
    assert account.sweep()["deployments"] == {"ended": 1}
    assert live(account) == set()


def many_live(count: int) -> Account:
    """An account with so many deployments that lost their executions."""
    account = Account(hosts(1))
    template = account.deployment(account.deploy("v1.zip"))
    for n in range(2, count + 1):
        item = {**template, "deploymentId": f"d-{n:09d}", "deploymentGroupName": f"group-{n}"}
        account.runtime.groups.create(
            f"group-{n}",
            {
                "applicationName": "shop",
                "deploymentGroupName": f"group-{n}",
                "deploymentConfigName": "CodeDeployDefault.OneAtATime",
                "ec2TagFilters": [{"Key": "Fleet", "Value": "demo", "Type": "KEY_AND_VALUE"}],
            },
        )
        account.runtime.deployments.create({**item, "deploymentGroupId": f"group-{n}"}, revision_description="")
    account.queue.clear()
    account.executions.clear()
    return account


def test_every_page_of_live_deployments_is_swept() -> None:
    account = many_live(230)
    assert account.sweep()["deployments"] == {"revived": 230}
    assert live(account) == set()


def test_a_deployment_of_a_release_that_set_no_marks_is_found_once() -> None:
    account = many_live(3)
    unmarked = {"d-000000001", "d-000000003"}
    for each in unmarked:
        account.table.write(Delete(live_key(each)))
    assert account.sweep()["deployments"] == {"marked": 2, "revived": 3}
    assert live(account) == set()
    assert "marked" not in account.sweep()["deployments"]


def test_what_time_does_not_allow_is_left_to_the_next_sweep() -> None:
    account = many_live(30)
    start: Callable[[str, int], None] = account.start

    def slowly(deployment_id: str, generation: int) -> None:
        account.clock.now += 20
        start(deployment_id, generation)

    account.start = slowly  # type: ignore[method-assign]
    found = account.sweep()["deployments"]
    assert found["revived"] == 6
    assert found["left"] == 24
    swept(account)


def test_one_that_fails_keeps_no_other_from_its_turn_and_is_told() -> None:
    account = many_live(3)
    describe = account.status

    def fail_once(deployment_id: str, generation: int) -> str | None:
        if deployment_id == "d-000000002" and account.now < begun + 400:
            raise ThrottledError("looking at the execution: ThrottlingException: Rate exceeded")
        return describe(deployment_id, generation)

    begun = account.now
    account.status = fail_once  # type: ignore[method-assign]
    with pytest.raises(sweep_deployments.SweepError, match="1 of deployments could not be looked after"):
        account.sweep()
    account.run()
    assert live(account) == {"d-000000002"}
    swept(account)


def test_a_sweep_that_fails_keeps_no_other_from_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_runtime: Runtime, _until: float) -> dict[str, int]:
        raise KeyError("hooks")

    account = many_live(2)
    monkeypatch.setattr(sweep_deployments, "SWEEPS", {"hooks": broken, **sweep_deployments.SWEEPS})
    with pytest.raises(sweep_deployments.SweepError, match="the sweep of hooks ended with KeyError: 'hooks'"):
        account.sweep()
    account.run()
    assert live(account) == set()
