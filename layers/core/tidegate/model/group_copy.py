"""The copy of an Auto Scaling group that a blue/green deployment provisions (API: GreenFleetProvisioningOption)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tidegate.model.balancers import Balancer, BalancerKind

#: Says which deployment made a copy.
TAG: Final = "CodeDeployProvisioningDeploymentId"
#: Nothing but the deployment itself changes a copy, or brings it traffic, while it is deployed to.
SUSPENDED: Final = ("AddToLoadBalancer", "AlarmNotification", "ScheduledActions")
#: Nor does one launch anything whose deployment did not succeed.
HELD: Final = ("Launch", "ReplaceUnhealthy", "AZRebalance")

#: What CreateAutoScalingGroup takes of what DescribeAutoScalingGroups tells; sizes and tags are of the copy's own.
_COPIED: Final = (
    "LaunchConfigurationName",
    "LaunchTemplate",
    "MixedInstancesPolicy",
    "MaxSize",
    "DefaultCooldown",
    "VPCZoneIdentifier",
    "LoadBalancerNames",
    "TargetGroupARNs",
    "HealthCheckType",
    "HealthCheckGracePeriod",
    "PlacementGroup",
    "TerminationPolicies",
    "NewInstancesProtectedFromScaleIn",
    "MaxInstanceLifetime",
    "CapacityRebalance",
    "Context",
    "DesiredCapacityType",
    "DefaultInstanceWarmup",
    "InstanceMaintenancePolicy",
)
#: The same of policies, notifications and scheduled actions.
POLICY: Final = (
    "PolicyName",
    "PolicyType",
    "AdjustmentType",
    "MinAdjustmentStep",
    "MinAdjustmentMagnitude",
    "ScalingAdjustment",
    "Cooldown",
    "MetricAggregationType",
    "StepAdjustments",
    "EstimatedInstanceWarmup",
    "TargetTrackingConfiguration",
    "PredictiveScalingConfiguration",
    "Enabled",
)
ACTION: Final = (
    "ScheduledActionName",
    "StartTime",
    "EndTime",
    "Recurrence",
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
    "TimeZone",
)


@dataclass(frozen=True, slots=True)
class Provisioning:
    """What a deployment provisions, as its item keeps it; written before anything is made.

    Attributes
    ----------
    source, copy : names of the Auto Scaling groups
    minimum, desired : sizes of the copy
    since : epoch seconds
    ready : the replacement instances are there
    """

    source: str
    copy: str
    minimum: int
    desired: int
    since: float
    ready: bool = False

    @classmethod
    def of(cls, deployment: Mapping[str, Any]) -> Provisioning | None:
        """That of a deployment, None where it has none yet."""
        item = deployment.get("provisioning")
        return item and cls(**item)

    def to_item(self) -> dict[str, Any]:
        """As the deployment's item keeps it."""
        return asdict(self)


def copies(deployment: Mapping[str, Any]) -> bool:
    """Whether a deployment\'s replacement fleet is a copy of its Auto Scaling group."""
    option = (deployment.get("blueGreenDeploymentConfiguration") or {}).get("greenFleetProvisioningOption") or {}
    of_one = "trafficBackOf" in deployment or "scaling" in deployment  # those have a fleet already
    return bool(option.get("action") == "COPY_AUTO_SCALING_GROUP") and not of_one


def copy_name(group: str, deployment_id: str) -> str:
    """Name of the copy that a deployment makes, as CodeDeploy gives it.

    >>> copy_name("prod", "d-A1B2C3111")
    'CodeDeploy_prod_d-A1B2C3111'
    """
    return f"CodeDeploy_{group}_{deployment_id}"


def copy_of(source: Mapping[str, Any], name: str, deployment_id: str) -> dict[str, Any]:
    """What CreateAutoScalingGroup is given for a copy, which begins without instances.

    >>> copy_of({"AutoScalingGroupName": "web", "MaxSize": 4, "AvailabilityZones": ["a"], "Tags": []}, "copy", "d-1")
    ... # doctest: +NORMALIZE_WHITESPACE
    {'MaxSize': 4, 'AvailabilityZones': ['a'], 'AutoScalingGroupName': 'copy', 'MinSize': 0, 'DesiredCapacity': 0,
     'Tags': [{'Key': 'CodeDeployProvisioningDeploymentId', 'Value': 'd-1', 'PropagateAtLaunch': False}]}
    """
    found = {each: _without_names(source[each]) for each in _COPIED if source.get(each) not in (None, "", [], {})}
    if "VPCZoneIdentifier" not in found:
        found["AvailabilityZones"] = list(source["AvailabilityZones"])
    tags = [
        {member: tag[member] for member in ("Key", "Value", "PropagateAtLaunch") if member in tag}
        for tag in source.get("Tags", ())
        if tag["Key"] != TAG and not tag["Key"].startswith("aws:")
    ]
    tags.append({"Key": TAG, "Value": deployment_id, "PropagateAtLaunch": False})
    return {**found, "AutoScalingGroupName": name, "MinSize": 0, "DesiredCapacity": 0, "Tags": tags}


def taken(row: Mapping[str, Any], members: Sequence[str]) -> dict[str, Any]:
    """Those members of a described policy or action that a call takes, without the empty ones."""
    return {each: row[each] for each in members if row.get(each) not in (None, "", [], {})}


def in_service(row: Mapping[str, Any]) -> list[str]:
    """Ids of the instances of a group that are in service."""
    return [each["InstanceId"] for each in row.get("Instances", ()) if each["LifecycleState"] == "InService"]


def carries(row: Mapping[str, Any], tag: tuple[str, str]) -> bool:
    """Whether a group carries a tag."""
    return any((each["Key"], each.get("Value", "")) == tag for each in row.get("Tags", ()))


def attached_to(row: Mapping[str, Any], balancers: Iterable[Balancer]) -> list[Balancer]:
    """Those balancers to which a group adds its instances by itself.

    >>> web = Balancer(BalancerKind.TARGET_GROUP, "web", "arn:web")
    >>> attached_to({"TargetGroupARNs": ["arn:web"]}, [web]) == [web], attached_to({}, [web])
    (True, [])
    """
    keys = {
        BalancerKind.TARGET_GROUP: row.get("TargetGroupARNs", ()),
        BalancerKind.CLASSIC: row.get("LoadBalancerNames", ()),
    }
    return [each for each in balancers if each.key in keys[each.kind]]


def _without_names(value: Any) -> Any:
    """A launch template is told by its id and its name, and taken by one of them."""
    if isinstance(value, Mapping):
        left = {key: _without_names(each) for key, each in value.items()}
        if "LaunchTemplateId" in left:
            left.pop("LaunchTemplateName", None)
        return left
    return [_without_names(each) for each in value] if isinstance(value, list) else value
