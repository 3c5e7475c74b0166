"""Blue/green deployments to servers through the door: made, shown, continued."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.group_cases import blue_green
from tests.unit.api.world import Refused, World, target_item

from tidegate.store.table import Put

GREEN = [{"Key": "Fleet", "Value": "green", "Type": "KEY_AND_VALUE"}]


@pytest.fixture
def colours(world: World) -> World:
    """An account with application ``shop``, whose group ``prod`` deploys blue/green."""
    world.shop(**blue_green(terminate={"action": "TERMINATE", "terminationWaitTimeInMinutes": 60}))
    return world


def started(world: World, **attributes: Any) -> str:
    """A deployment whose two fleets are known, with what the state machine notes of it."""
    deployment_id = world.deploy(targetInstances={"tagFilters": GREEN})
    members = [["i-3", True, None, "", "Green"], ["i-4", True, None, "", "Green"], ["i-1", True, None, "", "Blue"]]
    world.table.write(Put({"PK": f"DEP#{deployment_id}", "SK": "ROSTER#0000", "members": members}))
    for target, label in (("i-3", "Green"), ("i-1", "Blue")):
        world.table.write(Put(target_item(deployment_id, target, "Succeeded") | {"instanceLabel": label}))
    world.services.deployments.amend(deployment_id, {"status": "InProgress", **attributes})
    return deployment_id


def refused(world: World, operation: str, deployment_id: str, **given: Any) -> str:
    with pytest.raises(Refused) as caught:
        world.call(operation, deploymentId=deployment_id, **given)
    return caught.value.code.removesuffix("Exception")


def test_a_configuration_by_zones_is_for_deployments_in_place(colours: World) -> None:
    minimum = {"type": "HOST_COUNT", "value": 0}
    colours.call("CreateDeploymentConfig", deploymentConfigName="mine", minimumHealthyHosts=minimum, zonalConfig={})
    with pytest.raises(Refused, match=r"'mine' goes from one Availability Zone .* without zones") as caught:
        colours.deploy(targetInstances={"tagFilters": GREEN}, deploymentConfigName="mine")
    assert caught.value.code == "InvalidInputException"


def test_only_outdated_instances_are_no_choice_of_blue_green(colours: World) -> None:
    with pytest.raises(Refused, match=r"'updateOutdatedInstancesOnly' .* blue/green") as caught:
        colours.deploy(targetInstances={"tagFilters": GREEN}, updateOutdatedInstancesOnly=True)
    assert caught.value.code == "InvalidUpdateOutdatedInstancesOnlyValueException"
    assert colours.info(colours.deploy(targetInstances={"tagFilters": GREEN}, updateOutdatedInstancesOnly=False))


def test_the_replacement_instances_are_taken_and_shown(colours: World) -> None:
    given = {"ec2TagSet": {"ec2TagSetList": [[{"Key": "Green"}]]}, "autoScalingGroups": ["next"]}
    info = colours.info(colours.deploy(targetInstances=given))
    assert info["targetInstances"] == {
        "ec2TagSet": {"ec2TagSetList": [[{"Key": "Green", "Type": "KEY_ONLY"}]]},
        "autoScalingGroups": ["next"],
    }
    assert info["deploymentStyle"]["deploymentType"] == "BLUE_GREEN"
    terminate = info["blueGreenDeploymentConfiguration"]["terminateBlueInstancesOnDeploymentSuccess"]
    assert terminate == {"action": "TERMINATE", "terminationWaitTimeInMinutes": 60}
    assert info["instanceTerminationWaitTimeStarted"] is False


def test_targets_bear_their_labels_and_are_filtered_by_them(colours: World) -> None:
    deployment_id = started(colours)

    def listed(**filters: list[str]) -> Any:
        return colours.call("ListDeploymentTargets", deploymentId=deployment_id, targetFilters=filters)["targetIds"]

    assert listed() == ["i-3", "i-4", "i-1"]
    assert listed(ServerInstanceLabel=["Green"]) == ["i-3", "i-4"]
    assert listed(ServerInstanceLabel=["Blue"]) == ["i-1"]
    assert listed(ServerInstanceLabel=["Blue", "Green"], TargetStatus=["Succeeded"]) == ["i-3", "i-1"]
    for name, label in (("i-3", "Green"), ("i-4", "Green"), ("i-1", "Blue")):
        found = colours.call("GetDeploymentTarget", deploymentId=deployment_id, targetId=name)["deploymentTarget"]
        assert found["instanceTarget"]["instanceLabel"] == label
        older = colours.call("GetDeploymentInstance", deploymentId=deployment_id, instanceId=name)["instanceSummary"]
        assert older["instanceType"] == label
    older = colours.call("ListDeploymentInstances", deploymentId=deployment_id, instanceTypeFilter=["Blue"])
    assert older["instancesList"] == ["i-1"]


@pytest.mark.parametrize("given", [{}, {"deploymentWaitType": "READY_WAIT"}])
def test_a_ready_deployment_is_continued_once(colours: World, given: dict[str, str]) -> None:
    deployment_id = started(colours)
    assert refused(colours, "ContinueDeployment", deployment_id, **given) == "DeploymentIsNotInReadyState"
    colours.services.deployments.amend(deployment_id, {"status": "Ready"})
    assert refused(
        colours, "ContinueDeployment", deployment_id, deploymentWaitType="TERMINATION_WAIT"
    ) == "DeploymentIsNotInReadyState"  # fmt: skip
    for _ in range(2):
        assert colours.call("ContinueDeployment", deploymentId=deployment_id, **given) == {}
    assert colours.services.deployments.get(deployment_id)["continued"] == {"READY_WAIT"}
    assert colours.signals.sent == [deployment_id] * 2


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("ContinueDeployment", {"deploymentWaitType": "TERMINATION_WAIT"}),
        ("SkipWaitTimeForInstanceTermination", {}),
    ],
)
def test_the_termination_wait_is_cut_short(colours: World, operation: str, given: dict[str, str]) -> None:
    deployment_id = started(colours)
    not_yet = {"ContinueDeployment": "DeploymentIsNotInReadyState"}.get(operation, "DeploymentNotStarted")
    assert refused(colours, operation, deployment_id, **given) == not_yet
    colours.services.deployments.amend(deployment_id, {"instanceTerminationWaitTimeStarted": True})
    assert colours.info(deployment_id)["instanceTerminationWaitTimeStarted"] is True
    assert colours.call(operation, deploymentId=deployment_id, **given) == {}
    assert colours.services.deployments.get(deployment_id)["continued"] == {"TERMINATION_WAIT"}
    assert colours.signals.sent == [deployment_id]


def test_a_signal_that_fails_does_not_fail_the_continuation(colours: World) -> None:
    deployment_id = started(colours, status="Ready")
    colours.signals.fault = OSError("no network")
    assert colours.call("ContinueDeployment", deploymentId=deployment_id) == {}
    assert colours.services.deployments.get(deployment_id)["continued"] == {"READY_WAIT"}


def test_what_has_ended_or_goes_back_cannot_be_continued(colours: World) -> None:
    rollback = started(colours, creator="codeDeployRollback")
    assert refused(colours, "ContinueDeployment", rollback) == "UnsupportedActionForDeploymentType"
    colours.end(rollback)
    assert refused(colours, "ContinueDeployment", rollback) == "DeploymentAlreadyCompleted"
    assert refused(colours, "ContinueDeployment", rollback, deploymentWaitType="NOW") == "InvalidDeploymentWaitType"


def test_a_group_that_copies_its_auto_scaling_group_takes_no_replacement_instances(shop: World) -> None:
    shop.group("scaled", autoScalingGroups=["a"], **blue_green(provision="COPY_AUTO_SCALING_GROUP"))
    with pytest.raises(Refused) as caught:
        shop.deploy(group="scaled", targetInstances={"tagFilters": GREEN})
    assert caught.value.code == "InvalidTargetInstancesException"
    assert "copies its Auto Scaling group" in caught.value.message
    option = shop.info(shop.deploy(group="scaled"))["blueGreenDeploymentConfiguration"]["greenFleetProvisioningOption"]
    assert option == {"action": "COPY_AUTO_SCALING_GROUP"}
