"""Revisions from GitHub at the API: deployments of them, and the names of tokens."""

from __future__ import annotations

import pytest
from tests.unit.api.world import ALICE, TIDEGATE, Refused, World

GITHUB = {"revisionType": "GitHub", "gitHubLocation": {"repository": "me/shop", "commitId": "a" * 40}}


def test_a_revision_on_github_is_deployed_and_known_from_then_on(world: World) -> None:
    world.shop()
    with pytest.raises(Refused) as caught:
        world.deploy(revision={**GITHUB, "gitHubLocation": {"repository": "me/shop", "commitId": "main"}})
    assert caught.value.code == "InvalidRevisionException"
    deployed = world.deploy(revision=GITHUB)
    assert world.call("GetDeployment", deploymentId=deployed)["deploymentInfo"]["revision"] == GITHUB
    assert world.executions.started == [(deployed, 1)]
    listed = world.call("ListApplicationRevisions", applicationName="shop")
    assert listed["revisions"] == [GITHUB]


def test_tokens_are_listed_by_name_over_pages(world: World) -> None:
    assert world.call("ListGitHubAccountTokenNames") == {"tokenNameList": []}
    world.github_tokens.update(f"team-{n:03d}" for n in range(150))
    first = world.call("ListGitHubAccountTokenNames")
    assert first["tokenNameList"][0] == "team-000"
    rest = world.call("ListGitHubAccountTokenNames", nextToken=first["nextToken"])
    assert first["tokenNameList"] + rest["tokenNameList"] == sorted(world.github_tokens)
    with pytest.raises(Refused) as caught:
        world.call("ListGitHubAccountTokenNames", nextToken="x")
    assert caught.value.code == "InvalidNextTokenException"


def test_a_deleted_token_is_gone_and_who_did_it_is_known(world: World) -> None:
    world.github_tokens.update({"me", "you"})
    assert world.call("DeleteGitHubAccountToken", tokenName="Me") == {"tokenName": "Me"}
    assert world.github_tokens == {"you"}
    (change,) = world.call("ListChanges", service=TIDEGATE, callerArn=ALICE)["changes"]
    assert (change["operation"], change["parameters"]) == ("DeleteGitHubAccountToken", {"tokenName": "Me"})


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "GitHubAccountTokenNameRequiredException"),
        ({"tokenName": ""}, "GitHubAccountTokenNameRequiredException"),
        ({"tokenName": "../../other"}, "InvalidGitHubAccountTokenNameException"),
        ({"tokenName": "x" * 101}, "InvalidGitHubAccountTokenNameException"),
        ({"tokenName": "nobody"}, "GitHubAccountTokenDoesNotExistException"),
    ],
)
def test_what_cannot_be_deleted_is_refused_and_leaves_no_record(world: World, given: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as caught:
        world.call("DeleteGitHubAccountToken", **given)
    assert caught.value.code == code
    assert world.call("ListChanges", service=TIDEGATE, callerArn=ALICE)["changes"] == []
