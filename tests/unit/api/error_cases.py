"""What provokes each modelled error: changes to inputs that are answered, over the furnished account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.unit.api.world import ROLE, World, s3

from tidegate.store.errors import TableBusyError
from tidegate.store.table import Put

PLACE: Final = "arn:aws:codedeploy:us-east-1:123456789012"
GONE: Final = object()
MINIMUM: Final = {"type": "HOST_COUNT", "value": 1}
KEY: Final = {"Key": "k"}
UNKNOWN: Final = "d-NOBODY001"
GROUP: Final = {"applicationName": "shop", "deploymentGroupName": "prod"}
TARGET: Final = {"deploymentId": "d-LIVE00001", "targetId": "i-1"}
#: An input of each operation that is answered.
GOOD: Final[Mapping[str, dict[str, Any]]] = {
    "BatchGetApplicationRevisions": {"applicationName": "shop", "revisions": [s3()]},
    "BatchGetApplications": {"applicationNames": ["shop"]},
    "BatchGetDeploymentGroups": {"applicationName": "shop", "deploymentGroupNames": ["prod"]},
    "BatchGetDeploymentInstances": {"deploymentId": "d-LIVE00001", "instanceIds": ["i-1"]},
    "BatchGetDeploymentTargets": {"deploymentId": "d-LIVE00001", "targetIds": ["i-1"]},
    "BatchGetDeployments": {"deploymentIds": ["d-LIVE00001"]},
    "ContinueDeployment": {"deploymentId": "d-LIVE00001"},
    "CreateApplication": {"applicationName": "fresh"},
    "CreateDeployment": {**GROUP, "deploymentGroupName": "idle", "revision": s3()},
    "CreateDeploymentConfig": {"deploymentConfigName": "fresh", "minimumHealthyHosts": MINIMUM},
    "CreateDeploymentGroup": {**GROUP, "deploymentGroupName": "fresh", "serviceRoleArn": ROLE},
    "DeleteApplication": {"applicationName": "shop"},
    "DeleteDeploymentConfig": {"deploymentConfigName": "mine"},
    "DeleteDeploymentGroup": GROUP,
    "GetApplication": {"applicationName": "shop"},
    "GetApplicationRevision": {"applicationName": "shop", "revision": s3()},
    "GetDeployment": {"deploymentId": "d-LIVE00001"},
    "GetDeploymentConfig": {"deploymentConfigName": "mine"},
    "GetDeploymentGroup": GROUP,
    "GetDeploymentInstance": {"deploymentId": "d-LIVE00001", "instanceId": "i-1"},
    "GetDeploymentTarget": TARGET,
    "DeleteResourcesByExternalId": {"externalId": "x"},
    "ListApplications": {},
    "ListDeploymentConfigs": {},
    "ListApplicationRevisions": {"applicationName": "shop"},
    "ListDeploymentGroups": {"applicationName": "shop"},
    "ListDeploymentInstances": {"deploymentId": "d-LIVE00001"},
    "ListDeploymentTargets": {"deploymentId": "d-LIVE00001"},
    "ListDeployments": GROUP,
    "ListTagsForResource": {"ResourceArn": f"{PLACE}:application:shop"},
    "PutLifecycleEventHookExecutionStatus": {
        "deploymentId": "d-LAMBDA001",
        "lifecycleEventHookExecutionId": "run-1",
        "status": "Succeeded",
    },
    "RegisterApplicationRevision": {"applicationName": "shop", "revision": s3()},
    "SkipWaitTimeForInstanceTermination": {"deploymentId": "d-LIVE00001"},
    "StopDeployment": {"deploymentId": "d-LIVE00001"},
    "TagResource": {"ResourceArn": f"{PLACE}:application:shop", "Tags": [{"Key": "k", "Value": "v"}]},
    "UntagResource": {"ResourceArn": f"{PLACE}:application:shop", "TagKeys": ["k"]},
    "UpdateApplication": {"applicationName": "shop", "newApplicationName": "fresh"},
    "UpdateDeploymentGroup": {"applicationName": "shop", "currentDeploymentGroupName": "prod"},
    "GetLogs": TARGET,
    "ListDecisions": {"deploymentId": "d-LIVE00001"},
    "ListInstallations": {"deploymentId": "d-LIVE00001"},
}
#: Operations whose good input is answered by a refusal: they are for deployments of a kind that is not run here yet.
REFUSES_ALL: Final = {
    "ContinueDeployment": "UnsupportedActionForDeploymentTypeException",
    "PutLifecycleEventHookExecutionStatus": "LifecycleEventAlreadyCompletedException",
    "SkipWaitTimeForInstanceTermination": "UnsupportedActionForDeploymentTypeException",
}

#: By error: the change to a good input that provokes it in any operation that has the member.
CHANGES: Final[Mapping[str, list[dict[str, Any]]]] = {
    "ApplicationNameRequired": [{"applicationName": GONE}, {"applicationNames": []}],
    "InvalidApplicationName": [{"applicationName": "a b"}, {"applicationNames": ["shop", "a" * 101]}],
    "ApplicationDoesNotExist": [{"applicationName": "nobody"}, {"applicationNames": ["shop", "nobody"]}],
    "DeploymentGroupNameRequired": [
        {"deploymentGroupName": GONE},
        {"deploymentGroupNames": []},
        {"currentDeploymentGroupName": GONE},
    ],
    "InvalidDeploymentGroupName": [
        {"deploymentGroupName": "a/b"},
        {"deploymentGroupNames": ["a b"]},
        {"currentDeploymentGroupName": "a b"},
    ],
    "DeploymentGroupDoesNotExist": [{"deploymentGroupName": "nobody"}, {"currentDeploymentGroupName": "nobody"}],
    "DeploymentConfigNameRequired": [{"deploymentConfigName": GONE}],
    "InvalidDeploymentConfigName": [{"deploymentConfigName": "a b"}],
    "DeploymentConfigDoesNotExist": [{"deploymentConfigName": "nobody"}],
    "DeploymentIdRequired": [{"deploymentId": GONE}, {"deploymentIds": []}],
    "InvalidDeploymentId": [{"deploymentId": "d-1"}, {"deploymentIds": ["d-LIVE00001", "d-1"]}],
    "DeploymentDoesNotExist": [{"deploymentId": UNKNOWN}],
    "DeploymentAlreadyCompleted": [{"deploymentId": "d-ENDED0001"}],
    "DeploymentTargetIdRequired": [{"targetId": GONE}, {"targetIds": []}],
    "InvalidDeploymentTargetId": [{"targetId": "a b"}, {"targetIds": [""]}],
    "DeploymentTargetDoesNotExist": [{"targetId": "i-9"}, {"targetIds": ["i-1", "i-9"]}],
    "InstanceIdRequired": [{"instanceId": GONE}, {"instanceIds": []}],
    "InvalidInstanceName": [{"instanceId": "a b"}, {"instanceIds": ["i-1", "a b"]}],
    "InstanceDoesNotExist": [{"instanceId": "i-9"}],
    "RevisionRequired": [{"revision": GONE}, {"revisions": []}],
    "InvalidRevision": [{"revision": {"revisionType": "S3"}}, {"revisions": [{"revisionType": "S3"}]}],
    "InvalidNextToken": [{"nextToken": "x"}],
    "ResourceArnRequired": [{"ResourceArn": GONE}],
    "InvalidArn": [{"ResourceArn": "arn"}],
    "ArnNotSupported": [{"ResourceArn": f"{PLACE}:deploymentconfig:mine"}],
    "TagRequired": [{"Tags": []}, {"TagKeys": []}],
    "DescriptionTooLong": [{"description": "x" * 257}],
    "InvalidTagsToAdd": [{"tags": [{"Key": "aws:k"}]}, {"Tags": [{"Key": "aws:k"}]}],
    "InvalidAutoRollbackConfig": [{"autoRollbackConfiguration": {"enabled": True}}],
    "AlarmsLimitExceeded": [
        {"alarmConfiguration": {"alarms": [{"name": str(n)} for n in range(11)]}},
        {"overrideAlarmConfiguration": {"alarms": [{"name": str(n)} for n in range(11)]}},
    ],
    "InvalidAlarmConfig": [
        {"alarmConfiguration": {"alarms": [{"name": ""}]}},
        {"overrideAlarmConfiguration": {"alarms": [{"name": ""}]}},
    ],
    "RoleRequired": [{"serviceRoleArn": GONE}],
    "InvalidRole": [{"serviceRoleArn": "role"}],
    "InvalidEC2Tag": [{"ec2TagFilters": [{"Type": "KEY_ONLY"}]}],
    "InvalidTag": [{"onPremisesInstanceTagFilters": [{"Type": "KEY_ONLY"}]}],
    "InvalidEC2TagCombination": [{"ec2TagFilters": [KEY], "ec2TagSet": {"ec2TagSetList": [[KEY]]}}],
    "InvalidOnPremisesTagCombination": [
        {"onPremisesInstanceTagFilters": [KEY], "onPremisesTagSet": {"onPremisesTagSetList": [[KEY]]}},
    ],
    "TagSetListLimitExceeded": [{"ec2TagSet": {"ec2TagSetList": [[KEY]] * 4}}],
    "InvalidDeploymentStyle": [{"deploymentStyle": {"deploymentType": "SIDEWAYS"}}],
    "InvalidBlueGreenDeploymentConfiguration": [
        {"blueGreenDeploymentConfiguration": {"deploymentReadyOption": {"actionOnTimeout": "WAIT"}}}
    ],
    "InvalidAutoScalingGroupProcessToSuspend": [
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["Launch"]}}
    ],
    "InvalidTriggerConfig": [{"triggerConfigurations": [{"triggerName": "t", "triggerEvents": ["Rain"]}]}],
    "InvalidAutoScalingGroup": [{"autoScalingGroups": [""]}],
    "LifecycleHookLimitExceeded": [{"autoScalingGroups": ["full"]}],
    "InvalidECSService": [{"ecsServices": [{"serviceName": "s"}]}],
    "InvalidInstanceStatus": [
        {"instanceStatusFilter": ["Done"]},
        {"targetFilters": {"TargetStatus": ["Done"]}},
    ],
    "InvalidInstanceType": [
        {"instanceTypeFilter": ["Red"]},
        {"targetFilters": {"ServerInstanceLabel": ["Red"]}},
    ],
    "InvalidDeploymentInstanceType": [
        {"instanceTypeFilter": ["Blue"]},
        {"targetFilters": {"ServerInstanceLabel": ["Blue"]}},
    ],
    "InvalidTargetFilterName": [{"targetFilters": {"Colour": ["Red"]}}],
    "InvalidFileExistsBehavior": [{"fileExistsBehavior": "ASK"}],
    "InvalidDeploymentWaitType": [{"deploymentWaitType": "LUNCH"}],
    "InvalidSortBy": [{"sortBy": "name"}],
    "InvalidSortOrder": [{"sortOrder": "up"}],
    "InvalidDeployedStateFilter": [{"deployed": "yes"}],
    "InvalidBucketNameFilter": [{"s3Bucket": "a b"}],
    "BucketNameFilterRequired": [{"s3KeyPrefix": "k"}],
    "InvalidKeyPrefixFilter": [{"s3Bucket": "releases", "s3KeyPrefix": "é" * 600}],
    "InvalidDeploymentStatus": [{"includeOnlyStatuses": ["Done"]}],
    "InvalidTimeRange": [{"createTimeRange": {"start": 2, "end": 1}}],
    "InvalidExternalId": [{"externalId": "x\n"}],
    "InvalidMinimumHealthyHostValue": [{"minimumHealthyHosts": {"type": "FLEET_PERCENT", "value": 100}}],
    "InvalidZonalDeploymentConfiguration": [{"zonalConfig": {"minimumHealthyHostsPerZone": {"type": "NUMBER"}}}],
    "InvalidLifecycleEventHookExecutionId": [{"lifecycleEventHookExecutionId": "run-9"}],
    "InvalidLifecycleEventHookExecutionStatus": [{"status": "Pending"}],
}


def busy(world: World) -> dict[str, Any]:
    class Busy:
        def __getattr__(self, verb: str) -> Any:
            raise TableBusyError("busy")

    world.table = Busy()  # type: ignore[assignment]
    return {}


def as_lambda(world: World) -> dict[str, Any]:
    world.services.deployments.amend("d-LIVE00001", {"computePlatform": "Lambda"})
    return {}


def not_started(world: World) -> dict[str, Any]:
    return {"deploymentId": world.deploy(group="idle")}


def full_of_applications(world: World) -> dict[str, Any]:
    many = [{"PK": f"APP#a{n}", "SK": "APP", "GSI1PK": "APPS", "GSI1SK": f"a{n}"} for n in range(998)]
    world.table.write_many([Put(item) for item in many])
    return {}


def full_of_groups(world: World) -> dict[str, Any]:
    world.table.write_many([Put({"PK": "APP#shop", "SK": f"GROUP#g{n}"}) for n in range(998)])
    return {}


def full_of_configs(world: World) -> dict[str, Any]:
    for number in range(199):
        world.call("CreateDeploymentConfig", deploymentConfigName=f"c{number}", minimumHealthyHosts=MINIMUM)
    return {}


def used_config(world: World) -> dict[str, Any]:
    world.group("user", deploymentConfigName="mine")
    return {}


Special = Mapping[str, "dict[str, Any] | Callable[[World], dict[str, Any]]"]
LAMBDA_CONFIG: Final = "CodeDeployDefault.LambdaAllAtOnce"
#: By operation: changes of its own.
SPECIAL: Final[Mapping[str, Special]] = {
    "BatchGetApplicationRevisions": {"BatchLimitExceeded": {"revisions": [s3()] * 26}},
    "BatchGetApplications": {"BatchLimitExceeded": {"applicationNames": ["shop"] * 101}},
    "BatchGetDeploymentGroups": {"BatchLimitExceeded": {"deploymentGroupNames": ["prod"] * 101}},
    "BatchGetDeploymentInstances": {
        "BatchLimitExceeded": {"instanceIds": ["i-1"] * 26},
        "InvalidComputePlatform": as_lambda,
    },
    "BatchGetDeploymentTargets": {
        "DeploymentNotStarted": not_started,
        "DeploymentTargetListSizeExceeded": {"targetIds": ["i-1"] * 26},
    },
    "BatchGetDeployments": {"BatchLimitExceeded": {"deploymentIds": ["d-LIVE00001"] * 101}},
    "ContinueDeployment": {"UnsupportedActionForDeploymentType": {}},
    "CreateApplication": {
        "ApplicationAlreadyExists": {"applicationName": "shop"},
        "ApplicationLimitExceeded": full_of_applications,
        "InvalidComputePlatform": {"computePlatform": "Windows"},
    },
    "CreateDeployment": {
        "DeploymentLimitExceeded": {"deploymentGroupName": "prod"},
        "InvalidComputePlatform": {"deploymentConfigName": LAMBDA_CONFIG},
        "InvalidInput": {"deploymentMode": "SIDEWAYS"},
        "InvalidTargetInstances": {"targetInstances": {"autoScalingGroups": ["a"]}},
    },
    "CreateDeploymentConfig": {
        "DeploymentConfigAlreadyExists": {"deploymentConfigName": "mine"},
        "DeploymentConfigLimitExceeded": full_of_configs,
        "InvalidComputePlatform": {"computePlatform": "Windows"},
        "InvalidTrafficRoutingConfiguration": {"trafficRoutingConfig": {"type": "AllAtOnce"}},
    },
    "CreateDeploymentGroup": {
        "DeploymentGroupAlreadyExists": {"deploymentGroupName": "prod"},
        "DeploymentGroupLimitExceeded": full_of_groups,
        "InvalidInput": {"outdatedInstancesStrategy": "PRAY"},
        "InvalidTrafficRoutingConfiguration": {"deploymentConfigName": LAMBDA_CONFIG},
    },
    "DeleteDeploymentConfig": {
        "DeploymentConfigInUse": used_config,
        "InvalidOperation": {"deploymentConfigName": LAMBDA_CONFIG},
    },
    "GetApplicationRevision": {"RevisionDoesNotExist": {"revision": s3("v9.zip")}},
    "GetDeploymentInstance": {"InvalidComputePlatform": as_lambda},
    "GetDeploymentTarget": {"DeploymentNotStarted": not_started},
    "GetLogs": {"DeploymentNotStarted": not_started},
    "ListDeploymentInstances": {"DeploymentNotStarted": not_started, "InvalidComputePlatform": as_lambda},
    "ListDeploymentTargets": {"DeploymentNotStarted": not_started},
    "ListInstallations": {"InvalidInput": {"targetId": "i-1"}},
    "PutLifecycleEventHookExecutionStatus": {
        "LifecycleEventAlreadyCompleted": {},
        "UnsupportedActionForDeploymentType": {"deploymentId": "d-LIVE00001"},
    },
    "SkipWaitTimeForInstanceTermination": {"UnsupportedActionForDeploymentType": {}},
    "TagResource": {
        "ApplicationDoesNotExist": {"ResourceArn": f"{PLACE}:application:nobody"},
        "DeploymentGroupDoesNotExist": {"ResourceArn": f"{PLACE}:deploymentgroup:shop/nobody"},
    },
    "UntagResource": {
        "ApplicationDoesNotExist": {"ResourceArn": f"{PLACE}:application:nobody"},
        "DeploymentGroupDoesNotExist": {"ResourceArn": f"{PLACE}:deploymentgroup:shop/nobody"},
    },
    "UpdateApplication": {"ApplicationAlreadyExists": {"newApplicationName": "other"}},
    "UpdateDeploymentGroup": {
        "DeploymentGroupAlreadyExists": {"currentDeploymentGroupName": "idle", "newDeploymentGroupName": "prod"},
        "InvalidInput": {"outdatedInstancesStrategy": "PRAY"},
        "InvalidTrafficRoutingConfiguration": {"deploymentConfigName": LAMBDA_CONFIG},
    },
}
