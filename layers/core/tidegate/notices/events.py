"""Entries for the event bus in CodeDeploy's shape (AWS: "Monitoring deployments with Amazon CloudWatch Events")."""

from __future__ import annotations

from typing import Any

from tidegate.model.notices import Notice


def entry(notice: Notice, source: str, region: str, account: str, partition: str) -> dict[str, Any]:
    """What PutEvents is given, its ``Detail`` still an object and its ``Time`` in epoch seconds."""
    item, target = notice.deployment, notice.target
    application, group = item["applicationName"], item["deploymentGroupName"]
    prefix = f"arn:{partition}:codedeploy:{region}:{account}"
    of_application, of_group = f"{prefix}:application:{application}", f"{prefix}:deploymentgroup:{application}/{group}"
    detail = {
        "region": region,
        "deploymentId": item["deploymentId"],
        "state": notice.state,
        "application": application,
        "deploymentGroup": group,
        "instanceGroupId": item["deploymentGroupId"],
    }
    if target:
        kind, resources = "Instance", [target["targetArn"], of_group, of_application]
        detail["instanceId"] = target["targetId"]
    else:
        kind, resources = "Deployment", [of_application, of_group]
    return {
        "Source": source,
        "DetailType": f"CodeDeploy {kind} State-change Notification",
        "Resources": resources,
        "Detail": detail,
        "Time": notice.time,
    }
