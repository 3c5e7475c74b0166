"""The API in the local cloud, under its own role: an application is renamed while it deploys, tagged and deleted."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.local


def test_an_application_is_renamed_while_it_deploys(group: Any) -> None:
    fleet = group(2, config="CodeDeployDefault.OneAtATime")
    codedeploy, old, new = fleet.codedeploy, fleet.name, f"{fleet.name}-renamed"
    scripts = {"slow.sh": "#!/bin/sh\nsleep 2\n"}
    hooks = "hooks:\n  AfterInstall:\n    - location: slow.sh\n      timeout: 20\n"

    running = fleet.deploy(fleet.push("one", hooks, scripts))
    fleet.until(running, lambda info: info["status"] == "InProgress")
    codedeploy.update_application(applicationName=old, newApplicationName=new)
    info = fleet.wait(running)

    assert (info["status"], info["applicationName"]) == ("Succeeded", new)
    assert fleet.files() == ["one"] * 2
    names = {"applicationName": new, "deploymentGroupName": "group"}
    found = codedeploy.get_deployment_group(**names)["deploymentGroupInfo"]
    assert found["lastSuccessfulDeployment"]["deploymentId"] == running
    assert codedeploy.list_deployments(**names)["deployments"] == [running]
    host = codedeploy.list_deployment_instances(deploymentId=running)["instancesList"][0]
    one = codedeploy.get_deployment_instance(deploymentId=running, instanceId=host)["instanceSummary"]
    assert (one["status"], one["instanceId"].endswith(f":instance/{host}")) == ("Succeeded", True)

    arn = f"arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:{new}/group"
    codedeploy.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "a"}])
    assert codedeploy.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "a"}]

    fleet.name = new
    again = fleet.deploy(fleet.push("two"))
    assert fleet.wait(again)["status"] == "Succeeded"
    codedeploy.delete_application(applicationName=new)
    assert not {old, new} & set(codedeploy.list_applications()["applications"])
    with pytest.raises(codedeploy.exceptions.ApplicationDoesNotExistException):
        codedeploy.list_deployment_groups(applicationName=new)
