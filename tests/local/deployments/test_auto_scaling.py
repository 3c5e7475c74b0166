"""Deployments to the instances of Auto Scaling groups, and those that Auto Scaling starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from tests.local.deployments.conftest import Cloud
from tests.local.deployments.scaled_fleet import Scaled, end_scaling_group, eventually, scaled_fleet
from tests.local.deployments.test_balanced import STYLE, ask, make_balancer, webapp

pytestmark = pytest.mark.local


@pytest.fixture
def fleet(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[Callable[..., Scaled]]:
    """Makes the test's groups: ``fleet(2)``; the instances and all faults end with the test."""
    name = request.node.name.removeprefix("test_")[:50].rstrip("_")
    yield partial(scaled_fleet, cloud, name)
    cloud.page("faults", {"events": {}, "throttle": {}, "kill": None})
    end_scaling_group(cloud, name)


def sweep(cloud: Cloud) -> None:
    """Have the sweep look now, and not when it is due."""
    functions = cloud.client("lambda").list_functions()["Functions"]
    (name,) = [each["FunctionName"] for each in functions if "SweepDeployments" in each["FunctionName"]]
    answer = cloud.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def test_the_instances_of_an_auto_scaling_group_are_deployed_to(fleet: Callable[..., Scaled]) -> None:
    made = fleet(2)
    info = made.group.wait(made.group.deploy(made.group.push("one")))
    assert info["status"] == "Succeeded", made.told()
    assert info["deploymentOverview"]["Succeeded"] == 2
    assert made.group.files() == ["one", "one"]


def test_a_new_instance_gets_the_last_successful_revision_before_it_is_in_service(
    fleet: Callable[..., Scaled],
) -> None:
    made = fleet(1)
    # There is nothing to deploy yet: the hook lets the instance go on.
    made.desire(2)
    before = made.in_service(2)
    assert made.deployments("autoscaling") == []
    revision = made.gated("one")
    deployment = made.group.deploy(revision)
    for host in before:
        made.gate(host, 0)
    assert made.group.wait(deployment)["status"] == "Succeeded"

    made.desire(3)
    host = made.newcomer(before)
    eventually(lambda: made.cloud.run(host, "test", "-e", "/var/tmp/waits").returncode == 0)
    assert sorted(made.states().values()) == ["InService", "InService", "Pending:Wait"]
    made.gate(host, 0)
    made.in_service(3)
    (info,) = made.ended("autoscaling")
    assert info["status"] == "Succeeded", made.told()
    assert info["revision"] == revision
    assert info["deploymentConfigName"] == "CodeDeployDefault.OneAtATime"
    assert (info["deploymentOverview"]["Succeeded"], len(info["deploymentOverview"])) == (1, 6)
    assert made.cloud.read(host, f"/srv/{made.name}/file.txt") == "one"


def test_an_instance_whose_deployment_fails_is_replaced(fleet: Callable[..., Scaled]) -> None:
    made = fleet(1)
    known = made.in_service(1)
    deployment = made.group.deploy(made.gated("one"))
    made.gate(known[0], 0)
    assert made.group.wait(deployment)["status"] == "Succeeded"

    made.desire(2)
    first = made.newcomer(known)
    made.gate(first, 1)
    (failed,) = made.ended("autoscaling")
    assert (failed["status"], failed["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS"), made.told()
    second = made.newcomer([*known, first])
    made.gate(second, 0)
    assert set(made.in_service(2)) == {known[0], second}
    assert [each["status"] for each in made.ended("autoscaling", 2)] == ["Failed", "Succeeded"]
    assert first not in [host["name"] for host in made.cloud.page("hosts")]


def test_an_instance_that_comes_during_a_deployment_gets_the_old_revision_and_then_the_new_one(
    fleet: Callable[..., Scaled],
) -> None:
    made = fleet(1)
    known = made.in_service(1)
    assert made.group.wait(made.group.deploy(made.group.push("one")))["status"] == "Succeeded"
    running = made.group.deploy(made.gated("two"))
    eventually(lambda: made.cloud.run(known[0], "test", "-e", "/var/tmp/waits").returncode == 0)

    made.desire(2)
    host = made.newcomer(known)
    (info,) = made.ended("autoscaling")
    assert info["status"] == "Succeeded", made.told()
    made.in_service(2)
    assert made.cloud.read(host, f"/srv/{made.name}/file.txt") == "one"
    assert made.group.codedeploy.get_deployment(deploymentId=running)["deploymentInfo"]["status"] == "InProgress"

    for each in (known[0], host):
        made.gate(each, 0)
    assert made.group.wait(running)["status"] == "Succeeded"
    (follow,) = made.ended("CodeDeployAutoUpdate")
    assert follow["status"] == "Succeeded", made.told()
    assert follow["relatedDeployments"]["autoUpdateOutdatedInstancesRootDeploymentId"] == running
    made.hosts()
    assert made.group.files() == ["two", "two"]


_FAIL_LATER = """#!/bin/sh
touch /var/tmp/three
while ! test -e /var/tmp/go; do sleep 0.1; done
exit 1
"""


def test_a_newcomer_is_brought_up_to_date_after_somebody_elses_deployment_that_failed(
    fleet: Callable[..., Scaled],
) -> None:
    made = fleet(1)
    known = made.in_service(1)
    made.gate(known[0], 0)
    assert made.group.wait(made.group.deploy(made.gated("one")))["status"] == "Succeeded"
    made.desire(2)
    host = made.newcomer(known)
    eventually(lambda: made.cloud.run(host, "test", "-e", "/var/tmp/waits").returncode == 0)
    good = made.group.deploy(made.group.push("two"))
    assert made.group.wait(good)["status"] == "Succeeded"

    hooks = "hooks:\n  AfterInstall:\n    - location: fail.sh\n      timeout: 60\n"
    other = made.group.deploy(made.group.push("three", hooks, {"fail.sh": _FAIL_LATER}))
    eventually(lambda: made.cloud.run(known[0], "test", "-e", "/var/tmp/three").returncode == 0)
    made.gate(host, 0)
    made.in_service(2)
    assert made.deployments("CodeDeployAutoUpdate") == []
    assert made.cloud.run(known[0], "touch", "/var/tmp/go").returncode == 0
    assert made.group.wait(other)["status"] == "Failed"
    (follow,) = made.ended("CodeDeployAutoUpdate")
    assert follow["status"] == "Succeeded", made.told()
    assert follow["relatedDeployments"]["autoUpdateOutdatedInstancesRootDeploymentId"] == good
    made.hosts()
    targets = made.group.codedeploy.list_deployment_targets(deploymentId=follow["deploymentId"])["targetIds"]
    assert targets == [each["id"] for each in made.group.hosts if each["name"] == host]
    assert made.cloud.read(host, f"/srv/{made.name}/file.txt") == "two"


def test_a_leaving_instance_is_stopped_before_it_is_gone(fleet: Callable[..., Scaled]) -> None:
    made = fleet(1, terminationHookEnabled=True)
    (host,) = made.in_service(1)
    assert made.group.wait(made.group.deploy(made.gated("one", "ApplicationStop")))["status"] == "Succeeded"
    made.desire(0)
    eventually(lambda: made.cloud.run(host, "test", "-e", "/var/tmp/waits").returncode == 0, say=made.told)
    assert list(made.states().values()) == ["Terminating:Wait"]
    made.gate(host, 0)
    (info,) = made.ended("autoscalingTermination")
    assert info["status"] == "Succeeded", made.told()
    events = made.group.events(info["deploymentId"], host)
    assert events["ApplicationStop"] == "Succeeded"
    assert set(events) <= {"BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic", "ApplicationStop"}
    made.in_service(0)
    assert host not in [each["name"] for each in made.cloud.page("hosts")]


def test_an_instance_whose_event_was_lost_is_found_by_the_sweep(fleet: Callable[..., Scaled]) -> None:
    made = fleet(1)
    known = made.in_service(1)
    assert made.group.wait(made.group.deploy(made.group.push("one")))["status"] == "Succeeded"
    made.cloud.page("faults", {"events": {"lose": 1}})
    made.desire(2)
    host = made.newcomer(known)
    made.cloud.page("faults", {"events": {}})
    assert sorted(made.states().values()) == ["InService", "Pending:Wait"]
    assert made.deployments("autoscaling") == []
    sweep(made.cloud)
    made.in_service(2)
    assert made.cloud.read(host, f"/srv/{made.name}/file.txt") == "one"


def test_events_that_come_late_and_twice_make_one_deployment(fleet: Callable[..., Scaled]) -> None:
    made = fleet(1)
    assert made.group.wait(made.group.deploy(made.group.push("one")))["status"] == "Succeeded"
    made.cloud.page("faults", {"events": {"double": 1, "delay_seconds": 1}})
    made.desire(2)
    made.in_service(2)
    assert [each["status"] for each in made.ended("autoscaling")] == ["Succeeded"]


def test_an_instance_of_a_warm_pool_is_ready_when_it_comes_out(fleet: Callable[..., Scaled]) -> None:
    made = fleet(1)
    assert made.group.wait(made.group.deploy(made.group.push("one")))["status"] == "Succeeded"
    made.scaling.put_warm_pool(AutoScalingGroupName=made.name, MaxGroupPreparedCapacity=2)

    def pool() -> dict[str, str]:
        rows = made.scaling.describe_warm_pool(AutoScalingGroupName=made.name)["Instances"]
        return {row["InstanceId"]: row["LifecycleState"] for row in rows}

    eventually(lambda: list(pool().values()) == ["Warmed:Stopped"], say=lambda: (pool(), made.told()))
    (instance,) = pool()
    assert [each["status"] for each in made.deployments("autoscaling")] == ["Succeeded"]
    made.desire(2)
    made.in_service(2)
    assert instance in made.states()
    # It had the revision already.
    assert len(made.deployments("autoscaling")) == 1
    assert made.group.files() == ["one", "one"]


def test_processes_are_suspended_while_a_deployment_runs(fleet: Callable[..., Scaled]) -> None:
    made = fleet(1)
    (host,) = made.in_service(1)
    made.scaling.suspend_processes(AutoScalingGroupName=made.name, ScalingProcesses=["AZRebalance"])

    def suspended() -> set[str]:
        (found,) = made.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[made.name])["AutoScalingGroups"]
        return {each["ProcessName"] for each in found["SuspendedProcesses"]}

    asked = {"autoScalingGroupProcessesToSuspend": ["Terminate", "AZRebalance"]}
    deployment = made.group.deploy(made.gated("one"), ec2DeploymentOptions=asked)
    eventually(lambda: made.cloud.run(host, "test", "-e", "/var/tmp/waits").returncode == 0, say=made.told)
    assert suspended() == {"Terminate", "AZRebalance"}
    made.desire(0)
    assert list(made.states().values()) == ["InService"]
    made.gate(host, 0)
    assert made.group.wait(deployment)["status"] == "Succeeded", made.told()
    # What somebody else suspended stays so.
    assert suspended() == {"AZRebalance"}
    made.in_service(0)


def test_a_newcomer_has_its_traffic_before_it_goes_into_service(cloud: Cloud, fleet: Callable[..., Scaled]) -> None:
    arn = make_balancer(cloud, "behind")
    made = fleet(0, deploymentStyle=STYLE, loadBalancerInfo={"targetGroupInfoList": [{"name": "behind"}]})
    made.scaling.attach_load_balancer_target_groups(AutoScalingGroupName=made.name, TargetGroupARNs=[arn])
    made.desire(1)
    made.in_service(1)
    deployment = made.group.deploy(webapp(made.group, "1"))
    assert made.group.wait(deployment, 120)["status"] == "Succeeded", made.told()
    made.desire(2)

    def registered() -> set[str]:
        rows = made.cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {row["Target"]["Id"] for row in rows if row["TargetHealth"]["State"] == "healthy"}

    made.in_service(2, 90)
    assert registered() == set(made.states())
    address = next(str(each["address"]) for each in made.cloud.page("balancers") if each["name"] == "behind")
    assert {ask(address, "/")[0] for _ in range(6)} == {200}


def test_hooks_go_with_the_group(fleet: Callable[..., Scaled]) -> None:
    made = fleet(0, terminationHookEnabled=True)

    def transitions() -> list[str]:
        hooks = made.scaling.describe_lifecycle_hooks(AutoScalingGroupName=made.name)["LifecycleHooks"]
        return sorted(each["LifecycleTransition"].rpartition("_")[2] for each in hooks)

    assert transitions() == ["LAUNCHING", "TERMINATING"]
    update = partial(
        made.group.codedeploy.update_deployment_group, applicationName=made.name, currentDeploymentGroupName="group"
    )
    answer = update(autoScalingGroups=[])
    assert (transitions(), answer.get("hooksNotCleanedUp", [])) == ([], [])
    update(autoScalingGroups=[made.name])
    assert transitions() == ["LAUNCHING", "TERMINATING"]
    made.group.codedeploy.delete_deployment_group(applicationName=made.name, deploymentGroupName="group")
    assert transitions() == []


def test_a_handler_that_dies_after_its_write_makes_one_deployment(fleet: Callable[..., Scaled]) -> None:
    made = fleet(1)
    assert made.group.wait(made.group.deploy(made.group.push("one")))["status"] == "Succeeded"
    kill = {"function": "OnInstanceLifecycleFunction", "after": "dynamodb:TransactWriteItems", "times": 1}
    made.cloud.page("faults", {"kill": kill})
    made.desire(2)
    eventually(lambda: made.deployments("autoscaling"), say=made.told)
    assert made.cloud.page("faults")["kill"]["times"] == 0, "the fault must have struck"
    # Its execution was not started: the sweep, or the message when it comes again, does that.
    sweep(made.cloud)
    made.in_service(2)
    assert [each["status"] for each in made.ended("autoscaling")] == ["Succeeded"]


@pytest.mark.long
def test_an_instance_that_is_ended_while_it_is_deployed_to(fleet: Callable[..., Scaled]) -> None:
    made = fleet(1)
    known = made.in_service(1)
    made.gate(known[0], 0)
    assert made.group.wait(made.group.deploy(made.gated("one", timeout=10)))["status"] == "Succeeded"
    made.desire(2)
    host = made.newcomer(known)
    eventually(lambda: made.cloud.run(host, "test", "-e", "/var/tmp/waits").returncode == 0, say=made.told)
    (instance,) = [each["id"] for each in made.cloud.page("hosts") if each["name"] == host]
    made.scaling.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=True)
    (info,) = made.ended("autoscaling")
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "AUTO_SCALING_CONFIGURATION"), made.told()
    assert made.in_service(1) == known
