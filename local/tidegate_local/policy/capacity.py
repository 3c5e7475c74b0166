"""What calls of EC2 and of Amazon EC2 Auto Scaling need.

Follows "Actions, resources, and condition keys" of both services in the "Service Authorization Reference", and "Control
Amazon EC2 launch template usage in Auto Scaling groups" of the Auto Scaling user guide.
"""

from __future__ import annotations

from tidegate_local.policy.place import Need, Params, Place

#: Policies cannot know the unique id in a group's ARN, so any one stands for it.
_ID = "00000000-0000-0000-0000-000000000000"


def autoscaling(op: str, params: Params, place: Place) -> list[Need]:
    """The needs of a call of Auto Scaling; those that look have no resource-level rights."""
    if op.startswith("Describe"):
        return [(f"autoscaling:{op}", "*")]
    if op in ("CreateOrUpdateTags", "DeleteTags"):
        names = [str(tag.get("ResourceId")) for tag in params.get("Tags", ())] or ["*"]
        return [(f"autoscaling:{op}", _group(place, name)) for name in dict.fromkeys(names)]
    if "LaunchConfigurationName" in params and op.endswith("LaunchConfiguration"):
        name = f"launchConfigurationName/{params['LaunchConfigurationName']}"
        return [(f"autoscaling:{op}", place.arn("autoscaling", f"launchConfiguration:{_ID}:{name}"))]
    # Some name an instance alone: which group it is in is not known here.
    needs = [(f"autoscaling:{op}", _group(place, str(params.get("AutoScalingGroupName", "*"))))]
    if op in ("CreateAutoScalingGroup", "UpdateAutoScalingGroup") and _has_template(params):
        instances = place.arn("ec2", "instance/*")
        # Whether a role is passed stands in the template, which is not looked up: iam:PassRole is not judged.
        needs += [("ec2:RunInstances", instances), ("ec2:CreateTags", instances)]
    return needs


def _group(place: Place, name: str) -> str:
    return place.arn("autoscaling", f"autoScalingGroup:{_ID}:autoScalingGroupName/{name}")


def _has_template(params: Params) -> bool:
    return any(name.startswith(("LaunchTemplate", "MixedInstancesPolicy")) for name in params)


def ec2(op: str, params: Params, place: Place) -> list[Need]:
    """The needs of a call of EC2 on instances; those that look have no resource-level rights."""
    if op.startswith("Describe"):
        return [(f"ec2:{op}", "*")]
    if op == "RunInstances":
        return [("ec2:RunInstances", place.arn("ec2", "instance/*"))]
    named = _listed(params, "InstanceIds", "InstanceId") + _listed(params, "Resources", "ResourceId")
    arns = [place.arn("ec2", f"instance/{each}") if each.startswith("i-") else "*" for each in named]
    return [(f"ec2:{op}", arn) for arn in arns or ["*"]]


def _listed(params: Params, name: str, in_form: str) -> list[str]:
    """A list as boto3 takes it, or as it stands in a form: ``InstanceId.1`` and so on."""
    if name in params:
        return [str(each) for each in params[name]]
    return [str(value) for key, value in params.items() if key.startswith(f"{in_form}.")]
