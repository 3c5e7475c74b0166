"""``tidegate changes``, over a client that answers from a script."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tidegate_cli import changes, views

ALICE = "arn:aws:iam::123456789012:user/alice"


class Scripted:
    """Two pages of an application's changes; one change on each day."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    def list_changes(self, **request: str) -> dict[str, Any]:
        self.asked.append(request)
        if "day" in request:
            return {"changes": [self._item("CreateDeploymentConfig", applicationName="")]}
        if "nextToken" in request:
            return {"changes": [self._item("CreateApplication")]}
        return {"changes": [self._item("StopDeployment", deploymentId="d-1[red]")], "nextToken": "t"}

    def _item(self, operation: str, **more: str) -> dict[str, Any]:
        item = {"operation": operation, "applicationName": "shop", "caller": ALICE, "requestId": "r", **more}
        return {**item, "time": datetime.fromtimestamp(1764000000, UTC), "parameters": {"a": "b"}}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    found = Scripted()
    monkeypatch.setattr(changes, "tidegate", lambda: found)
    return found


def run(*words: str) -> Any:
    app = typer.Typer()
    views.register(app)
    return CliRunner().invoke(app, ["changes", *words])


def test_an_applications_changes_over_all_pages(scripted: Scripted) -> None:
    done = run("--application", "shop")
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()[1:3]
    assert first.split() == ["2025-11-24", "16:00:00", "user/alice", "StopDeployment", "shop", "d-1[red]"]
    assert "CreateApplication" in second
    assert scripted.asked == [{"applicationName": "shop"}, {"applicationName": "shop", "nextToken": "t"}]


def test_the_newest_alone_are_asked_for(scripted: Scripted) -> None:
    rows = json.loads(run("--caller", ALICE, "--last", "1", "--json").stdout)
    assert [(row["operation"], row["caller"], row["parameters"]) for row in rows] == [
        ("StopDeployment", ALICE, {"a": "b"})
    ]
    assert scripted.asked == [{"callerArn": ALICE}]


def test_days_are_asked_for_one_by_one(scripted: Scripted) -> None:
    assert len(json.loads(run("--days", "3", "--json").stdout)) == 3
    days = [request["day"] for request in scripted.asked]
    assert days == sorted(days, reverse=True)
    assert len(set(days)) == 3


def test_two_questions_at_once_are_refused(scripted: Scripted) -> None:
    done = run("--application", "a", "--caller", "b")
    assert (done.exit_code, done.output) == (
        1,
        "tidegate: --application and --caller exclude each other: give one of them\n",
    )
