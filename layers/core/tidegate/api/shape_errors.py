"""Which modelled error a breach of the service model is (API reference: the operations' error lists)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: By input member: it is required and absent, empty text or an empty list.
REQUIRED_BY_MEMBER: Final[Mapping[str, str]] = {
    "applicationName": "ApplicationNameRequiredException",
    "applicationNames": "ApplicationNameRequiredException",
    "deploymentGroupName": "DeploymentGroupNameRequiredException",
    "deploymentGroupNames": "DeploymentGroupNameRequiredException",
    "currentDeploymentGroupName": "DeploymentGroupNameRequiredException",
    "deploymentConfigName": "DeploymentConfigNameRequiredException",
    "deploymentId": "DeploymentIdRequiredException",
    "deploymentIds": "DeploymentIdRequiredException",
    "revision": "RevisionRequiredException",
    "revisions": "RevisionRequiredException",
    "serviceRoleArn": "RoleRequiredException",
    "targetId": "DeploymentTargetIdRequiredException",
    "targetIds": "DeploymentTargetIdRequiredException",
    "instanceId": "InstanceIdRequiredException",
    "instanceIds": "InstanceIdRequiredException",
    "instanceName": "InstanceNameRequiredException",
    "instanceNames": "InstanceNameRequiredException",
    "tags": "TagRequiredException",
    "Tags": "TagRequiredException",
    "TagKeys": "TagRequiredException",
    "ResourceArn": "ResourceArnRequiredException",
}

#: By operation: members that the model leaves open and that are required all the same.
ALSO_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "ContinueDeployment": ("deploymentId",),
    "CreateDeployment": ("deploymentGroupName",),
    "PutLifecycleEventHookExecutionStatus": ("deploymentId",),
    "SkipWaitTimeForInstanceTermination": ("deploymentId",),
    "UpdateApplication": ("applicationName",),
}

#: By shape of the text at fault: it breaks its length, its characters or its enum.
INVALID_BY_SHAPE: Final[Mapping[str, str]] = {
    "ApplicationName": "InvalidApplicationNameException",
    "DeploymentGroupName": "InvalidDeploymentGroupNameException",
    "DeploymentConfigName": "InvalidDeploymentConfigNameException",
    "Arn": "InvalidArnException",
    "ApplicationRevisionSortBy": "InvalidSortByException",
    "AutoRollbackEvent": "InvalidAutoRollbackConfigException",
    "AutoScalingGroupProcess": "InvalidAutoScalingGroupProcessToSuspendException",
    "BundleType": "InvalidRevisionException",
    "ComputePlatform": "InvalidComputePlatformException",
    "DeploymentMode": "InvalidInputException",
    "DeploymentOption": "InvalidDeploymentStyleException",
    "DeploymentReadyAction": "InvalidBlueGreenDeploymentConfigurationException",
    "DeploymentStatus": "InvalidDeploymentStatusException",
    "DeploymentType": "InvalidDeploymentStyleException",
    "DeploymentWaitType": "InvalidDeploymentWaitTypeException",
    "EC2TagFilterType": "InvalidEC2TagException",
    "FileExistsBehavior": "InvalidFileExistsBehaviorException",
    "GreenFleetProvisioningAction": "InvalidBlueGreenDeploymentConfigurationException",
    "InstanceAction": "InvalidBlueGreenDeploymentConfigurationException",
    "InstanceStatus": "InvalidInstanceStatusException",
    "InstanceType": "InvalidInstanceTypeException",
    "LifecycleEventStatus": "InvalidLifecycleEventHookExecutionStatusException",
    "ListStateFilterAction": "InvalidDeployedStateFilterException",
    "MinimumHealthyHostsPerZoneType": "InvalidZonalDeploymentConfigurationException",
    "MinimumHealthyHostsType": "InvalidMinimumHealthyHostValueException",
    "OutdatedInstancesStrategy": "InvalidInputException",
    "RegistrationStatus": "InvalidRegistrationStatusException",
    "RevisionLocationType": "InvalidRevisionException",
    "SortOrder": "InvalidSortOrderException",
    "TagFilterType": "InvalidTagException",
    "TargetFilterName": "InvalidTargetFilterNameException",
    "TrafficRoutingType": "InvalidTrafficRoutingConfigurationException",
    "TriggerEventType": "InvalidTriggerConfigException",
}

#: What some operations model in the place of an error above.
VARIANTS: Final[Mapping[str, str]] = {"InvalidTagException": "InvalidTagFilterException"}
