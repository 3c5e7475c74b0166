"""What says which EC2 instances: a deployment group's settings, or the replacement that a deployment names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Selectors = Mapping[str, Any]

INSTANCE_SELECTORS: Final = ("ec2TagFilters", "ec2TagSet", "autoScalingGroups")


def selectors_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a deployment group's settings that select EC2 instances, without the empty ones.

    >>> selectors_of({"ec2TagFilters": [], "autoScalingGroups": ["web"], "deploymentGroupName": "prod"})
    {'autoScalingGroups': ['web']}
    """
    return {name: info[name] for name in INSTANCE_SELECTORS if info.get(name)}


def selectors_of_targets(targets: Mapping[str, Any]) -> dict[str, Any]:
    """The same of ``targetInstances`` (API: TargetInstances), whose flat filters have another name.

    >>> selectors_of_targets({"tagFilters": [{"Key": "Green", "Type": "KEY_ONLY"}]})
    {'ec2TagFilters': [{'Key': 'Green', 'Type': 'KEY_ONLY'}]}
    """
    return selectors_of({**targets, "ec2TagFilters": targets.get("tagFilters")})
