"""Deployments through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import ALICE, Refused, World, s3

from tidegate.api import ExecutionsBusyError
from tidegate.model.names import revision_key

ZEROS = {"Pending": 0, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 0}


def item(world: World, deployment_id: str) -> dict[str, Any]:
    return world.services.deployments.get(deployment_id)


def test_a_new_deployment_as_clients_read_it(shop: World) -> None:
    deployment_id = shop.deploy(description="go")
    assert shop.info(deployment_id) == {
        "applicationName": "shop",
        "deploymentGroupName": "prod",
        "deploymentConfigName": "CodeDeployDefault.OneAtATime",
        "deploymentId": deployment_id,
        "revision": s3(),
        "status": "Created",
        "createTime": shop.now,
        "deploymentOverview": ZEROS,
        "description": "go",
        "creator": "user",
        "ignoreApplicationStopFailures": False,
        "autoRollbackConfiguration": {"enabled": False, "events": []},
        "updateOutdatedInstancesOnly": False,
        "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
        "instanceTerminationWaitTimeStarted": False,
        "fileExistsBehavior": "DISALLOW",
        "deploymentStatusMessages": [],
        "computePlatform": "Server",
    }


def test_what_is_recorded_for_the_state_machine(shop: World) -> None:
    found = item(shop, shop.deploy())
    assert found["minimum"] == {"type": "MOST_CONCURRENCY", "value": 1}
    assert (found["generation"], found["caller"]) == (1, ALICE)
    assert found["revisionKey"] == revision_key(s3())
    assert shop.executions.started == [(found["deploymentId"], 1)]


def test_an_ended_deployment_as_clients_read_it(shop: World) -> None:
    first = shop.deploy("v1.zip")
    shop.end(first)
    second = shop.deploy("v2.zip")
    error = {"code": "HEALTH_CONSTRAINTS", "message": "Too many failed."}
    shop.now += 60
    shop.end(second, "Failed", error=error, overview=ZEROS | {"Failed": 2}, rollback_message="Nothing to do.")
    info = shop.info(second)
    assert (info["status"], info["completeTime"], info["errorInformation"]) == ("Failed", shop.now, error)
    assert info["deploymentOverview"]["Failed"] == 2
    assert info["rollbackInfo"] == {"rollbackMessage": "Nothing to do."}
    assert info["previousRevision"] == s3("v1.zip")


def test_what_the_call_gives_counts_more_than_what_the_group_has(world: World) -> None:
    on_failure = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    world.shop(autoRollbackConfiguration=on_failure, deploymentConfigName="CodeDeployDefault.HalfAtATime")
    first = world.deploy()
    assert item(world, first)["autoRollback"] == on_failure
    assert item(world, first)["minimum"] == {"type": "FLEET_PERCENT", "value": 50}
    world.end(first)
    second = world.deploy(
        autoRollbackConfiguration={"enabled": False},
        deploymentConfigName="CodeDeployDefault.AllAtOnce",
        fileExistsBehavior="OVERWRITE",
        ignoreApplicationStopFailures=True,
        updateOutdatedInstancesOnly=True,
    )
    info = world.info(second)
    assert info["autoRollbackConfiguration"] == {"enabled": False, "events": []}
    assert item(world, second)["minimum"] == {"type": "HOST_COUNT", "value": 0}
    assert (info["fileExistsBehavior"], info["ignoreApplicationStopFailures"]) == ("OVERWRITE", True)
    assert info["updateOutdatedInstancesOnly"] is True


def test_a_custom_configuration_is_resolved_at_creation(shop: World) -> None:
    minimum = {"type": "HOST_COUNT", "value": 3}
    shop.call("CreateDeploymentConfig", deploymentConfigName="mine", minimumHealthyHosts=minimum)
    assert item(shop, shop.deploy(deploymentConfigName="mine"))["minimum"] == minimum


def test_a_configuration_by_zones_goes_with_the_deployment_whatever_becomes_of_it(shop: World) -> None:
    minimum = {"type": "HOST_COUNT", "value": 3}
    zones = {"monitorDurationInSeconds": 60, "minimumHealthyHostsPerZone": {"type": "FLEET_PERCENT", "value": 50}}
    shop.call("CreateDeploymentConfig", deploymentConfigName="mine", minimumHealthyHosts=minimum, zonalConfig=zones)
    deployed = shop.deploy(deploymentConfigName="mine")
    shop.call("DeleteDeploymentConfig", deploymentConfigName="mine")
    assert (item(shop, deployed)["zonal"], item(shop, deployed)["minimum"]) == (zones, minimum)
    assert "zonal" not in shop.info(deployed)


def test_without_a_revision_the_groups_target_revision_is_deployed(shop: World) -> None:
    with pytest.raises(Refused) as caught:
        shop.deploy(revision=None)
    assert caught.value.code == "RevisionRequiredException"
    shop.end(shop.deploy("v1.zip"))
    shop.end(shop.deploy("v2.zip"), "Failed")
    assert shop.info(shop.deploy(revision=None))["revision"] == s3("v1.zip")


def test_a_busy_group_names_its_deployment(shop: World) -> None:
    first = shop.deploy()
    shop.group("other")
    with pytest.raises(Refused) as caught:
        shop.deploy("v2.zip")
    assert caught.value.code == "DeploymentLimitExceededException"
    assert caught.value.message == f"The Deployment Group 'prod' already has an active Deployment '{first}'"
    assert shop.deploy(group="other") != first
    shop.end(first)
    shop.deploy("v2.zip")


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("long description", {"description": "x" * 257}, "DescriptionTooLongException"),
    ("unknown configuration", {"deploymentConfigName": "mine"}, "DeploymentConfigDoesNotExistException"),
    ("Lambda's", {"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"}, "InvalidComputePlatformException"),
    ("rollback", {"autoRollbackConfiguration": {"enabled": True}}, "InvalidAutoRollbackConfigException"),
    ("file behaviour", {"fileExistsBehavior": "KEEP"}, "InvalidFileExistsBehaviorException"),
    ("restart of a revision", {"deploymentMode": "RESTART"}, "InvalidRevisionException"),
    ("mode", {"deploymentMode": "TWICE"}, "InvalidInputException"),
    ("target instances", {"targetInstances": {"tagFilters": [{"Key": "k"}]}}, "InvalidTargetInstancesException"),
    (
        "suspended processes",
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["Terminate"]}},
        "InvalidAutoScalingGroupProcessToSuspendException",
    ),
]


@pytest.mark.parametrize(("given", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_deployments_that_are_refused_leave_nothing(shop: World, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        shop.deploy(**given)
    assert caught.value.code == code
    assert shop.call("ListDeployments") == {"deployments": []}
    assert shop.executions.started == []
    assert "lastAttemptedDeployment" not in shop.group_info()


def test_names_that_are_not_there(shop: World) -> None:
    for given, code in (
        ({"applicationName": "no", "deploymentGroupName": "prod"}, "ApplicationDoesNotExistException"),
        ({"applicationName": "shop", "deploymentGroupName": "no"}, "DeploymentGroupDoesNotExistException"),
        ({"applicationName": "shop"}, "DeploymentGroupNameRequiredException"),
    ):
        with pytest.raises(Refused) as caught:
            shop.call("CreateDeployment", revision=s3(), **given)
        assert caught.value.code == code


def test_a_drawn_id_that_is_taken_is_drawn_again(shop: World) -> None:
    shop.ids = ["d-AAAAAAAAA"]
    shop.end(shop.deploy())
    shop.ids = ["d-AAAAAAAAA", "d-BBBBBBBBB"]
    assert shop.deploy() == "d-BBBBBBBBB"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [(ExecutionsBusyError(), 400, "ThrottlingException"), (OSError("no network"), 500, "InternalFailure")],
)
def test_an_execution_that_does_not_start_frees_the_group(
    shop: World, fault: Exception, status: int, code: str
) -> None:
    shop.executions.fault = fault
    with pytest.raises(Refused) as caught:
        shop.deploy()
    assert (caught.value.status, caught.value.code) == (status, code)
    failed = shop.call("ListDeployments")["deployments"][0]
    assert shop.info(failed)["status"] == "Failed"
    assert shop.info(failed)["errorInformation"]["code"] == "INTERNAL_ERROR"
    shop.executions.fault = None
    assert shop.info(shop.deploy())["status"] == "Created"


def test_reading_deployments(shop: World) -> None:
    deployment_id = shop.deploy()
    with pytest.raises(Refused) as caught:
        shop.info("d-ZZZZZZZZZ")
    assert caught.value.code == "DeploymentDoesNotExistException"
    for name in ("d-1", "d-abcdefghi", "D-AAAAAAAAA", "d-AAAAAAAAAA", "d-AAAAAAAAA\n"):
        with pytest.raises(Refused) as caught:
            shop.info(name)
        assert caught.value.code == "InvalidDeploymentIdException"
    found = shop.call("BatchGetDeployments", deploymentIds=["d-ZZZZZZZZZ", deployment_id])["deploymentsInfo"]
    assert [each["deploymentId"] for each in found] == [deployment_id]
    with pytest.raises(Refused) as caught:
        shop.call("BatchGetDeployments", deploymentIds=[deployment_id] * 101)
    assert caught.value.code == "BatchLimitExceededException"
    with pytest.raises(Refused) as caught:
        shop.call("BatchGetDeployments", deploymentIds=["nonsense"])
    assert caught.value.code == "InvalidDeploymentIdException"


def many(world: World, count: int, group: str = "prod") -> list[str]:
    """Deployments one second apart, each third one failed; newest first."""
    ids = []
    for number in range(count):
        world.now += 1
        ids.append(world.deploy(group=group))
        world.end(ids[-1], "Failed" if number % 3 == 0 else "Succeeded")
    return ids[::-1]


def joined(found: list[list[str]]) -> list[str]:
    return [each for page in found for each in page]


def pages(world: World, **given: Any) -> list[list[str]]:
    found = []
    token: dict[str, str] = {}
    while True:
        answer = world.call("ListDeployments", **given, **token)
        found.append(answer["deployments"])
        if "nextToken" not in answer:
            return found
        token = {"nextToken": answer["nextToken"]}


def test_lists_are_newest_first_and_paged(shop: World) -> None:
    shop.group("other")
    others = many(shop, 2, "other")
    ids = many(shop, 205)
    assert [len(page) for page in pages(shop)] == [100, 100, 7]
    assert joined(pages(shop)) == ids + others
    mine = pages(shop, applicationName="shop", deploymentGroupName="prod")
    assert joined(mine) == ids
    failed = pages(shop, applicationName="shop", deploymentGroupName="prod", includeOnlyStatuses=["Failed"])
    assert joined(failed) == [each for number, each in enumerate(reversed(ids)) if number % 3 == 0][::-1]
    assert pages(shop, includeOnlyStatuses=["Ready"])[-1] == []
    assert pages(shop, includeOnlyStatuses=[]) == pages(shop)


def test_lists_by_time_of_creation(shop: World) -> None:
    start = shop.now
    ids = many(shop, 5)[::-1]
    assert pages(shop, createTimeRange={"start": start + 4}) == [[ids[4], ids[3]]]
    assert pages(shop, createTimeRange={"end": start + 2}) == [[ids[1], ids[0]]]
    assert pages(shop, createTimeRange={"start": start + 2, "end": start + 3}) == [[ids[2], ids[1]]]
    with pytest.raises(Refused) as caught:
        pages(shop, createTimeRange={"start": 2, "end": 1})
    assert caught.value.code == "InvalidTimeRangeException"


def test_questions_that_lists_do_not_answer(shop: World) -> None:
    for given, code in (
        ({"applicationName": "shop"}, "DeploymentGroupNameRequiredException"),
        ({"deploymentGroupName": "prod"}, "ApplicationNameRequiredException"),
        ({"applicationName": "no", "deploymentGroupName": "prod"}, "ApplicationDoesNotExistException"),
        ({"applicationName": "shop", "deploymentGroupName": "no"}, "DeploymentGroupDoesNotExistException"),
        ({"nextToken": "e30="}, "InvalidNextTokenException"),
    ):
        with pytest.raises(Refused) as caught:
            shop.call("ListDeployments", **given)
        assert caught.value.code == code
    shop.deploy()
    assert shop.call("ListDeployments", externalId="stack") == {"deployments": []}


def test_a_deployment_outlives_its_group(shop: World) -> None:
    deployment_id = shop.deploy()
    shop.call("DeleteApplication", applicationName="shop")
    shop.end(deployment_id, "Failed")
    assert shop.info(deployment_id)["status"] == "Failed"
