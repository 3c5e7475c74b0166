"""Newcomers that a fleet's deployment has left behind are brought up to date, whoever dies or comes between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from functions.sweep_deployments import app as sweep_deployments
from tests.unit.functions.hosts import Host
from tests.unit.functions.machine import Killed
from tests.unit.functions.scaling_groups import GROUP_ID, ScalingGroups, run_together
from tests.unit.functions.test_scaling import NEW, OLD, made_by, scaling
from tests.unit.functions.test_sweep import live
from tests.unit.functions.world import Account

from tidegate.model.scaling import ScalingFault


def test_a_launch_runs_beside_a_fleet_deployment_and_the_newcomer_is_brought_up_to_date() -> None:
    account, port = scaling(2)
    account.deploy("v2.zip", deploymentGroupId=GROUP_ID)
    account.clock.at(account.now + 5, lambda: port.launch("web", NEW))
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    fleet = made_by(account, "user")[-1]
    assert launch["revisionKey"] != fleet["revisionKey"]
    assert launch["createTime"] < fleet["completeTime"]
    (follow,) = made_by(account, "CodeDeployAutoUpdate")
    assert follow["status"] == "Succeeded"
    assert account.hosts[NEW].revision == "v2.zip"
    assert follow["relatedDeployments"] == {"autoUpdateOutdatedInstancesRootDeploymentId": fleet["deploymentId"]}
    assert account.deployment(fleet["deploymentId"])["relatedDeployments"] == {
        "autoUpdateOutdatedInstancesDeploymentIds": [follow["deploymentId"]]
    }
    assert list(account.targets(follow["deploymentId"])) == [NEW], "the others are not outdated"


@pytest.mark.parametrize("minimum", [("FLEET_PERCENT", 50), ("HOST_COUNT", 2), ("MOST_CONCURRENCY", 1)])
def test_a_single_newcomer_is_brought_up_to_date_whatever_the_minimum(minimum: tuple[str, int]) -> None:
    account, port = scaling(4)
    account.deploy("v2.zip", minimum, deploymentGroupId=GROUP_ID)
    account.clock.at(account.now + 5, lambda: port.launch("web", NEW))
    run_together(account)
    (follow,) = made_by(account, "CodeDeployAutoUpdate")
    assert (follow["status"], account.hosts[NEW].revision) == ("Succeeded", "v2.zip")


def test_a_newcomer_that_ends_after_the_fleet_is_brought_up_to_date_too() -> None:
    account, port = scaling(1)
    account.deploy("v2.zip", deploymentGroupId=GROUP_ID)
    account.clock.at(account.now + 2, lambda: port.launch("web", NEW, Host(takes=100)))
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    (follow,) = made_by(account, "CodeDeployAutoUpdate")
    assert launch["completeTime"] > made_by(account, "user")[-1]["completeTime"]
    assert (follow["status"], account.hosts[NEW].revision) == ("Succeeded", "v2.zip")


def test_a_newcomer_that_is_late_for_a_follow_up_has_one_of_its_own_of_the_same_root() -> None:
    account, port = scaling(1)
    fleet = account.deploy("v2.zip", deploymentGroupId=GROUP_ID)
    late = "i-0000000000000000b"
    account.clock.at(account.now + 2, lambda: port.launch("web", NEW, Host(takes=60)))
    account.clock.at(account.now + 3, lambda: port.launch("web", late, Host(takes=80)))
    run_together(account)
    first, second = made_by(account, "CodeDeployAutoUpdate")
    assert {account.hosts[each].revision for each in (OLD, NEW, late)} == {"v2.zip"}
    for each in (first, second):
        assert each["relatedDeployments"] == {"autoUpdateOutdatedInstancesRootDeploymentId": fleet}
    ids = [first["deploymentId"], second["deploymentId"]]
    assert account.deployment(fleet)["relatedDeployments"] == {"autoUpdateOutdatedInstancesDeploymentIds": ids}


def test_a_newcomer_that_is_late_for_a_follow_up_that_fails_has_one_of_its_own_too() -> None:
    account, port = scaling(1)
    account.deploy("v2.zip", ("HOST_COUNT", 0), deploymentGroupId=GROUP_ID)
    late = "i-0000000000000000b"
    account.clock.at(account.now + 2, lambda: port.launch("web", NEW, Host(takes=60, fails=frozenset({"v2.zip"}))))
    account.clock.at(account.now + 3, lambda: port.launch("web", late, Host(takes=80)))
    run_together(account)
    first, second = made_by(account, "CodeDeployAutoUpdate")
    assert (first["status"], list(account.targets(first["deploymentId"]))) == ("Failed", [NEW])
    assert list(account.targets(second["deploymentId"])) == [late], "the other one has had its own"
    assert account.hosts[late].revision == "v2.zip"


def test_with_ignore_a_newcomer_stays_as_it_is() -> None:
    account, port = scaling(2, outdatedInstancesStrategy="IGNORE")
    account.deploy("v2.zip", deploymentGroupId=GROUP_ID)
    account.clock.at(account.now + 5, lambda: port.launch("web", NEW))
    run_together(account)
    assert made_by(account, "CodeDeployAutoUpdate") == []
    assert account.hosts[NEW].revision == "v1.zip"


def test_a_follow_up_whose_start_was_lost_is_started_when_the_step_is_tried_again() -> None:
    account, port = scaling(2)
    died: list[str] = []
    create = account.runtime.deployments.create

    def create_and_die(deployment: Any, **given: Any) -> Any:
        made = create(deployment, **given)
        if given.get("root") and not died:
            died.append(made["deploymentId"])
            raise Killed("create")
        return made

    account.runtime.deployments.create = create_and_die  # type: ignore[method-assign]
    account.deploy("v2.zip", deploymentGroupId=GROUP_ID)
    account.clock.at(account.now + 5, lambda: port.launch("web", NEW))
    run_together(account)
    (follow,) = made_by(account, "CodeDeployAutoUpdate")
    assert died == [follow["deploymentId"]]
    assert (follow["status"], account.hosts[NEW].revision) == ("Succeeded", "v2.zip")


@pytest.mark.parametrize("answered_by", ["the step", "an event that comes again"])
def test_a_newcomer_that_waits_at_its_hook_though_its_deployment_has_ended_is_followed_up_when_it_is_let_go(
    answered_by: str,
) -> None:
    """A deployment of the fleet would pass it by, and nobody would come again."""
    account, port = scaling(2)
    account.deploy("v2.zip", deploymentGroupId=GROUP_ID)
    account.clock.at(account.now + 5, lambda: port.launch("web", NEW))
    complete, held = port.complete, list[str]()

    def late(*place: str, go_on: bool) -> bool:
        if not held:  # until after the end of the fleet's deployment
            held.append(made_by(account, "user")[-1]["status"])
            account.clock.pass_time_until(account.now + 120, lambda: False)
            if answered_by != "the step":
                raise ScalingFault("AUTO_SCALING_CONFIGURATION", "the hook is broken")
        return complete(*place, go_on=go_on)

    port.complete = late  # type: ignore[assignment]
    run_together(account, 250)
    assert held == ["InProgress"]
    if answered_by != "the step":
        assert made_by(account, "CodeDeployAutoUpdate") == []
        port.deliver(port.told_of(NEW))
        assert port.answers == [(NEW, "CONTINUE")]
        sweep_deployments.run({}, account.runtime)
        run_together(account)
    (follow,) = made_by(account, "CodeDeployAutoUpdate")
    assert list(account.targets(follow["deploymentId"])) == [NEW]
    assert account.hosts[NEW].revision == "v2.zip"
    assert live(account) == set()


# --- who is gone before it is made


def left_behind(count: int = 2, newcomer: Host | None = None) -> tuple[Account, ScalingGroups]:
    """A fleet that is deployed to, and an instance that is launched meanwhile and gets the old revision."""
    account, port = scaling(count)
    account.deploy("v2.zip", deploymentGroupId=GROUP_ID)
    account.clock.at(account.now + 5, lambda: port.launch("web", NEW, newcomer))
    return account, port


def abort_after_the_end(account: Account, creator: str) -> None:
    """Abort the execution of a deployment once its end is recorded, before anything is done about it."""
    finish, aborted = account.runtime.deployments.finish, list[str]()

    def finish_and_go(deployment_id: str, **given: Any) -> Any:
        done = finish(deployment_id, **given)
        if done["creator"] == creator and not aborted:
            aborted.append(deployment_id)
            account.abort(deployment_id)
            raise Killed("finish")
        return done

    account.runtime.deployments.finish = finish_and_go  # type: ignore[method-assign]


def abort_before_the_follow_up(account: Account, _creator: str) -> None:
    """The same, once it is known that a follow-up is to be made."""
    create, aborted = account.runtime.deployments.create, list[bool]()

    def go_and_not_create(deployment: Any, **given: Any) -> Any:
        if given.get("root") and not aborted:
            aborted.append(True)
            for execution in account.executions.values():
                execution.status = "ABORTED" if execution.status == "RUNNING" else execution.status
            raise Killed("create")
        return create(deployment, **given)

    account.runtime.deployments.create = go_and_not_create  # type: ignore[method-assign]


@pytest.mark.parametrize("abort", [abort_after_the_end, abort_before_the_follow_up])
@pytest.mark.parametrize("creator", ["user", "autoscaling"])
def test_an_execution_aborted_between_the_end_and_the_follow_up_is_made_up_for_by_the_sweep(
    creator: str, abort: Callable[[Account, str], None]
) -> None:
    # Whoever ends last is the one that looks.
    account, port = left_behind(newcomer=Host(takes=100) if creator == "autoscaling" else Host())
    abort(account, creator)
    run_together(account, 200)
    assert (made_by(account, "CodeDeployAutoUpdate"), len(live(account))) == ([], 1)
    found = sweep_deployments.run({}, account.runtime)
    assert found["deployments"] == {"ended": 1}
    run_together(account)
    (follow,) = made_by(account, "CodeDeployAutoUpdate")
    assert (follow["status"], account.hosts[NEW].revision) == ("Succeeded", "v2.zip")
    assert port.answers == [(NEW, "CONTINUE")]
    assert live(account) == set()


def test_a_follow_up_is_made_once_however_often_its_root_is_looked_after() -> None:
    account, _ = left_behind()
    real, twice = account.runtime.deployments.create, list[str]()

    def late(deployment: Any, **given: Any) -> Any:
        if given.get("root") and not twice:  # the sweep is faster, and its follow-up has ended by then
            twice.append(deployment["deploymentId"])
            sweep_deployments.run({}, account.runtime)
            (first,) = made_by(account, "CodeDeployAutoUpdate")
            account.runtime.deployments.finish(first["deploymentId"], status="Failed", now=account.now)
        return real(deployment, **given)

    account.runtime.deployments.create = late  # type: ignore[method-assign]
    run_together(account)
    assert len(twice) == len(made_by(account, "CodeDeployAutoUpdate")) == 1


# --- who comes between


def ask_at_the_end(account: Account, key: str, **more: Any) -> None:
    """A user's deployment that takes the group's lock as soon as the first one has ended."""
    finish, asked = account.runtime.deployments.finish, list[str]()

    def finish_and_ask(deployment_id: str, **given: Any) -> Any:
        done = finish(deployment_id, **given)
        if done["creator"] == "user" and not asked:
            asked.append(account.deploy(key, deploymentGroupId=GROUP_ID, **more))
        return done

    account.runtime.deployments.finish = finish_and_ask  # type: ignore[method-assign]


def test_a_user_who_takes_the_lock_first_and_fails_leaves_the_newcomer_to_a_follow_up() -> None:
    account, _ = left_behind(3, newcomer=Host(fails=frozenset({"v3.zip"})))
    account.bundles.appspecs["v3.zip"] = account.bundles.appspecs["v2.zip"]
    for host in list(account.hosts.values())[1:]:
        host.fails = frozenset({"v3.zip"})
    ask_at_the_end(account, "v3.zip", minimum=("HOST_COUNT", 2))
    run_together(account)
    first, failed = made_by(account, "user")[-2:]
    assert [first["status"], failed["status"]] == ["Succeeded", "Failed"]
    (follow,) = made_by(account, "CodeDeployAutoUpdate")
    assert follow["relatedDeployments"] == {"autoUpdateOutdatedInstancesRootDeploymentId": first["deploymentId"]}
    assert (follow["status"], account.hosts[NEW].revision) == ("Succeeded", "v2.zip")
    assert list(account.targets(follow["deploymentId"])) == [NEW], "what the user put on others stays there"
    assert account.hosts[OLD].revision == "v3.zip"


def test_a_newcomer_that_a_user_has_given_something_else_since_is_left_alone() -> None:
    account, _ = left_behind()
    account.bundles.appspecs["v3.zip"] = account.bundles.appspecs["v2.zip"]
    for host in account.hosts.values():
        host.fails = frozenset({"v3.zip"})
    ask_at_the_end(account, "v3.zip", minimum=("HOST_COUNT", 2))
    run_together(account)
    assert (made_by(account, "user")[-1]["status"], account.hosts[NEW].revision) == ("Failed", "v3.zip")
    assert made_by(account, "CodeDeployAutoUpdate") == []


def test_a_restart_that_takes_the_lock_first_is_followed_up() -> None:
    account, _ = left_behind()
    ask_at_the_end(account, "v2.zip", deploymentMode="RESTART", restartOf="d-000000002")
    run_together(account)
    restart = made_by(account, "user")[-1]
    assert (restart["deploymentMode"], restart["status"]) == ("RESTART", "Succeeded")
    (follow,) = made_by(account, "CodeDeployAutoUpdate")
    assert (follow["status"], account.hosts[NEW].revision) == ("Succeeded", "v2.zip")


def test_an_instance_that_waits_in_a_warm_pool_has_no_follow_up() -> None:
    account, port = scaling(2)
    account.deploy("v2.zip", deploymentGroupId=GROUP_ID)
    account.clock.at(account.now + 5, lambda: port.launch("web", NEW, Origin="EC2", Destination="WarmPool"))
    run_together(account)
    assert (account.hosts[NEW].revision, made_by(account, "CodeDeployAutoUpdate")) == ("v1.zip", [])
