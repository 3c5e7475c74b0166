"""On-premises instances for real: machines without EC2, registered by an activation, deployed to beside EC2's."""

from __future__ import annotations

import configparser
import json
import subprocess
from typing import Any

import boto3
import pytest
from tests.local.deployments.conftest import Cloud, tidegate

pytestmark = pytest.mark.local

SESSION = "arn:aws:sts::123456789012:assumed-role/hosts"
HOOK = "hooks:\n  AfterInstall:\n    - location: who.sh\n      timeout: 30\n"
WHO = '#!/bin/sh\necho "I am $AWS_SSM_INSTANCE_ID"\n'


def activated(cloud: Cloud, name: str, **more: Any) -> dict[str, Any]:
    """A host with an activation of this name."""
    made = cloud.client("ssm").create_activation(
        DefaultInstanceName=name, IamRole=cloud.env["TIDEGATE_HOST_ROLE"], **more
    )
    return joined(cloud, made["ActivationId"], made["ActivationCode"])


def joined(cloud: Cloud, activation: str, code: str) -> dict[str, Any]:
    done = tidegate(cloud.folder, "local", "join", "--activation-id", activation, "--activation-code", code, "--json")
    assert done.returncode == 0, done.stderr
    host: dict[str, Any] = json.loads(done.stdout)
    return host


def registered(cloud: Cloud, name: str, tag: str) -> None:
    codedeploy = cloud.client("codedeploy")
    codedeploy.register_on_premises_instance(instanceName=name, iamSessionArn=f"{SESSION}/{name}-{tag}"[:100])
    codedeploy.add_tags_to_on_premises_instances(instanceNames=[name], tags=[{"Key": "test", "Value": tag}])


def row(fleet: Any, deployment_id: str, target: str) -> dict[str, Any]:
    found = fleet.codedeploy.get_deployment_target(deploymentId=deployment_id, targetId=target)
    assert found["deploymentTarget"]["deploymentTargetType"] == "InstanceTarget"
    instance: dict[str, Any] = found["deploymentTarget"]["instanceTarget"]
    return instance


def test_ec2_and_on_premises_instances_in_one_deployment(cloud: Cloud, group: Any) -> None:
    opted_in = [{"Key": "tidegate:managed", "Value": "true"}]
    host = activated(cloud, "mixed-box", Tags=opted_in)
    closed = activated(cloud, "mixed-closed")
    assert host["id"].startswith("mi-")
    for name in ("mixed-box", "mixed-closed", "mixed-lost"):
        registered(cloud, name, "mixed")
    fleet = group(1, onPremisesInstanceTagFilters=[{"Key": "test", "Value": "mixed", "Type": "KEY_AND_VALUE"}])

    deployment_id = fleet.deploy(fleet.push("one", HOOK, {"who.sh": WHO}))
    assert fleet.wait(deployment_id)["status"] == "Succeeded", "AllAtOnce: one success is enough"
    listed = fleet.codedeploy.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
    assert sorted(listed) == sorted([fleet.hosts[0]["id"], "mixed-box", "mixed-closed", "mixed-lost"])

    box = row(fleet, deployment_id, "mixed-box")
    assert (box["status"], box["targetId"]) == ("Succeeded", "mixed-box")
    assert box["targetArn"].startswith("arn:aws:codedeploy:us-east-1:123456789012:instance/mixed-box_")
    assert row(fleet, deployment_id, box["targetArn"])["targetId"] == "mixed-box"
    assert cloud.read(host["name"], f"/srv/{fleet.name}/file.txt") == "one"
    told = cloud.client("tidegate").get_logs(deploymentId=deployment_id, targetId="mixed-box")
    assert f"I am {host['id']}" in [line["text"] for line in told["lines"]]
    report = cloud.client("tidegate").list_installations(targetId="mixed-box")["installations"]
    assert [(each["targetId"], each["result"]) for each in report] == [("mixed-box", "Succeeded")]

    whys = {
        name: next(e for e in row(fleet, deployment_id, name)["lifecycleEvents"] if e["status"] == "Failed")
        for name in ("mixed-closed", "mixed-lost")
    }
    assert f"managed node {closed['id']}" in whys["mixed-closed"]["diagnostics"]["message"]
    assert "'tidegate hosts register mixed-lost'" in whys["mixed-lost"]["diagnostics"]["message"]
    assert cloud.read(closed["name"], f"/srv/{fleet.name}/file.txt") == ""

    # What the messages say to do makes the next deployment succeed.
    cloud.client("ssm").add_tags_to_resource(ResourceType="ManagedInstance", ResourceId=closed["id"], Tags=opted_in)
    cloud.client("codedeploy").deregister_on_premises_instance(instanceName="mixed-lost")
    again = fleet.deploy(fleet.push("two"))
    assert fleet.wait(again)["status"] == "Succeeded"
    for each in (host, closed):
        assert cloud.read(each["name"], f"/srv/{fleet.name}/file.txt") == "two"


def test_a_name_without_a_node_counts_as_any_failure_does(cloud: Cloud, group: Any) -> None:
    host = activated(cloud, "rule-b", Tags=[{"Key": "tidegate:managed", "Value": "true"}])
    for name in ("rule-a", "rule-b"):
        registered(cloud, name, "rule")
    tags = [[{"Key": "test", "Value": "rule", "Type": "KEY_AND_VALUE"}], [{"Key": "test", "Type": "KEY_ONLY"}]]
    fleet = group(0, config="CodeDeployDefault.OneAtATime", onPremisesTagSet={"onPremisesTagSetList": tags})

    deployment_id = fleet.deploy(fleet.push("x"))
    info = fleet.wait(deployment_id)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert row(fleet, deployment_id, "rule-a")["status"] == "Failed"
    assert row(fleet, deployment_id, "rule-b")["status"] == "Skipped"
    assert cloud.read(host["name"], f"/srv/{fleet.name}/file.txt") == ""


def test_a_node_found_by_the_session_it_has_on_aws_and_by_its_tag(cloud: Cloud, group: Any) -> None:
    opted_in = {"Key": "tidegate:managed", "Value": "true"}
    by_session = activated(cloud, "elsewhere", Tags=[opted_in])
    by_tag = activated(cloud, "found-session", Tags=[opted_in, {"Key": "tidegate:instance-name", "Value": "found-tag"}])
    role = cloud.env["TIDEGATE_HOST_ROLE"]
    codedeploy = cloud.client("codedeploy")
    codedeploy.register_on_premises_instance(
        instanceName="found-session", iamSessionArn=f"arn:aws:sts::123456789012:assumed-role/{role}/{by_session['id']}"
    )
    codedeploy.register_on_premises_instance(
        instanceName="found-tag", iamUserArn="arn:aws:iam::123456789012:user/found-tag"
    )
    names = ["found-session", "found-tag"]
    codedeploy.add_tags_to_on_premises_instances(instanceNames=names, tags=[{"Key": "test", "Value": "found"}])
    fleet = group(0, onPremisesInstanceTagFilters=[{"Key": "test", "Value": "found", "Type": "KEY_AND_VALUE"}])
    deployment_id = fleet.deploy(fleet.push("x", HOOK, {"who.sh": WHO}))
    assert fleet.wait(deployment_id)["status"] == "Succeeded"
    for name, host in (("found-session", by_session), ("found-tag", by_tag)):
        told = cloud.client("tidegate").get_logs(deploymentId=deployment_id, targetId=name)
        assert f"I am {host['id']}" in [line["text"] for line in told["lines"]]


def test_a_machine_on_premises_has_its_activations_role_and_no_instance_profile(cloud: Cloud) -> None:
    host = activated(cloud, "roles")
    # What programs in the host find where AWS's clients look.
    found = cloud.run(host["name"], "sh", "-c", 'cat "${AWS_SHARED_CREDENTIALS_FILE:-/root/.aws/credentials}"').stdout
    profile = configparser.ConfigParser()
    profile.read_string(found)
    keys = {name: profile["default"][name] for name in profile["default"]}
    sts = boto3.client("sts", endpoint_url=cloud.env["AWS_ENDPOINT_URL"], region_name="us-east-1", **keys)
    role = cloud.env["TIDEGATE_HOST_ROLE"]
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::123456789012:assumed-role/{role}/{host['id']}"
    assert "AWS_EC2_METADATA_SERVICE_ENDPOINT" not in host["environment"]


def test_activations_that_cannot_be_used(cloud: Cloud) -> None:
    ssm = cloud.client("ssm")
    made = ssm.create_activation(IamRole=cloud.env["TIDEGATE_HOST_ROLE"], DefaultInstanceName="once")

    def join(activation: str, code: str) -> subprocess.CompletedProcess[str]:
        return tidegate(cloud.folder, "local", "join", "--activation-id", activation, "--activation-code", code)

    before = len(cloud.page("hosts"))
    for activation, code in ((made["ActivationId"], "wrong"), ("unknown", made["ActivationCode"])):
        refused = join(activation, code)
        assert (refused.returncode, "is unknown, or its code is another one" in refused.stderr) == (1, True)
    assert join(made["ActivationId"], made["ActivationCode"]).returncode == 0
    assert "as often as it may be" in join(made["ActivationId"], made["ActivationCode"]).stderr
    assert len(cloud.page("hosts")) == before + 1
    (shown,) = ssm.describe_activations(Filters=[{"FilterKey": "DefaultInstanceName", "FilterValues": ["once"]}])[
        "ActivationList"
    ]
    assert (shown["RegistrationsCount"], shown["Expired"]) == (1, False)
    assert "ActivationCode" not in shown
    with pytest.raises(ssm.exceptions.ClientError, match="ssm service principal"):
        ssm.create_activation(IamRole="tidegate-local-host")
