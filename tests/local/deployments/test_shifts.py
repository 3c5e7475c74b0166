"""Deployments to Lambda and ECS through the real machine: what is checked before traffic could move, and what is told.

Nothing is shifted yet; a deployment that could be done says so and changes nothing.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.local

TERMINAL = {"Succeeded", "Failed", "Stopped"}
ROLE = "arn:aws:iam::123456789012:role/service"
LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"


def ended(codedeploy: Any, deployment_id: str) -> dict[str, Any]:
    """Wait until a deployment has ended."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        info: dict[str, Any] = codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        if info["status"] in TERMINAL:
            return info
        time.sleep(0.1)
    raise AssertionError(f"after 60 s: {info}")


def deployed(codedeploy: Any, name: str, revision: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Deploy a revision; the error's code and message, and the deployment."""
    made = codedeploy.create_deployment(applicationName=name, deploymentGroupName="group", revision=revision)
    info = ended(codedeploy, made["deploymentId"])
    assert info["status"] == "Failed"
    return info["errorInformation"]["code"], info["errorInformation"]["message"], info


def content(appspec: Any) -> dict[str, Any]:
    text = appspec if isinstance(appspec, str) else json.dumps(appspec)
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": text}}


def stored(s3: Any, key: str, data: str, kind: str) -> dict[str, Any]:
    s3.put_object(Bucket="revisions", Key=key, Body=data.encode())
    return {"revisionType": "S3", "s3Location": {"bucket": "revisions", "key": key, "bundleType": kind}}


def shop_appspec(**changes: str) -> dict[str, Any]:
    properties = {"Name": "shift-shop", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2", **changes}
    return {"version": 0.0, "Resources": [{"Shop": {"Type": "AWS::Lambda::Function", "Properties": properties}}]}


@pytest.fixture
def function(cloud: Any) -> Iterator[Any]:
    """A function with two versions, the first of which takes all traffic of the alias ``live``."""
    client, iam = cloud.client("lambda"), cloud.client("iam")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return 1\n")
    role = iam.create_role(RoleName="shift-shop", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client.create_function(
        FunctionName="shift-shop", Runtime="python3.13", Role=role, Handler="app.handler",
        Code={"ZipFile": buffer.getvalue()},
    )  # fmt: skip
    client.publish_version(FunctionName="shift-shop")
    client.update_function_code(FunctionName="shift-shop", ZipFile=buffer.getvalue() + b" ")
    client.publish_version(FunctionName="shift-shop")
    client.create_alias(FunctionName="shift-shop", Name="live", FunctionVersion="1")
    yield client
    client.delete_function(FunctionName="shift-shop")
    iam.delete_role(RoleName="shift-shop")


def test_deployments_to_lambda(cloud: Any, function: Any) -> None:
    codedeploy, s3 = cloud.client("codedeploy"), cloud.client("s3")
    s3.create_bucket(Bucket="revisions")
    codedeploy.create_application(applicationName="shift-lambda", computePlatform="Lambda")
    codedeploy.create_deployment_group(
        applicationName="shift-lambda", deploymentGroupName="group", serviceRoleArn=ROLE,
        deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes",
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    )  # fmt: skip

    refused = [
        (content("version: 0.0\nresources: []\n"), "INVALID_REVISION", "exactly one entry"),
        (stored(s3, "shift/bad.yaml", "- no map", "YAML"), "INVALID_REVISION", "must be a map"),
        (
            {"revisionType": "S3", "s3Location": {"bucket": "revisions", "key": "shift/no.yaml", "bundleType": "YAML"}},
            "REVISION_MISSING",
            "does not exist",
        ),
        (content(shop_appspec(Name="nobody")), "INVALID_LAMBDA_FUNCTION", "'nobody' does not exist"),
        (content(shop_appspec(Alias="nightly")), "INVALID_LAMBDA_FUNCTION", "no alias 'nightly'"),
        (content(shop_appspec(TargetVersion="7")), "INVALID_LAMBDA_FUNCTION", "no version 7"),
        (
            content(shop_appspec(CurrentVersion="2", TargetVersion="1")),
            "INVALID_LAMBDA_CONFIGURATION",
            "points to version 1",
        ),
        (content(shop_appspec(TargetVersion="1")), "INVALID_LAMBDA_CONFIGURATION", "nothing to shift"),
    ]
    for revision, code, words in refused:
        found, message, _ = deployed(codedeploy, "shift-lambda", revision)
        assert (found, words in message) == (code, True), message
    split = {"AdditionalVersionWeights": {"2": 0.1}}
    function.update_alias(FunctionName="shift-shop", Name="live", FunctionVersion="1", RoutingConfig=split)
    code, message, _ = deployed(codedeploy, "shift-lambda", content(shop_appspec()))
    assert (code, "10% to version 2" in message) == ("INVALID_LAMBDA_CONFIGURATION", True), message
    function.update_alias(
        FunctionName="shift-shop", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {}}
    )

    for revision in (content(shop_appspec()), stored(s3, "shift/good.json", json.dumps(shop_appspec()), "JSON")):
        code, message, info = deployed(codedeploy, "shift-lambda", revision)
        assert (code, "not available in this version of Tidegate" in message) == ("INTERNAL_ERROR", True), message
        assert info["computePlatform"] == "Lambda"
        assert info["deploymentOverview"]["Skipped"] == 1
        assert "content" not in info["revision"].get("appSpecContent", {})
        deployment_id = info["deploymentId"]
        assert codedeploy.list_deployment_targets(deploymentId=deployment_id)["targetIds"] == ["shift-shop:live"]
        arn = "arn:aws:lambda:us-east-1:123456789012:function:shift-shop:live"
        for name in ("shift-shop:live", arn):
            answer = codedeploy.get_deployment_target(deploymentId=deployment_id, targetId=name)["deploymentTarget"]
            assert answer["deploymentTargetType"] == "LambdaTarget"
            target = answer["lambdaTarget"]
            assert (target["targetId"], target["targetArn"], target["status"]) == ("shift-shop:live", arn, "Skipped")
            assert target["lambdaFunctionInfo"] == {
                "functionName": "shift-shop", "functionAlias": "live", "currentVersion": "1", "targetVersion": "2",
                "targetVersionWeight": 0,
            }  # fmt: skip
    assert function.get_alias(FunctionName="shift-shop", Name="live")["FunctionVersion"] == "1"
    for command in ("watch", "logs", "decisions"):
        done = subprocess.run(
            [str(Path(sys.executable).parent / "tidegate"), command, deployment_id],
            env={**os.environ, **cloud.env}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode == (1 if command == "watch" else 0), done.stdout + done.stderr
        assert ("not available in this version" in " ".join(done.stdout.split())) == (command != "logs"), done.stdout


@pytest.fixture
def service(cloud: Any) -> Iterator[Any]:
    """A service that CodeDeploy controls, with its primary task set, and one that it does not."""
    ecs = cloud.client("ecs")
    ecs.create_cluster(clusterName="shift")
    container = {"name": "web", "image": "web", "memory": 128, "portMappings": [{"containerPort": 80}]}
    ecs.register_task_definition(family="shift-web", containerDefinitions=[container])
    for name, controller in (("web", "CODE_DEPLOY"), ("plain", "ECS")):
        ecs.create_service(
            cluster="shift", serviceName=name, taskDefinition="shift-web:1", desiredCount=1,
            deploymentController={"type": controller},
        )  # fmt: skip
    made = ecs.create_task_set(cluster="shift", service="web", taskDefinition="shift-web:1")["taskSet"]
    ecs.update_service_primary_task_set(cluster="shift", service="web", primaryTaskSet=made["taskSetArn"])
    yield ecs
    for name in ("web", "plain"):
        ecs.delete_service(cluster="shift", service=name, force=True)
    ecs.delete_cluster(cluster="shift")


def task_appspec(task: str = "shift-web:1", container: str = "web", port: int = 80) -> dict[str, Any]:
    properties = {
        "TaskDefinition": f"arn:aws:ecs:us-east-1:123456789012:task-definition/{task}",
        "LoadBalancerInfo": {"ContainerName": container, "ContainerPort": port},
    }
    return {"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}]}


def test_deployments_to_ecs(cloud: Any, service: Any) -> None:
    codedeploy, s3 = cloud.client("codedeploy"), cloud.client("s3")
    s3.create_bucket(Bucket="revisions")
    codedeploy.create_application(applicationName="shift-ecs", computePlatform="ECS")
    codedeploy.create_deployment_group(
        applicationName="shift-ecs", deploymentGroupName="group", serviceRoleArn=ROLE,
        ecsServices=[{"clusterName": "shift", "serviceName": "web"}],
        loadBalancerInfo={"targetGroupPairInfoList": [{
            "targetGroups": [{"name": "blue"}, {"name": "green"}], "prodTrafficRoute": {"listenerArns": [LISTENER]},
        }]},
    )  # fmt: skip
    refused = [
        (content("version: 0.0\n"), "INVALID_REVISION", "exactly one entry"),
        (stored(s3, "shift/ecs.json", '{"version": 0.0, "version": 0.0}', "JSON"), "INVALID_REVISION", "twice"),
        (content(task_appspec("shift-web:9")), "INVALID_ECS_SERVICE", "shift-web:9"),
        (content(task_appspec(container="db")), "INVALID_ECS_SERVICE", "no container 'db'; it has web"),
        (content(task_appspec(port=81)), "INVALID_ECS_SERVICE", "does not open port 81; it opens 80"),
    ]
    for revision, code, words in refused:
        found, message, _ = deployed(codedeploy, "shift-ecs", revision)
        assert (found, words in message) == (code, True), message
    for names, words in (
        ({"clusterName": "shift", "serviceName": "nobody"}, "'shift:nobody'"),
        ({"clusterName": "nowhere", "serviceName": "web"}, "'nowhere:web'"),
        ({"clusterName": "shift", "serviceName": "plain"}, "deployment controller ECS"),
    ):
        codedeploy.update_deployment_group(
            applicationName="shift-ecs", currentDeploymentGroupName="group", ecsServices=[names]
        )
        code, message, _ = deployed(codedeploy, "shift-ecs", content(task_appspec()))
        assert (code, words in message) == ("INVALID_ECS_SERVICE", True), message
    codedeploy.update_deployment_group(
        applicationName="shift-ecs", currentDeploymentGroupName="group",
        ecsServices=[{"clusterName": "shift", "serviceName": "web"}],
    )  # fmt: skip

    code, message, info = deployed(codedeploy, "shift-ecs", content(task_appspec()))

    assert (code, "not available in this version of Tidegate" in message) == ("INTERNAL_ERROR", True), message
    assert info["deploymentConfigName"] == "CodeDeployDefault.ECSAllAtOnce"
    deployment_id, arn = info["deploymentId"], "arn:aws:ecs:us-east-1:123456789012:service/shift/web"
    (answer,) = codedeploy.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=[arn])[
        "deploymentTargets"
    ]
    assert answer["deploymentTargetType"] == "ECSTarget"
    target = answer["ecsTarget"]
    assert (target["targetId"], target["targetArn"], target["status"]) == ("shift:web", arn, "Skipped")
    assert len(target["lifecycleEvents"]) == 8
    (tasks,) = target["taskSetsInfo"]
    assert (tasks["status"], tasks["taskSetLabel"], tasks["trafficWeight"]) == ("PRIMARY", "Blue", 100.0)
    assert len(service.describe_services(cluster="shift", services=["web"])["services"][0]["taskSets"]) == 1


def test_aws_ecs_deploy_finds_all_that_it_reads(cloud: Any, service: Any, tmp_path: Path) -> None:
    """The unmodified command registers a task definition, checks application and group, deploys and waits."""
    codedeploy = cloud.client("codedeploy")
    codedeploy.create_application(applicationName="shift-cli", computePlatform="ECS")
    codedeploy.create_deployment_group(
        applicationName="shift-cli", deploymentGroupName="group", serviceRoleArn=ROLE,
        ecsServices=[{"clusterName": "shift", "serviceName": "plain"}],
        loadBalancerInfo={"targetGroupPairInfoList": [{
            "targetGroups": [{"name": "blue"}, {"name": "green"}], "prodTrafficRoute": {"listenerArns": [LISTENER]},
        }]},
    )  # fmt: skip
    container = {"name": "web", "image": "web:2", "memory": 128, "portMappings": [{"containerPort": 80}]}
    (tmp_path / "task.json").write_text(json.dumps({"family": "shift-cli", "containerDefinitions": [container]}))
    (tmp_path / "appspec.json").write_text(json.dumps(task_appspec("anything:1")))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "aws"), "ecs", "deploy", "--cluster", "shift", "--service", "plain",
            "--task-definition", "task.json", "--codedeploy-appspec", "appspec.json",
            "--codedeploy-application", "shift-cli", "--codedeploy-deployment-group", "group",
        ],
        env={**clean, **cloud.env, "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_PAGER": ""},
        capture_output=True, text=True, timeout=100, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert "Successfully registered new ECS task definition" in done.stdout, done.stdout + done.stderr
    # What follows fails as it must: nothing is shifted yet, and this service is not CodeDeploy's.
    assert done.returncode != 0
    assert "DeploymentSuccessful failed" in done.stderr, done.stdout + done.stderr
    (deployment_id,) = codedeploy.list_deployments(applicationName="shift-cli", deploymentGroupName="group")[
        "deployments"
    ]
    error = codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]["errorInformation"]
    assert (error["code"], "deployment controller ECS" in error["message"]) == ("INVALID_ECS_SERVICE", True)
