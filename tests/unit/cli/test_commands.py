"""`watch`, `report` and `decisions` as a user calls them, over clients that answer from a script."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from botocore.exceptions import ClientError
from rich.console import Console
from typer.testing import CliRunner

from tidegate_cli import decisions, report, views, watch
from tidegate_cli.watch import Watcher, render, show

T0 = 1_764_000_000.0


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(T0 + seconds, UTC)


class ScriptedCodeDeploy:
    """A fleet of which one host after the other succeeds, at each look."""

    def __init__(self, hosts: int, ends: str = "Succeeded") -> None:
        self.hosts = [f"i-{number:03d}" for number in range(hosts)]
        self.ends = ends
        self.looks = 0
        self.asked: list[list[str]] = []

    def get_deployment(self, deploymentId: str) -> dict[str, Any]:
        if deploymentId != "d-1":
            error = {"Code": "DeploymentDoesNotExistException", "Message": f"No deployment {deploymentId}"}
            raise ClientError({"Error": error}, "GetDeployment")
        self.looks += 1
        done = min(self.looks - 1, len(self.hosts))
        status = self.ends if done == len(self.hosts) else "InProgress" if self.looks > 1 else "Created"
        return {
            "deploymentInfo": {
                "deploymentId": deploymentId,
                "status": status,
                "createTime": at(0),
                "deploymentConfigName": "half",
                "revision": {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k"}},
                "deploymentOverview": {"Pending": len(self.hosts) - done, "Succeeded": done},
            }
        }

    def get_deployment_config(self, deploymentConfigName: str) -> dict[str, Any]:
        return {
            "deploymentConfigInfo": {"minimumHealthyHosts": {"type": "FLEET_PERCENT", "value": 50}},
        }

    def list_deployment_targets(self, deploymentId: str, nextToken: str = "") -> dict[str, Any]:
        first = int(nextToken or 0)
        page: dict[str, Any] = {"targetIds": self.hosts[first : first + 20]}
        if first + 20 < len(self.hosts):
            page["nextToken"] = str(first + 20)
        return page

    def batch_get_deployment_targets(self, deploymentId: str, targetIds: list[str]) -> dict[str, Any]:
        self.asked.append(targetIds)
        done = self.looks - 1
        return {
            "deploymentTargets": [
                {
                    "instanceTarget": {
                        "targetId": target,
                        "status": "Succeeded" if self.hosts.index(target) < done else "Pending",
                    }
                }
                for target in targetIds
            ]
        }

    def list_deployments(self, **request: Any) -> dict[str, Any]:
        return {"deployments": ["d-2", "d-1"]}


class ScriptedTidegate:
    """Two pages of decisions and installations."""

    def list_decisions(self, **request: str) -> Mapping[str, Any]:
        if "nextToken" not in request:
            first = {"time": at(1), "kind": "batch", "code": "STARTED", "reason": "three of 6 hosts started"}
            return {"decisions": [first], "nextToken": "more"}
        last = {"time": at(9), "kind": "verdict", "code": "SUCCEEDED", "reason": "All 6 hosts succeeded."}
        return {"decisions": [last]}

    def list_installations(self, **request: str) -> Mapping[str, Any]:
        host = request.get("targetId")
        deployment = request.get("deploymentId", "d-1")
        one: dict[str, Any] = {
            "applicationName": "shop",
            "deploymentGroupName": "prod",
            "deploymentId": deployment,
            "location": {"revisionType": "S3", "s3Location": {"bucket": "b", "key": f"{deployment}.zip"}},
            "result": "Succeeded",
        }
        if host:
            return {"installations": [one | {"startTime": at(5), "endTime": at(6)}]}
        if "nextToken" not in request:
            later = one | {"targetId": "i-2", "startTime": at(5), "endTime": at(7.5), "result": "Failed"}
            return {"installations": [later], "nextToken": "more"}
        return {"installations": [one | {"targetId": "i-1", "startTime": at(2), "endTime": at(4)}]}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setattr(watch, "codedeploy", lambda: ScriptedCodeDeploy(3))
    monkeypatch.setattr(report, "codedeploy", lambda: ScriptedCodeDeploy(3))
    monkeypatch.setattr(report, "tidegate", ScriptedTidegate)
    monkeypatch.setattr(decisions, "tidegate", ScriptedTidegate)
    root = typer.Typer()
    views.register(root)
    return root


def test_watch_prints_the_end_as_json(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["watch", "d-1", "--json", "--interval", "0.1"])

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["status"], found["minimumHealthyHosts"], len(found["hosts"])) == ("Succeeded", 2, 3)


def test_watch_prints_a_line_a_change_where_there_is_no_terminal(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["watch", "d-1", "--interval", "0.1"])

    assert result.stdout.splitlines() == [
        "d-1 Created (s3://b/k)",
        "d-1 InProgress (s3://b/k)",
        "d-1 i-000 Succeeded",
        "d-1 i-001 Succeeded",
        "d-1 Succeeded (s3://b/k)",
        "d-1 i-002 Succeeded",
    ]


def test_watch_of_a_deployment_that_fails_ends_with_status_1(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "codedeploy", lambda: ScriptedCodeDeploy(1, ends="Failed"))

    assert CliRunner().invoke(app, ["watch", "d-1", "--interval", "0.1"]).exit_code == 1


def test_a_refused_call_is_one_line_that_says_what_was_refused(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["watch", "d-unknown"])

    assert result.exit_code == 1
    assert result.stderr == "tidegate: GetDeployment was refused: No deployment d-unknown\n"


def test_without_an_endpoint_nothing_is_sent_to_the_service_of_the_same_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_CODEDEPLOY", raising=False)
    root = typer.Typer()
    views.register(root)

    result = CliRunner().invoke(root, ["watch", "d-1"])

    assert result.exit_code == 1
    assert "AWS_ENDPOINT_URL_CODEDEPLOY is not set" in result.stderr
    assert "tidegate local env" in result.stderr


def test_a_large_fleet_is_read_in_pages_and_hosts_that_ended_are_not_asked_for_again() -> None:
    client = ScriptedCodeDeploy(60)
    watcher = Watcher(client, "d-1")  # type: ignore[arg-type]

    seen = list(watcher.views(interval=0, clock=lambda: T0, sleep=lambda seconds: None))

    assert [len(view.rows) for view in seen] == [0] + [60] * 60
    assert max(len(asked) for asked in client.asked) == 25
    assert client.asked[-1] == ["i-059"]


def test_the_live_view_shows_rows_and_the_count_against_the_minimum() -> None:
    client = ScriptedCodeDeploy(4)
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    watcher = Watcher(client, "d-1", {"i-000": "host-1"})  # type: ignore[arg-type]

    last = show(watcher.views(0, clock=lambda: T0 + 75, sleep=lambda seconds: None), console)

    console.file = io.StringIO()
    console.print(render(last))
    text = console.file.getvalue()
    assert "d-1  Succeeded  s3://b/k  1 min 15 s" in text
    assert "healthy 4 of 4, at least 2 must be; done 4" in text
    assert [line.split()[:2] for line in text.splitlines()[3:7]] == [
        ["host-1", "Succeeded"],
        ["i-001", "Succeeded"],
        ["i-002", "Succeeded"],
        ["i-003", "Succeeded"],
    ]


def test_report_of_a_deployment_is_in_order_of_time(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["report", "--deployment", "d-1", "--json"])

    assert json.loads(result.stdout) == [
        {
            "targetId": "i-1",
            "deploymentId": "d-1",
            "applicationName": "shop",
            "deploymentGroupName": "prod",
            "revision": "s3://b/d-1.zip",
            "result": "Succeeded",
            "startTime": "2025-11-24T16:00:02.000Z",
            "endTime": "2025-11-24T16:00:04.000Z",
        },
        {
            "targetId": "i-2",
            "deploymentId": "d-1",
            "applicationName": "shop",
            "deploymentGroupName": "prod",
            "revision": "s3://b/d-1.zip",
            "result": "Failed",
            "startTime": "2025-11-24T16:00:05.000Z",
            "endTime": "2025-11-24T16:00:07.500Z",
        },
    ]


def test_report_of_a_host_names_the_host(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["report", "--host", "i-7", "--json"])

    assert [row["targetId"] for row in json.loads(result.stdout)] == ["i-7"]


def test_report_without_a_choice_covers_the_last_deployments_oldest_first(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["report", "--json"])

    assert [row["deploymentId"] for row in json.loads(result.stdout)] == ["d-1", "d-1", "d-2", "d-2"]


def test_report_as_a_table_has_every_column(app: typer.Typer) -> None:
    lines = CliRunner().invoke(app, ["report", "--deployment", "d-1"]).stdout.splitlines()

    assert lines[0].split() == ["Host", "Revision", "Deployment", "Result", "Started", "Took"]
    assert lines[2].split()[:4] == ["i-2", "s3://b/d-1.zip", "d-1", "Failed"]
    assert lines[2].split()[-2:] == ["2.5", "s"]


def test_report_refuses_two_choices(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["report", "--host", "i-1", "--deployment", "d-1"])

    assert result.exit_code == 1
    assert "exclude each other" in result.stderr


def test_decisions_are_sentences_in_order(app: typer.Typer) -> None:
    lines = CliRunner().invoke(app, ["decisions", "d-1"]).stdout.splitlines()

    assert [line.strip().split(maxsplit=2)[1:] for line in lines] == [
        ["STARTED", "Three of 6 hosts started."],
        ["SUCCEEDED", "All 6 hosts succeeded."],
    ]


def test_decisions_as_json_keep_kind_code_and_time(app: typer.Typer) -> None:
    found = json.loads(CliRunner().invoke(app, ["decisions", "d-1", "--json"]).stdout)

    assert found[1] == {
        "time": "2025-11-24T16:00:09.000Z",
        "kind": "verdict",
        "code": "SUCCEEDED",
        "reason": "All 6 hosts succeeded.",
    }
