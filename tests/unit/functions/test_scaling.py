"""Instances that Auto Scaling launches and ends: each gets a deployment of its own, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from functions.sweep_deployments import app as sweep_deployments
from tests.unit.functions.hosts import Host
from tests.unit.functions.machine import Killed
from tests.unit.functions.scaling_groups import GROUP_ID, ScalingGroups, run_together, scaled
from tests.unit.functions.target_groups import TargetGroup
from tests.unit.functions.test_sweep import never_running
from tests.unit.functions.world import Account, hosts

from tidegate.gateways.errors import ThrottledError
from tidegate.model.scaling import ScalingFault
from tidegate.scaling.process_suspension import suspend_processes
from tidegate.scaling.waiting_instances import sweep_waiting_instances
from tidegate.store.scaled_groups import lock_key
from tidegate.store.table import Update

NEW, OLD = "i-0000000000000000a", "i-00000000000000001"
FIVE = ["AfterInstall", "ApplicationStart", "ValidateService", "BeforeAllowTraffic", "AllowTraffic"]


def scaling(count: int = 2, *names: str, deployed: bool = True, **info: Any) -> tuple[Account, ScalingGroups]:
    """An account whose group has Auto Scaling groups, with a revision that succeeded."""
    account = Account(hosts(count))
    port = scaled(account, *(names or ("web",)), **info)
    if deployed:
        deploy(account)
    return account, port


def deploy(account: Account, key: str = "v1.zip", **more: Any) -> str:
    made = account.deploy(key, deploymentGroupId=GROUP_ID, **more)
    run_together(account)
    return made


def made_by(account: Account, creator: str) -> list[dict[str, Any]]:
    items = account.runtime.deployments.page(GROUP_ID).items
    return [item for item in reversed(items) if item["creator"] == creator]


def test_a_launched_instance_gets_the_last_good_revision_and_goes_on() -> None:
    account, port = scaling()
    group = account.group()
    port.launch("web", NEW)
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    assert (launch["status"], launch["deploymentConfigName"]) == ("Succeeded", "CodeDeployDefault.OneAtATime")
    assert port.answers == [(NEW, "CONTINUE")]
    assert account.hosts[NEW].revision == "v1.zip"
    assert list(account.targets(launch["deploymentId"])) == [NEW]
    after = account.group()
    assert {k: after.get(k) for k in ("live", "lastAttempted", "lastSuccessful", "lastGood")} == {
        k: group.get(k) for k in ("live", "lastAttempted", "lastSuccessful", "lastGood")
    }


def test_without_a_revision_that_succeeded_an_instance_goes_on_at_once() -> None:
    account, port = scaling(deployed=False)
    port.launch("web", NEW)
    run_together(account)
    assert (port.answers, made_by(account, "autoscaling")) == ([(NEW, "CONTINUE")], [])


def test_an_event_that_comes_three_times_makes_one_deployment() -> None:
    account, port = scaling()
    port.told = 3
    port.launch("web", NEW)
    run_together(account)
    assert len(made_by(account, "autoscaling")) == 1
    assert account.hosts[NEW].runs.total() == 1
    assert port.answers == [(NEW, "CONTINUE")]


def test_a_launch_that_fails_is_abandoned_and_not_rolled_back() -> None:
    account, port = scaling(autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]})
    port.launch("web", NEW, Host(fails=frozenset({"v1.zip"})))
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    assert (launch["status"], launch["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert port.answers == [(NEW, "ABANDON")]
    assert made_by(account, "codeDeployRollback") == []


def test_a_new_instance_is_waited_for_until_its_agent_has_registered() -> None:
    account, port = scaling()
    port.launch("web", NEW, Host(online=False))

    def boots() -> None:
        account.hosts[NEW].online = True

    account.clock.at(account.now + 1500, boots)
    run_together(account)
    assert port.answers == [(NEW, "CONTINUE")]
    assert port.heartbeats > 2


def test_an_instance_is_kept_waiting_while_a_large_bundle_is_copied_and_copied_again() -> None:
    account, port = scaling()
    copy, tries = account.bundles.copy, list[float]()

    def slow(*args: Any) -> Any:
        tries.append(account.now)
        account.clock.pass_time_until(account.now + 400, lambda: False)
        if len(tries) < 3:
            raise ThrottledError("copying the bundle: SlowDown")
        return copy(*args)

    account.bundles.copy = slow  # type: ignore[method-assign]
    port.launch("web", NEW)
    run_together(account)
    assert (len(tries), port.answers) == (3, [(NEW, "CONTINUE")])


def test_a_bundle_is_not_copied_for_an_instance_that_is_gone() -> None:
    account, port = scaling()
    account.bundles.copied.clear()
    account.before = lambda name, _state: port.all["web"].waits.clear() if name == "ValidateRevision" else None
    port.launch("web", NEW)
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    assert (launch["status"], launch["error"]["code"]) == ("Failed", "AUTO_SCALING_CONFIGURATION")
    assert account.bundles.copied == []


def test_an_agent_that_stays_away_for_an_hour_has_the_launch_abandoned() -> None:
    account, port = scaling()
    began = account.now
    port.launch("web", NEW, Host(online=False))
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    assert launch["status"] == "Failed"
    assert port.answers == [(NEW, "ABANDON")]
    assert 3600 < launch["completeTime"] - began < 3900


def test_behind_a_balancer_traffic_is_given_and_none_is_taken_away_before() -> None:
    style = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
    balancers = {"targetGroupInfoList": [{"name": "web"}]}
    account, port = scaling(0, deployed=False, deploymentStyle=style, loadBalancerInfo=balancers)
    group = TargetGroup(account)
    vars(account.runtime)["balancers"] = group
    account.hosts.update(hosts(1))
    deploy(account)
    group.calls.clear()
    port.launch("web", NEW)
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    events = [e["lifecycleEventName"] for e in account.targets(launch["deploymentId"])[NEW]["lifecycleEvents"]]
    assert (events[0], events[4:9]) == ("ApplicationStop", FIVE)
    assert len(events) == 10
    assert group.calls == [("allow", (NEW,))]
    assert launch["status"] == "Succeeded"


def test_an_instance_that_leaves_loses_its_traffic_is_stopped_and_goes_on() -> None:
    style = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
    balancers = {"targetGroupInfoList": [{"name": "web"}]}
    account, port = scaling(
        2, deployed=False, deploymentStyle=style, loadBalancerInfo=balancers, terminationHookEnabled=True
    )
    group = TargetGroup(account)
    vars(account.runtime)["balancers"] = group
    deploy(account, deploymentStyle=style, loadBalancerInfo=balancers)
    group.calls.clear()
    known = account.runtime.targets.health(GROUP_ID)
    port.end("web", OLD)
    run_together(account)
    (leave,) = made_by(account, "autoscalingTermination")
    events = account.targets(leave["deploymentId"])[OLD]["lifecycleEvents"]
    assert [(e["lifecycleEventName"], e["status"]) for e in events] == [
        ("BeforeBlockTraffic", "Succeeded"),
        ("BlockTraffic", "Succeeded"),
        ("AfterBlockTraffic", "Succeeded"),
        ("ApplicationStop", "Succeeded"),
    ]
    assert group.calls == [("block", (OLD,))]
    assert port.answers == [(OLD, "CONTINUE")]
    assert account.runtime.targets.health(GROUP_ID) == known


def test_an_instance_that_leaves_goes_on_though_its_scripts_fail() -> None:
    account, port = scaling(terminationHookEnabled=True)
    account.hosts[OLD].fails = frozenset({"v1.zip"})
    port.end("web", OLD)
    run_together(account)
    (leave,) = made_by(account, "autoscalingTermination")
    assert (leave["status"], port.answers) == ("Failed", [(OLD, "CONTINUE")])


def test_an_instance_that_is_ended_while_it_is_deployed_to_ends_its_deployment() -> None:
    account, port = scaling()
    port.launch("web", NEW, Host(online=False))

    def ended() -> None:
        del port.all["web"].waits[NEW]

    account.clock.at(account.now + 300, ended)
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    assert (launch["status"], launch["error"]["code"]) == ("Failed", "AUTO_SCALING_CONFIGURATION")
    assert "no longer waits at the hook" in launch["error"]["message"]


def test_rights_that_are_missing_end_the_deployment_with_their_own_code() -> None:
    account, port = scaling()
    port.faults["heartbeat"] = ScalingFault("AUTO_SCALING_IAM_ROLE_PERMISSIONS", "no right to RecordLifecycle…")
    port.launch("web", NEW, Host(takes=100))
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    assert launch["error"]["code"] == "AUTO_SCALING_IAM_ROLE_PERMISSIONS"


def test_a_launch_that_is_to_end_gives_way_to_its_termination() -> None:
    account, port = scaling(terminationHookEnabled=True)
    port.launch("web", NEW, Host(online=False))
    account.clock.at(account.now + 100, lambda: port.end("web", NEW))
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    (leave,) = made_by(account, "autoscalingTermination")
    assert launch["status"] in ("Stopped", "Failed")
    assert leave["createTime"] > launch["completeTime"]
    assert port.answers[-1] == (NEW, "CONTINUE")


def test_a_late_event_of_a_launch_stops_no_termination() -> None:
    account, port = scaling(terminationHookEnabled=True)
    launched: list[Any] = []
    deliver = port.deliver
    port.deliver = lambda body, tries=5: launched.append(body)  # type: ignore[method-assign, misc]
    port.launch("web", NEW, Host(takes=100))
    account.clock.pass_time_until(account.now + 5, lambda: False)
    port.deliver = deliver  # type: ignore[method-assign]
    port.end("web", NEW)
    account.clock.at(account.now + 30, lambda: port.deliver(launched[0]))
    run_together(account)
    (leave,) = made_by(account, "autoscalingTermination")
    assert (leave["status"], made_by(account, "autoscaling")) == ("Succeeded", [])
    assert port.answers == [(NEW, "CONTINUE")]


def test_a_late_event_of_an_earlier_wait_deploys_nothing_though_auto_scaling_cannot_be_asked() -> None:
    account, port = scaling(terminationHookEnabled=True)
    port.launch("web", NEW)
    run_together(account)
    launch = port.told_of(NEW)
    port.end("web", NEW)
    run_together(account)
    port.faults["heartbeat"] = ScalingFault("AUTO_SCALING_IAM_ROLE_PERMISSIONS", "no right to it")
    port.deliver(launch)
    run_together(account)
    assert [len(made_by(account, each)) for each in ("autoscaling", "autoscalingTermination")] == [1, 1]


def test_an_event_of_a_launch_that_comes_again_when_the_instance_is_gone_deploys_nothing() -> None:
    account, port = scaling(terminationHookEnabled=True)
    launched: list[Any] = []
    deliver = port.deliver

    def kept(body: Any, tries: int = 5) -> None:
        launched.append(body)
        deliver(body, tries)

    port.deliver = kept  # type: ignore[method-assign]
    port.launch("web", NEW)
    run_together(account)
    port.end("web", NEW)
    run_together(account)
    deliver(launched[0])
    run_together(account)
    assert [len(made_by(account, each)) for each in ("autoscaling", "autoscalingTermination")] == [1, 1]
    assert port.answers == 2 * [(NEW, "CONTINUE")]


def test_an_action_that_two_take_up_at_once_has_one_deployment_though_the_first_has_ended_by_then() -> None:
    account, port = scaling()
    create = account.runtime.deployments.create_for_instance
    made = []

    def late(*args: Any, **given: Any) -> Any:
        made.append(given["key"])
        if len(made) == 1:  # another one is faster, and its deployment ends meanwhile
            sweep_waiting_instances(account.runtime, account.now + 60)
            (first,) = made_by(account, "autoscaling")
            account.runtime.deployments.finish(first["deploymentId"], status="Failed", now=account.now)
        return create(*args, **given)

    account.runtime.deployments.create_for_instance = late  # type: ignore[method-assign]
    port.launch("web", NEW)
    run_together(account)
    assert len(made) >= 2
    assert len(made_by(account, "autoscaling")) == 1


@pytest.mark.parametrize("hook", ["drain", f"CodeDeploy-managed-automatic-launch-deployment-hook-old-{GROUP_ID}"])
def test_hooks_of_others_and_hooks_that_a_group_no_longer_has_are_left_alone(hook: str) -> None:
    account, port = scaling()
    port.all["web"].hooks = {hook: "autoscaling:EC2_INSTANCE_LAUNCHING"}
    port.launch("web", NEW)
    run_together(account)
    assert made_by(account, "autoscaling") == []
    assert port.answers == [(NEW, "ABANDON")], "by Auto Scaling's own time-out"


# --- lost events


def test_an_instance_whose_event_was_lost_is_found_by_the_sweep() -> None:
    account, port = scaling()
    port.told = 0
    port.launch("web", NEW)
    assert sweep_waiting_instances(account.runtime, account.now + 60) == {"groups": 1, "deployed": 1}
    assert sweep_waiting_instances(account.runtime, account.now + 60) == {"groups": 1, "repeated": 1}
    run_together(account)
    assert len(made_by(account, "autoscaling")) == 1
    assert port.answers == [(NEW, "CONTINUE")]


def test_an_event_that_comes_after_the_sweep_makes_no_second_deployment() -> None:
    account, port = scaling()
    port.launch("web", NEW)
    sweep_waiting_instances(account.runtime, account.now + 60)
    run_together(account)
    assert len(made_by(account, "autoscaling")) == 1


def test_an_answer_that_was_lost_is_given_by_the_sweep() -> None:
    account, port = scaling()
    port.faults["complete"] = ScalingFault("AUTO_SCALING_CONFIGURATION", "the hook is broken")
    port.launch("web", NEW)
    account.clock.at(account.now + 300, port.faults.clear)
    account.clock.at(account.now + 301, lambda: sweep_waiting_instances(account.runtime, account.now + 60))
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    assert (launch["status"], port.answers) == ("Succeeded", [(NEW, "CONTINUE")])


def test_an_instance_that_is_to_leave_for_the_second_time_is_stopped_again_though_no_event_tells() -> None:
    account, port = scaling(terminationHookEnabled=True)
    port.end("web", OLD, Destination="WarmPool")
    run_together(account)
    assert port.answers == [(OLD, "CONTINUE")]
    port.told = 0
    account.clock.pass_time_until(account.now + 3600, lambda: False)
    port.end("web", OLD, Destination="WarmPool")
    assert sweep_waiting_instances(account.runtime, account.now + 60) == {"groups": 1, "deployed": 1}
    run_together(account)
    assert len(made_by(account, "autoscalingTermination")) == 2
    assert port.answers == 2 * [(OLD, "CONTINUE")]


# --- who dies half-way


def test_who_dies_between_the_record_and_the_start_is_succeeded_when_the_message_comes_again() -> None:
    account, port = scaling()
    start, died = account.start, []

    def die_once(deployment_id: str, generation: int) -> None:
        if not died:
            died.append(deployment_id)
            raise RuntimeError("killed")
        start(deployment_id, generation)

    account.start = die_once  # type: ignore[method-assign]
    port.launch("web", NEW)
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    assert died == [launch["deploymentId"]]
    assert (launch["status"], port.answers) == ("Succeeded", [(NEW, "CONTINUE")])


@pytest.mark.parametrize("call", ["complete", "finish"])
def test_who_dies_around_the_end_is_succeeded_by_the_step_that_is_tried_again(call: str) -> None:
    account, port = scaling()
    died = []

    def dying(name: str, holder: Any) -> Any:
        real = getattr(holder, name)

        def once(*args: Any, **given: Any) -> Any:
            if not died:
                died.append(name)
                raise Killed(name)
            return real(*args, **given)

        return once

    if call == "complete":
        port.complete = dying("complete", port)  # type: ignore[method-assign]
    else:
        real = account.runtime.deployments.finish

        def finish_and_die(*args: Any, **given: Any) -> Any:
            done = real(*args, **given)
            if not died:
                died.append("finish")
                raise Killed("finish")
            return done

        account.runtime.deployments.finish = finish_and_die  # type: ignore[method-assign]
    port.launch("web", NEW)
    run_together(account)
    assert died == [call]
    (launch,) = made_by(account, "autoscaling")
    assert (launch["status"], port.answers) == ("Succeeded", [(NEW, "CONTINUE")])
    assert account.hosts[NEW].runs.total() == 1


def test_a_launch_that_somebody_stops_is_abandoned_and_nothing_is_rolled_back() -> None:
    account, port = scaling()
    port.launch("web", NEW, Host(online=False))
    account.clock.at(
        account.now + 60, lambda: account.stop(made_by(account, "autoscaling")[0]["deploymentId"], auto_rollback=True)
    )
    run_together(account)
    (launch,) = made_by(account, "autoscaling")
    assert (launch["status"], port.answers) == ("Stopped", [(NEW, "ABANDON")])
    assert made_by(account, "codeDeployRollback") == []
    assert "one instance" in launch["rollback"]["rollbackMessage"]


def test_what_only_sweeps_can_end_is_answered_and_followed_up_too() -> None:
    account, port = scaling(2)
    account.deploy("v2.zip", deploymentGroupId=GROUP_ID)
    account.clock.at(account.now + 5, lambda: port.launch("web", NEW))
    never_running(account, {"FinishDeployment"})
    for _ in range(40):
        run_together(account, 300)
        sweep_deployments.run({}, account.runtime)
    (launch,) = made_by(account, "autoscaling")
    (follow,) = made_by(account, "CodeDeployAutoUpdate")
    assert [each["status"] for each in (made_by(account, "user")[-1], launch, follow)] == 3 * ["Succeeded"]
    assert port.answers == [(NEW, "CONTINUE")]
    assert account.hosts[NEW].revision == "v2.zip"


# --- warm pools


def test_an_instance_is_deployed_to_on_its_way_into_the_pool_and_out_of_it_only_if_it_is_outdated() -> None:
    account, port = scaling()
    port.launch("web", NEW, Host(tags={"tidegate:managed": "true"}), Origin="EC2", Destination="WarmPool")
    run_together(account)
    assert (len(made_by(account, "autoscaling")), account.hosts[NEW].revision) == (1, "v1.zip")
    port.launch("web", NEW, Origin="WarmPool", Destination="AutoScalingGroup")
    run_together(account)
    assert len(made_by(account, "autoscaling")) == 1, "it has the revision"
    other = "i-0000000000000000b"
    port.launch("web", other, Host(tags={"tidegate:managed": "true"}), Origin="EC2", Destination="WarmPool")
    run_together(account)
    deploy(account, "v2.zip")
    assert account.hosts[other].revision == "v1.zip", "a deployment of the fleet leaves the pool alone"
    port.launch("web", other, Origin="WarmPool", Destination="AutoScalingGroup")
    run_together(account)
    assert (len(made_by(account, "autoscaling")), account.hosts[other].revision) == (3, "v2.zip")
    assert port.answers == 2 * [(NEW, "CONTINUE")] + 2 * [(other, "CONTINUE")]


def test_who_leaves_the_pool_in_the_second_in_which_its_deployment_for_it_ended_has_another_one() -> None:
    """Its event tells whole seconds, and the sweep had found it when it came for the pool."""
    account, port = scaling(2)
    port.told = 0
    port.launch("web", NEW, Origin="EC2", Destination="WarmPool")
    sweep_waiting_instances(account.runtime, account.now + 60)
    account.clock.pass_time_until(account.now + 5, lambda: False)
    (pooled,) = made_by(account, "autoscaling")
    deploy(account, "v2.zip")
    run_together(account)
    account.table.write(Update(lock_key(GROUP_ID, NEW), set={"endTime": float(int(account.now)) + 0.2}))
    account.clock.now = float(int(account.now)) + 0.8
    port.told = 1
    port.launch("web", NEW, Origin="WarmPool", Destination="AutoScalingGroup")
    run_together(account)
    first, second = made_by(account, "autoscaling")
    assert (first["deploymentId"], first["revisionKey"] == second["revisionKey"]) == (pooled["deploymentId"], False)
    assert account.hosts[NEW].revision == "v2.zip"


def test_who_leaves_for_the_pool_and_is_answered_late_is_stopped_once() -> None:
    account, port = scaling(terminationHookEnabled=True)
    port.faults["complete"] = ScalingFault("AUTO_SCALING_CONFIGURATION", "the hook is broken")
    port.end("web", OLD, Destination="WarmPool")
    account.clock.at(account.now + 200, port.faults.clear)
    account.clock.at(account.now + 201, lambda: sweep_waiting_instances(account.runtime, account.now + 60))
    run_together(account)
    assert len(made_by(account, "autoscalingTermination")) == 1
    assert port.answers == [(OLD, "CONTINUE")]


def test_an_instance_that_leaves_the_pool_for_good_goes_on_at_once() -> None:
    account, port = scaling(terminationHookEnabled=True)
    port.launch("web", NEW, Origin="EC2", Destination="WarmPool")
    run_together(account)
    port.end("web", NEW, Origin="WarmPool", Destination="EC2")
    run_together(account)
    assert made_by(account, "autoscalingTermination") == []
    assert port.answers == 2 * [(NEW, "CONTINUE")]


def test_a_lost_event_out_of_the_pool_is_found_by_the_sweep_as_such() -> None:
    account, port = scaling()
    port.launch("web", NEW, Origin="EC2", Destination="WarmPool")
    run_together(account)
    port.told = 0
    port.launch("web", NEW, Origin="WarmPool", Destination="AutoScalingGroup")
    assert sweep_waiting_instances(account.runtime, account.now + 60) == {"groups": 1, "continued": 1}
    assert len(made_by(account, "autoscaling")) == 1


# --- suspended processes


def test_processes_are_suspended_before_the_first_instance_and_resumed_at_the_end() -> None:
    account, port = scaling()
    port.all["web"].suspended = {"AZRebalance"}
    options = {"autoScalingGroupProcessesToSuspend": ["Terminate", "AZRebalance"]}
    began = {}
    account.before = lambda name, _state: began.setdefault(name, set(port.all["web"].suspended))
    deployed = deploy(account, "v2.zip", ec2DeploymentOptions=options)
    assert account.deployment(deployed)["status"] == "Succeeded"
    assert port.calls == [("suspend", "web", ("Terminate",)), ("resume", "web", ("Terminate",))]
    assert (began["SelectTargets"], began["PickBatch"]) == ({"AZRebalance"}, {"AZRebalance", "Terminate"})
    assert port.all["web"].suspended == {"AZRebalance"}, "somebody else's stays"


def test_processes_that_two_runs_of_a_step_suspend_are_resumed_at_the_end() -> None:
    account, port = scaling()
    options = {"autoScalingGroupProcessesToSuspend": ["Terminate"]}
    deployed = account.deploy("v2.zip", deploymentGroupId=GROUP_ID, ec2DeploymentOptions=options)
    read_by_both = account.deployment(deployed)
    for _ in range(2):
        suspend_processes(read_by_both, account.group(), account.runtime)
    run_together(account)
    assert account.deployment(deployed)["status"] == "Succeeded"
    assert port.all["web"].suspended == set()


@pytest.mark.parametrize("at", ["ended", "ending"])
def test_processes_that_a_step_suspends_too_late_are_resumed_by_it(at: str) -> None:
    """It was taken for dead after it had noted what it suspends, and its deployment has ended without it."""
    account, port = scaling()
    options = {"autoScalingGroupProcessesToSuspend": ["Terminate"]}
    deployed = account.deploy("v2.zip", deploymentGroupId=GROUP_ID, ec2DeploymentOptions=options)
    suspend = port.suspend

    def late(scaling_group: str, processes: Sequence[str]) -> None:
        port.suspend = suspend  # type: ignore[method-assign]
        if at == "ending":
            account.runtime.deployments.begin_ending(deployed, 1)
        else:
            run_together(account)
        suspend(scaling_group, processes)

    port.suspend = late  # type: ignore[method-assign]
    suspend_processes(account.deployment(deployed), account.group(), account.runtime)
    assert port.all["web"].suspended == set()
    run_together(account)
    assert port.all["web"].suspended == set()


def test_processes_that_cannot_be_suspended_fail_the_deployment_before_any_instance() -> None:
    account, port = scaling()
    port.faults["suspend"] = ScalingFault("AUTO_SCALING_IAM_ROLE_PERMISSIONS", "no right to SuspendProcesses")
    options = {"autoScalingGroupProcessesToSuspend": ["Terminate"]}
    deployed = deploy(account, "v2.zip", ec2DeploymentOptions=options)
    found = account.deployment(deployed)
    assert (found["status"], found["error"]["code"]) == ("Failed", "AUTO_SCALING_IAM_ROLE_PERMISSIONS")
    assert {host.revision for host in account.hosts.values()} == {"v1.zip"}
    assert port.calls == [("resume", "web", ("Terminate",))]


def test_processes_that_cannot_be_resumed_fail_the_deployment() -> None:
    account, port = scaling()
    port.faults["resume"] = ScalingFault("AUTO_SCALING_CONFIGURATION", "no such group.")
    options = {"autoScalingGroupProcessesToSuspend": ["Terminate"]}
    deployed = deploy(account, "v2.zip", ec2DeploymentOptions=options)
    found = account.deployment(deployed)
    assert (found["status"], found["error"]["code"]) == ("Failed", "AUTO_SCALING_CONFIGURATION")
    assert "by hand" in found["error"]["message"]
    assert {host.revision for host in account.hosts.values()} == {"v2.zip"}
