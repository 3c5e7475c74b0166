"""From a repository on GitHub to a host: the coordinator fetches it, the host sees a bundle and the commit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import forked
from tests.unit.gateways.github_server import COMMIT, ONE_TIME, TOKEN, GitHubServer

pytestmark = pytest.mark.local

APPSPEC = b"""version: 0.0
os: linux
files:
  - source: /page.txt
    destination: /srv/github
hooks:
  AfterInstall:
    - location: note.sh
"""
NOTE = b'#!/bin/sh\necho "$BUNDLE_COMMIT|$BUNDLE_BUCKET|$BUNDLE_ETAG" > "${TIDEGATE_HOST_ROOT:-}/var/tmp/bundle"\n'


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    found = GitHubServer()
    members = {"appspec.yml": APPSPEC, "page.txt": b"from a repository", "note.sh": NOTE}
    found.add("me/secret", members, private=True)
    with found.running():
        yield found


def test_a_private_repository_goes_to_a_host(
    separate_cloud: Callable[..., Any], make_group: Callable[..., Any], server: GitHubServer, tmp_path: Path
) -> None:
    cloud = separate_cloud(lambda text: text.replace("Default: https://api.github.com", f"Default: {server.url}"))
    fleet = make_group(cloud, "github", 1)
    env = {**os.environ, **cloud.env, "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_PAGER": ""}

    def run(program: str, *words: str, given: str = "") -> str:
        command = forked.aws() if program == "aws" else forked.calling_tidegate()
        done = command.run(words, env, given=given)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deploy() -> dict[str, Any]:
        made = run(
            "aws", "deploy", "create-deployment", "--application-name", "github", "--deployment-group-name", "group",
            "--github-location", f"repository=me/secret,commitId={COMMIT}",
        )  # fmt: skip
        return dict(fleet.wait(json.loads(made)["deploymentId"]))

    refused = deploy()
    assert (refused["status"], refused["errorInformation"]["code"]) == ("Failed", "REVISION_MISSING")
    assert "no token 'me' is stored" in refused["errorInformation"]["message"]

    run("tidegate", "github", "add-token", "me", "--application", "github", given=TOKEN)
    assert run("tidegate", "github", "list").split() == ["me"]
    deployed = deploy()
    assert deployed["status"] == "Succeeded", deployed
    assert deployed["revision"]["gitHubLocation"] == {"repository": "me/secret", "commitId": COMMIT}
    host = cloud.hosts[0]["name"]
    assert cloud.read(host, "/srv/github/page.txt") == "from a repository"
    assert cloud.read(host, "/var/tmp/bundle") == f"{COMMIT}||\n"
    sent = [(each.host, "authorization" in each.headers) for each in server.asked]
    assert sent == [("api", False), ("api", True), ("codeload", False)]

    # Without token and GitHub: what was fetched before is deployed again.
    run("aws", "deploy", "delete-git-hub-account-token", "--token-name", "me")
    assert json.loads(run("aws", "deploy", "list-git-hub-account-token-names"))["tokenNameList"] == []
    assert deploy()["status"] == "Succeeded"
    assert len(server.asked) == 3

    table = cloud.client("dynamodb")
    told = [json.dumps(table.scan(TableName=name)["Items"], default=str) for name in table.list_tables()["TableNames"]]
    logs = [path.read_text(errors="replace") for path in cloud.folder.rglob("*.log")]
    assert logs
    for text in (*told, *logs):
        assert TOKEN not in text
        assert ONE_TIME not in text
