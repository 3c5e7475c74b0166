"""``tidegate github``: what it stores, and that a token shows nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from tidegate_cli import github

TOKEN = "github_pat_correct-horse"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_DATA_PATH", "TIDEGATE_STACK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield boto3.client("secretsmanager")


def run(*words: str, given: str = "") -> Any:
    return CliRunner().invoke(github.app, list(words), input=given)


def test_a_token_is_stored_and_replaced_and_never_shown(secrets: Any) -> None:
    first = run("add-token", "Me", given="github_pat_old\n")
    second = run("add-token", "me", "--application", "shop", "--application", "team-*", given=f"{TOKEN}\n")
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    held = json.loads(secrets.get_secret_value(SecretId="tidegate/github/me")["SecretString"])
    assert held == {"token": TOKEN, "applications": ["shop", "team-*"]}
    assert TOKEN not in second.output
    assert "'me' is stored" in second.output


def test_the_stack_is_part_of_the_secrets_name(secrets: Any) -> None:
    assert run("add-token", "me", "--stack", "prod", given=TOKEN).exit_code == 0
    assert json.loads(secrets.get_secret_value(SecretId="prod/github/me")["SecretString"])["applications"] == ["*"]


@pytest.mark.parametrize(("name", "given"), [("me", ""), ("me", "two words"), ("me", "tok\x07en"), ("a/b", TOKEN)])
def test_what_is_no_token_or_name_is_refused_without_repeating_it(secrets: Any, name: str, given: str) -> None:
    done = run("add-token", name, given=given)
    assert done.exit_code == 1
    assert not given or given not in done.output
    assert secrets.list_secrets()["SecretList"] == []


def test_tokens_are_listed_and_deleted_by_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    deleted: list[str] = []

    class Client:
        def list_git_hub_account_token_names(self, **given: str) -> dict[str, Any]:
            return {"tokenNameList": ["you"]} if given else {"tokenNameList": ["me"], "nextToken": "t"}

        def delete_git_hub_account_token(self, tokenName: str) -> None:
            deleted.append(tokenName)

    monkeypatch.setattr(github, "codedeploy", Client)
    assert run("list").output.split() == ["me", "you"]
    assert run("delete-token", "me").exit_code == 0
    assert deleted == ["me"]
