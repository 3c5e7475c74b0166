"""`tidegate logs` as a user calls it, over clients that answer from a script."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from tidegate_cli import logs, views
from tidegate_cli.logs import GRACE, Line, LogReader, render

T0 = 1_764_000_000.0


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(T0 + seconds, UTC)


class Fleet:
    """Two hosts that print one line a look; the deployment ends at the third look, its logs at the fourth."""

    def __init__(self, *, loses_end: bool = False) -> None:
        self.looks = 0
        self.loses_end = loses_end
        self.asked: list[Mapping[str, str]] = []

    def get_deployment(self, deploymentId: str) -> dict[str, Any]:
        self.looks += 1
        return {"deploymentInfo": {"status": "InProgress" if self.looks < 3 else "Succeeded"}}

    def list_deployment_targets(self, deploymentId: str) -> dict[str, Any]:
        return {"targetIds": ["i-0a", "i-0b", "i-0c"]}

    def batch_get_deployment_targets(self, deploymentId: str, targetIds: list[str]) -> dict[str, Any]:
        status = {"i-0c": "Skipped"}
        rows = [{"instanceTarget": {"targetId": i, "status": status.get(i, "InProgress")}} for i in targetIds]
        return {"deploymentTargets": rows}

    def get_logs(self, **request: str) -> Mapping[str, Any]:
        self.asked.append(request)
        first, target = int(request.get("nextToken", "0")), request["targetId"]
        numbers = range(first, min(self.looks, 4))
        shift = 0.5 if target == "i-0b" else 0.0
        lines = [
            {
                "time": at(number + shift),
                "lifecycleEventName": "Install",
                "stream": "stderr" if number == 1 else "stdout",
                "text": f"{target} says {number}\x1b[2J",
            }
            for number in numbers
        ]
        complete = self.looks >= 4 and not self.loses_end
        return {"lines": lines, "followToken": str(max(first, min(self.looks, 4))), "complete": complete}


@pytest.fixture
def app() -> typer.Typer:
    root = typer.Typer()
    views.register(root)
    return root


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    fleet = Fleet()
    monkeypatch.setattr(logs, "codedeploy", lambda: fleet)
    monkeypatch.setattr(logs, "tidegate", lambda: fleet)
    return fleet


def test_what_is_there_now(app: typer.Typer, fleet: Fleet) -> None:
    result = CliRunner().invoke(app, ["logs", "d-1", "--json"])
    assert result.exit_code == 0
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {
            "targetId": target,
            "time": time,
            "lifecycleEventName": "Install",
            "stream": "stdout",
            "text": f"{target} says 0\x1b[2J",
        }
        for target, time in (("i-0a", "2025-11-24T16:00:00.000Z"), ("i-0b", "2025-11-24T16:00:00.500Z"))
    ]
    assert {request["targetId"] for request in fleet.asked} == {"i-0a", "i-0b"}


def test_following_ends_with_the_deployment_and_loses_nothing(app: typer.Typer, fleet: Fleet) -> None:
    result = CliRunner().invoke(app, ["logs", "d-1", "--follow", "--interval", "0.1"])
    assert result.exit_code == 0
    said = [line.split(" ", 1)[1] for line in result.stdout.splitlines()]
    shown = [
        f"{target} Install {target} says {n}\N{REPLACEMENT CHARACTER}[2J"
        for n in range(4)
        for target in ("i-0a", "i-0b")
    ]
    assert said == shown


def test_one_host_and_one_event(app: typer.Typer, fleet: Fleet) -> None:
    result = CliRunner().invoke(app, ["logs", "d-1", "--host", "i-0b", "--event", "Install"])
    assert result.exit_code == 0
    assert "i-0b Install" not in result.stdout
    assert fleet.asked == [{"deploymentId": "d-1", "targetId": "i-0b", "lifecycleEvent": "Install"}]


def test_a_host_that_is_none_names_those_there_are(app: typer.Typer, fleet: Fleet) -> None:
    result = CliRunner().invoke(app, ["logs", "d-1", "--host", "i-9"])
    assert result.exit_code == 1
    assert "--host i-9 names 0 hosts of d-1; it has: i-0a, i-0b, i-0c" in result.stderr


def test_a_host_that_never_told_its_end_is_not_waited_for_for_ever() -> None:
    fleet: Any = Fleet(loses_end=True)
    time = [0.0]
    reader = LogReader(fleet, fleet, "d-1", "", "")
    lines = list(reader.follow(1.0, now=lambda: time[0], sleep=lambda s: time.__setitem__(0, time[0] + s)))
    assert len(lines) == 8
    assert time[0] <= 4 + GRACE


def test_streams_are_told_apart_by_colour() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=120, color_system="standard")
    for stream in ("stdout", "stderr"):
        screen.print(render(Line("i-1", T0, "Install", stream, "text"), with_host=True))
    plain, red = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert "\x1b[31mtext" in red
    assert "\x1b[31m" not in plain
