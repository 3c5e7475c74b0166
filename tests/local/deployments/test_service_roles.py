"""Under ``ActAsServiceRole`` always, a deployment touches the customer's resources as its group's service role."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.alarms import put_alarm
from tests.local.deployments.conftest import LIMITS, Cloud, Group, ended, made_group, started, tidegate

pytestmark = pytest.mark.local

ALLOWED = "arn:aws:iam::123456789012:role/tidegate-*"
PARAMETERS = {
    **LIMITS,
    "ActAsServiceRole": "always",
    "ServiceRoleArns": ALLOWED,
    "ServiceRoleExternalId": "shop-17",
}
BALANCED = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
OURS = {"AWS": "arn:aws:iam::123456789012:root"}


@pytest.fixture(scope="module")
def acting_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("acting")
    parameters = itertools.chain.from_iterable(("--parameter", f"{k}={v}") for k, v in PARAMETERS.items())
    up = tidegate(folder, "local", "up", "--hosts", "1", "--detach", *parameters)
    assert up.returncode == 0, up.stdout + up.stderr
    yield started(folder)
    ended(folder)


def make_role(
    cloud: Cloud, name: str, actions: list[str], principal: dict[str, str] | None = None, external_id: str = "shop-17"
) -> str:
    condition = {"StringEquals": {"sts:ExternalId": external_id}}
    trust = {"Effect": "Allow", "Principal": principal or OURS, "Action": "sts:AssumeRole", "Condition": condition}
    iam = cloud.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    rights = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [rights]})
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=policy)
    return str(arn)


def with_role(cloud: Cloud, name: str, role: str, **settings: Any) -> Group:
    fleet = made_group(cloud, name, 1)
    fleet.codedeploy.update_deployment_group(
        applicationName=name, currentDeploymentGroupName="group", serviceRoleArn=role, **settings
    )
    return fleet


def outcome(fleet: Group) -> tuple[str, str, str]:
    info = fleet.wait(fleet.deploy(fleet.push("x")), 180)
    error = info.get("errorInformation", {})
    return info["status"], error.get("code", ""), error.get("message", "")


def test_a_deployment_acts_as_a_role_that_trusts_it_and_may_do_what_it_needs(acting_cloud: Cloud) -> None:
    put_alarm(acting_cloud.client("cloudwatch"), "calm", "OK")
    role = make_role(acting_cloud, "tidegate-web", ["ec2:DescribeInstances", "cloudwatch:DescribeAlarms"])
    alarms = {"enabled": True, "alarms": [{"name": "calm"}]}
    fleet = with_role(acting_cloud, "trusting", role, alarmConfiguration=alarms)
    assert outcome(fleet) == ("Succeeded", "", "")
    assert fleet.files() == ["x"]


@pytest.mark.long
def test_roles_that_cannot_be_used(acting_cloud: Cloud) -> None:
    """Each takes the patience of a step, so all begin together."""
    cloud = acting_cloud
    rights = ["ec2:DescribeInstances"]
    codedeploys = {"Service": "codedeploy.amazonaws.com"}
    cases = {
        "missing": ("arn:aws:iam::123456789012:role/tidegate-gone", "IAM_ROLE_MISSING", "no IAM role"),
        "elsewhere": (make_role(cloud, "deployer", rights), "IAM_ROLE_PERMISSIONS", "ServiceRoleArns"),
        "untrusting": (make_role(cloud, "tidegate-a", rights, codedeploys), "IAM_ROLE_PERMISSIONS", "trust policy"),
        "other-id": (make_role(cloud, "tidegate-b", rights, external_id="x"), "IAM_ROLE_PERMISSIONS", "trust policy"),
        "alarmless": (make_role(cloud, "tidegate-d", rights), "IAM_ROLE_PERMISSIONS", "cloudwatch:DescribeAlarms"),
        "balancerless": (make_role(cloud, "tidegate-e", rights), "IAM_ROLE_PERMISSIONS", "elasticloadbalancing:Desc"),
        "rightless": (make_role(cloud, "tidegate-c", ["s3:GetObject"]), "IAM_ROLE_PERMISSIONS", "DescribeInstances"),
    }
    put_alarm(cloud.client("cloudwatch"), "unseen", "OK")
    settings: dict[str, dict[str, Any]] = {
        "alarmless": {"alarmConfiguration": {"enabled": True, "alarms": [{"name": "unseen"}]}},
        "balancerless": {"loadBalancerInfo": {"targetGroupInfoList": [{"name": "web"}]}, "deploymentStyle": BALANCED},
    }
    fleets = {name: with_role(cloud, name, role, **settings.get(name, {})) for name, (role, _, _) in cases.items()}
    begun = {name: fleet.deploy(fleet.push("x")) for name, fleet in fleets.items()}
    for name, (_, code, words) in cases.items():
        info = fleets[name].wait(begun[name], 180)
        assert (info["status"], info["errorInformation"]["code"]) == ("Failed", code), (
            f"{name}: {info['errorInformation']}"
        )
        assert words in info["errorInformation"]["message"], name
        assert fleets[name].files() == [""]
