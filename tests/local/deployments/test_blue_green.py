"""Blue/green between hosts that exist, behind a load balancer that really forwards, while requests keep coming."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.local.deployments.conftest import Cloud, Group, ended, started, tidegate
from tests.local.deployments.scaled_fleet import end_scaling_group, eventually, scaled_fleet
from tests.local.deployments.test_balanced import (
    BALANCED,
    address_of,
    answering,
    held_healthy,
    make_balancer,
    make_fleet,
    webapp,
)
from tests.local.deployments.traffic import ask, traffic

pytestmark = pytest.mark.local

NAME = "colours"
HOSTS = 6
STYLE = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
KEEP_FOR = {"action": "TERMINATE", "terminationWaitTimeInMinutes": 5}
AT_ONCE = {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0}
WAIT = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 5}
GO_ON = {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}
GREEN = {"tagFilters": [{"Key": "test-green", "Value": "yes", "Type": "KEY_AND_VALUE"}]}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("colours")
    parameters = itertools.chain.from_iterable(("--parameter", f"{k}={v}") for k, v in BALANCED.items())
    up = tidegate(folder, "local", "up", "--hosts", str(2 * HOSTS), "--detach", *parameters)
    assert up.returncode == 0, up.stdout + up.stderr
    yield started(folder)
    ended(folder)


def change(
    fleet: Group, ready: dict[str, Any], terminate: dict[str, Any], provision: str = "DISCOVER_EXISTING"
) -> None:
    """Let the group deploy blue/green from now on."""
    fleet.codedeploy.update_deployment_group(
        applicationName=fleet.name,
        currentDeploymentGroupName="group",
        deploymentConfigName="CodeDeployDefault.AllAtOnce",
        deploymentStyle=STYLE,
        blueGreenDeploymentConfiguration={
            "deploymentReadyOption": ready,
            "terminateBlueInstancesOnDeploymentSuccess": terminate,
            "greenFleetProvisioningOption": {"action": provision},
        },
    )


def labelled(fleet: Group, deployment_id: str, label: str) -> set[str]:
    filters = {"ServerInstanceLabel": [label]}
    found = fleet.codedeploy.list_deployment_targets(deploymentId=deployment_id, targetFilters=filters)
    return set(found["targetIds"])


@pytest.mark.long
def test_traffic_goes_over_and_back_and_over_again_and_no_request_fails(cloud: Cloud) -> None:
    arn = make_balancer(cloud, NAME)
    fleet = make_fleet(cloud, NAME, HOSTS, {"targetGroupInfoList": [{"name": NAME}]}, 0)
    blue, green = {host["id"] for host in cloud.hosts[:HOSTS]}, {host["id"] for host in cloud.hosts[HOSTS:]}
    cloud.client("ec2").create_tags(Resources=sorted(green), Tags=[{"Key": "test-green", "Value": "yes"}])
    assert fleet.wait(fleet.deploy(webapp(fleet, "1")), 120)["status"] == "Succeeded"
    address = address_of(cloud, NAME)

    def served() -> set[str]:
        """The versions that answer just now."""
        return {json.loads(ask(address, "/")[1])["version"] for _ in range(6)}

    with traffic(address, [held_healthy(cloud, arn), answering(cloud.hosts)]) as seen:
        change(fleet, WAIT, KEEP_FOR)
        over = fleet.deploy(webapp(fleet, "2"), targetInstances=GREEN)
        ready = fleet.until(over, lambda info: info["status"] == "Ready", 120)
        assert ready["deploymentOverview"]["Ready"] == HOSTS
        assert served() == {"1"}
        assert (labelled(fleet, over, "Green"), labelled(fleet, over, "Blue")) == (green, blue)
        fleet.codedeploy.continue_deployment(deploymentId=over, deploymentWaitType="READY_WAIT")
        fleet.until(over, lambda info: info["instanceTerminationWaitTimeStarted"], 120)
        assert served() == {"2"}
        fleet.codedeploy.stop_deployment(deploymentId=over, autoRollbackEnabled=True)
        stopped = fleet.wait(over)
        assert stopped["status"] == "Stopped"
        back = fleet.wait(stopped["rollbackInfo"]["rollbackDeploymentId"], 120)
        told = fleet.reasons(back["deploymentId"])
        assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback"), told
        assert served() == {"1"}

        change(fleet, GO_ON, AT_ONCE)
        again = fleet.wait(fleet.deploy(webapp(fleet, "3"), targetInstances=GREEN), 180)
        time.sleep(0.5)
    assert again["status"] == "Succeeded", fleet.reasons(again["deploymentId"])
    assert served() == {"3"}
    assert (seen.failed, set(seen.versions)) == (0, {"1", "2", "3"})
    assert sum(seen.versions.values()) == seen.requests > 1000
    assert min(seen.fewest) >= HOSTS
    reservations = cloud.client("ec2").describe_instances(InstanceIds=sorted(blue))["Reservations"]
    states = {each["State"]["Name"] for reservation in reservations for each in reservation["Instances"]}
    assert states <= {"shutting-down", "terminated"}
    info = fleet.codedeploy.get_deployment_group(applicationName=NAME, deploymentGroupName="group")
    assert info["deploymentGroupInfo"]["ec2TagFilters"] == GREEN["tagFilters"]


@pytest.mark.long
def test_an_auto_scaling_group_is_copied_and_its_copy_takes_over(cloud: Cloud) -> None:
    name, scaling = "copied", cloud.client("autoscaling")
    balancers = {"targetGroupInfoList": [{"name": name}]}
    arn = make_balancer(cloud, name)
    controlled = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
    fleet = scaled_fleet(cloud, name, 2, deploymentStyle=controlled, loadBalancerInfo=balancers)
    scaling.attach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=[arn])
    assert fleet.group.wait(fleet.group.deploy(webapp(fleet.group, "1")), 120)["status"] == "Succeeded"
    originals = set(fleet.states())
    address = address_of(cloud, name)

    with traffic(address, [held_healthy(cloud, arn)]) as seen:
        change(fleet.group, GO_ON, AT_ONCE, "COPY_AUTO_SCALING_GROUP")
        deployed = fleet.group.deploy(webapp(fleet.group, "2"))
        info = fleet.group.wait(deployed, 240)
        time.sleep(0.5)
    assert info["status"] == "Succeeded", fleet.group.reasons(deployed)
    assert (seen.failed, set(seen.versions)) == (0, {"1", "2"})
    assert min(seen.fewest) >= 2
    assert json.loads(ask(address, "/")[1])["version"] == "2"
    assert labelled(fleet.group, deployed, "Blue") == originals

    copy = f"CodeDeploy_group_{deployed}"
    rows = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[copy])["AutoScalingGroups"]
    assert [(row["MinSize"], row["DesiredCapacity"], row["SuspendedProcesses"]) for row in rows] == [(0, 2, [])]
    eventually(lambda: not scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"])
    found = fleet.group.codedeploy.get_deployment_group(applicationName=name, deploymentGroupName="group")
    (shown,) = found["deploymentGroupInfo"]["autoScalingGroups"]
    hooks = scaling.describe_lifecycle_hooks(AutoScalingGroupName=copy)["LifecycleHooks"]
    assert (shown["name"], shown["hook"]) == (copy, hooks[0]["LifecycleHookName"])

    # The copy scales as the original did: a newcomer gets the revision before it is in service.
    scaling.set_desired_capacity(AutoScalingGroupName=copy, DesiredCapacity=3)
    (launched,) = fleet.ended("autoscaling", seconds=120)
    assert launched["status"] == "Succeeded"
    assert launched["revision"] == info["revision"]
    end_scaling_group(cloud, copy)


@pytest.mark.long
def test_what_an_original_group_launches_meanwhile_has_no_traffic_afterwards(cloud: Cloud) -> None:
    name, scaling = "late", cloud.client("autoscaling")
    arn = make_balancer(cloud, name)
    controlled = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
    balancers = {"targetGroupInfoList": [{"name": name}]}
    fleet = scaled_fleet(cloud, name, 2, deploymentStyle=controlled, loadBalancerInfo=balancers)
    scaling.attach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=[arn])
    assert fleet.group.wait(fleet.group.deploy(webapp(fleet.group, "1")), 120)["status"] == "Succeeded"

    def registered() -> set[str]:
        rows = cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {each["Target"]["Id"] for each in rows if each["TargetHealth"]["State"] != "draining"}

    change(fleet.group, WAIT, {"action": "KEEP_ALIVE"}, "COPY_AUTO_SCALING_GROUP")
    deployed, codedeploy = fleet.group.deploy(webapp(fleet.group, "2")), fleet.group.codedeploy
    eventually(lambda: codedeploy.get_deployment(deploymentId=deployed)["deploymentInfo"]["status"] == "Ready", 120)
    known = set(fleet.states())
    fleet.desire(3)
    fleet.ended("autoscaling", seconds=120)
    fleet.in_service(3)
    (late,) = set(fleet.states()) - known
    assert late in registered()
    codedeploy.continue_deployment(deploymentId=deployed, deploymentWaitType="READY_WAIT")
    assert fleet.group.wait(deployed, 240)["status"] == "Succeeded", fleet.group.reasons(deployed)

    (copy,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[f"CodeDeploy_group_{deployed}"])[
        "AutoScalingGroups"
    ]
    assert registered() == {each["InstanceId"] for each in copy["Instances"]}
    assert set(fleet.states()) == {late, *known}, "they are kept"
    end_scaling_group(cloud, name)
    end_scaling_group(cloud, copy["AutoScalingGroupName"])


@pytest.mark.long
def test_a_copy_whose_deployment_fails_is_kept_and_launches_nothing(cloud: Cloud) -> None:
    name, scaling = "failing", cloud.client("autoscaling")
    make_balancer(cloud, name)
    controlled = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
    balancers = {"targetGroupInfoList": [{"name": name}]}
    fleet = scaled_fleet(cloud, name, 1, deploymentStyle=controlled, loadBalancerInfo=balancers)
    change(fleet.group, GO_ON, {"action": "KEEP_ALIVE"}, "COPY_AUTO_SCALING_GROUP")
    hooks = "hooks:\n  AfterInstall:\n    - location: fail.sh\n      timeout: 20\n"
    deployed = fleet.group.deploy(fleet.group.push("x", hooks, {"fail.sh": "#!/bin/sh\nexit 1\n"}))
    info = fleet.group.wait(deployed, 240)
    copy = f"CodeDeploy_group_{deployed}"
    assert info["errorInformation"]["code"] == "HEALTH_CONSTRAINTS", info
    assert f"{copy} is kept. Its processes Launch" in info["errorInformation"]["message"]
    assert any(f"{copy} is kept" in reason for reason in fleet.group.reasons(deployed))
    (row,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[copy])["AutoScalingGroups"]
    suspended = {each["ProcessName"] for each in row["SuspendedProcesses"]}
    assert suspended == {"Launch", "ReplaceUnhealthy", "AZRebalance"}
    known = [each["InstanceId"] for each in row["Instances"]]
    scaling.set_desired_capacity(AutoScalingGroupName=copy, DesiredCapacity=2)
    time.sleep(2)
    (row,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[copy])["AutoScalingGroups"]
    assert [each["InstanceId"] for each in row["Instances"]] == known
    end_scaling_group(cloud, copy)
    end_scaling_group(cloud, name)
