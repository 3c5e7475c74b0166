"""The unmodified AWS command line against the local cloud, verb by verb."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import forked

pytestmark = pytest.mark.local

SCRIPTS = "hooks:\n  AfterInstall:\n    - location: wait.sh\n      timeout: 30\n"


@pytest.fixture
def aws(cloud: Any, tmp_path: Path) -> Callable[..., Any]:
    """``aws deploy …`` with nothing but what ``tidegate local env`` prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env = {**clean, **cloud.env, "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_PAGER": ""}

    def run(*args: str, fails: bool = False) -> Any:
        done = forked.aws().run(args, env, tmp_path)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        if fails:
            return done.stderr
        return json.loads(done.stdout) if done.stdout.lstrip().startswith("{") else done.stdout

    return run


def test_a_day_with_aws_deploy(cloud: Any, aws: Callable[..., Any], tmp_path: Path) -> None:
    ec2 = cloud.client("ec2")
    host = cloud.hosts[0]
    ec2.create_tags(Resources=[host["id"]], Tags=[{"Key": "cli", "Value": "yes"}])
    source = tmp_path / "source"
    source.mkdir()
    (source / "appspec.yml").write_text(
        f"version: 0.0\nos: linux\nfiles:\n  - source: /page.txt\n    destination: /srv/cli\n{SCRIPTS}"
    )
    (source / "page.txt").write_text("from the command line")
    # Each deployment waits for the test, which lets it go on.
    (source / "wait.sh").write_text("#!/bin/sh\nuntil [ -e /srv/go-$DEPLOYMENT_ID ]; do sleep 0.2; done\n")
    (source / "wait.sh").chmod(0o755)
    here = ("--application-name", "cli")
    group = (*here, "--deployment-group-name", "prod")

    assert re.fullmatch(r"[0-9a-f-]{36}", aws("deploy", "create-application", *here)["applicationId"])
    made = aws(
        "deploy", "create-deployment-group", *group,
        "--ec2-tag-filters", "Key=cli,Value=yes,Type=KEY_AND_VALUE",
        "--service-role-arn", "arn:aws:iam::123456789012:role/service",
        "--deployment-config-name", "CodeDeployDefault.OneAtATime",
    )  # fmt: skip
    assert re.fullmatch(r"[0-9a-f-]{36}", made["deploymentGroupId"])
    aws("s3", "mb", "s3://cli-revisions")
    pushed = aws("deploy", "push", *here, "--s3-location", "s3://cli-revisions/cli.zip", "--source", str(source))
    etag = re.search(r"eTag=([0-9a-f]+)", pushed)
    assert etag, pushed
    location = f"bucket=cli-revisions,key=cli.zip,bundleType=zip,eTag={etag[1]}"

    listed = aws("deploy", "list-application-revisions", *here)["revisions"]
    assert [each["s3Location"]["key"] for each in listed] == ["cli.zip"]
    known = aws("deploy", "get-application-revision", *here, "--s3-location", location)["revisionInfo"]
    assert known["description"].startswith("Uploaded by AWS CLI")
    assert "firstUsedTime" not in known

    deployment = aws("deploy", "create-deployment", *group, "--s3-location", location)["deploymentId"]
    assert re.fullmatch(r"d-[A-Z0-9]{9}", deployment)
    busy = aws("deploy", "create-deployment", *group, "--s3-location", location, fails=True)
    assert "DeploymentLimitExceededException" in busy
    assert f"'{deployment}'" in busy
    cloud.run(host["name"], "touch", f"/srv/go-{deployment}")
    aws("deploy", "wait", "deployment-successful", "--deployment-id", deployment)

    info = aws("deploy", "get-deployment", "--deployment-id", deployment)["deploymentInfo"]
    assert (info["status"], info["creator"]) == ("Succeeded", "user")
    assert aws("deploy", "list-deployments", *group)["deployments"] == [deployment]
    assert aws("deploy", "list-deployments", *group, "--include-only-statuses", "Failed")["deployments"] == []
    targets = aws("deploy", "list-deployment-targets", "--deployment-id", deployment)["targetIds"]
    assert targets == [host["id"]]
    rows = aws("deploy", "batch-get-deployment-targets", "--deployment-id", deployment, "--target-ids", *targets)
    row = rows["deploymentTargets"][0]["instanceTarget"]
    assert row["status"] == "Succeeded"
    assert [event["lifecycleEventName"] for event in row["lifecycleEvents"]][-1] == "ValidateService"
    used = aws("deploy", "get-application-revision", *here, "--s3-location", location)["revisionInfo"]
    assert used["deploymentGroups"] == ["prod"]
    assert "lastUsedTime" in used
    assert cloud.read(host["name"], "/srv/cli/page.txt") == "from the command line"

    again = aws("deploy", "create-deployment", *group, "--s3-location", location)["deploymentId"]
    stopped = aws("deploy", "stop-deployment", "--deployment-id", again)
    assert stopped["status"] in ("Pending", "Succeeded")
    cloud.run(host["name"], "touch", f"/srv/go-{again}")
    unknown = aws("deploy", "get-deployment", "--deployment-id", "d-000000000", fails=True)
    assert "DeploymentDoesNotExistException" in unknown
    assert "waiter" in aws("deploy", "wait", "deployment-successful", "--deployment-id", again, fails=True).lower()
    over = aws("deploy", "get-deployment", "--deployment-id", again)["deploymentInfo"]
    assert (over["status"], over["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")


def test_decisions_and_installations_by_the_same_client(cloud: Any, aws: Callable[..., Any]) -> None:
    told = aws("tidegate", "list-installations", "--target-id", cloud.hosts[3]["id"])
    assert isinstance(told["installations"], list)
    assert "Exception" in aws("tidegate", "list-decisions", "--deployment-id", "d-000000000", fails=True)


def test_on_premises_instances_with_aws_deploy(cloud: Any, aws: Callable[..., Any], tmp_path: Path) -> None:
    """``register`` and ``deregister`` make the IAM user, its key and the configuration file, too."""
    iam = cloud.client("iam")
    aws("deploy", "register", "--instance-name", "cli-box", "--tags", "Key=cli,Value=yes")
    assert iam.get_user(UserName="cli-box")["User"]["Path"] == "/AWS/CodeDeploy/"
    assert (tmp_path / "codedeploy.onpremises.yml").is_file()
    info = aws("deploy", "get-on-premises-instance", "--instance-name", "cli-box")["instanceInfo"]
    assert info["iamUserArn"] == "arn:aws:iam::123456789012:user/AWS/CodeDeploy/cli-box"
    assert info["tags"] == [{"Key": "cli", "Value": "yes"}]

    session = "arn:aws:sts::123456789012:assumed-role/hosts/cli-two"
    aws("deploy", "register-on-premises-instance", "--instance-name", "cli-two", "--iam-session-arn", session)
    taken = aws(
        "deploy", "register-on-premises-instance", "--instance-name", "cli-3", "--iam-session-arn", session, fails=True
    )
    assert "IamSessionArnAlreadyRegisteredException" in taken
    both = ("--instance-names", "cli-box", "cli-two")
    aws("deploy", "add-tags-to-on-premises-instances", *both, "--tags", "Key=floor,Value=2")
    wanted = ("--tag-filters", "Key=floor,Value=2,Type=KEY_AND_VALUE")
    assert aws("deploy", "list-on-premises-instances", *wanted)["instanceNames"] == ["cli-box", "cli-two"]
    aws("deploy", "remove-tags-from-on-premises-instances", *both, "--tags", "Key=floor,Value=2")
    assert aws("deploy", "list-on-premises-instances", *wanted)["instanceNames"] == []
    found = aws("deploy", "batch-get-on-premises-instances", *both)["instanceInfos"]
    assert [each["instanceName"] for each in found] == ["cli-box", "cli-two"]

    aws("deploy", "deregister", "--instance-name", "cli-box")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_user(UserName="cli-box")
    aws("deploy", "deregister-on-premises-instance", "--instance-name", "cli-two")
    gone = aws("deploy", "list-on-premises-instances", "--registration-status", "Deregistered")["instanceNames"]
    assert {"cli-box", "cli-two"} <= set(gone)
    refused = aws("deploy", "register", "--instance-name", "i-12345678", fails=True)
    assert "i-" in refused
