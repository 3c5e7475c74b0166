"""GetLogs through the door: order, pages, following, and what later deployments bring."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from tests.unit.api.test_history import installed
from tests.unit.api.world import TIDEGATE, Refused, World

T = 1764000000.0


def log(*records: Iterable[Any]) -> bytes:
    """Records without their time, as a segment."""
    return b"".join(json.dumps([T + i, *record]).encode() + b"\n" for i, record in enumerate(records))


def out(text: str, event: str = "AfterInstall", stream: str = "stdout") -> tuple[str, str, str]:
    return (event, stream, text)


END = ("", "end", "Succeeded")


@pytest.fixture
def started(shop: World) -> tuple[World, str]:
    deployment_id = shop.deploy()
    shop.fleet(deployment_id, {"i-1": "InProgress", "i-2": None})
    return shop, deployment_id


def get(world: World, deployment_id: str, target: str = "i-1", **given: Any) -> dict[str, Any]:
    return world.call("GetLogs", TIDEGATE, deploymentId=deployment_id, targetId=target, **given)


def texts(answer: dict[str, Any]) -> list[str]:
    return [line["text"] for line in answer["lines"]]


def end(world: World, deployment_id: str) -> None:
    world.fleet(deployment_id, {"i-1": "Succeeded", "i-2": None})


def test_lines_bear_time_event_and_stream(started: tuple[World, str]) -> None:
    world, deployment_id = started
    world.logs[f"{deployment_id}/i-1/host.000000.jsonl"] = log(out("a"), out("b", "ValidateService", "stderr"))
    answer = get(world, deployment_id)
    assert answer["lines"] == [
        {"time": T, "lifecycleEventName": "AfterInstall", "stream": "stdout", "text": "a"},
        {"time": T + 1, "lifecycleEventName": "ValidateService", "stream": "stderr", "text": "b"},
    ]
    assert answer["complete"] is False
    assert "nextToken" not in answer


def test_one_event_alone(started: tuple[World, str]) -> None:
    world, deployment_id = started
    world.logs[f"{deployment_id}/i-1/host.000000.jsonl"] = log(out("a", "Install"), out("b"), out("c", "Install"))
    assert texts(get(world, deployment_id, lifecycleEvent="Install")) == ["a", "c"]


def test_following_reads_what_was_added_and_nothing_twice(started: tuple[World, str]) -> None:
    world, deployment_id = started
    first, second = (f"{deployment_id}/i-1/host.00000{number}.jsonl" for number in range(2))
    nothing = get(world, deployment_id)
    assert texts(nothing) == []
    world.logs[first] = log(out("a"))
    seen = get(world, deployment_id, nextToken=nothing["followToken"])
    world.logs[first] = log(out("a"), out("b"))
    world.logs[second] = log(out("c"))
    more = get(world, deployment_id, nextToken=seen["followToken"])
    assert [texts(seen), texts(more)] == [["a"], ["b", "c"]]
    world.logs[second] += log(END)
    assert get(world, deployment_id, nextToken=more["followToken"])["complete"] is False
    end(world, deployment_id)
    last = get(world, deployment_id, nextToken=more["followToken"])
    assert (texts(last), last["complete"]) == ([], True)
    assert get(world, deployment_id, nextToken=last["followToken"])["complete"] is True


def test_a_half_written_line_waits_for_its_end(started: tuple[World, str]) -> None:
    world, deployment_id = started
    key = f"{deployment_id}/i-1/host.000000.jsonl"
    world.logs[key] = (whole := log(out("a"), out("b")))[:-4]
    seen = get(world, deployment_id)
    world.logs[key] = whole
    assert texts(seen) == ["a"]
    assert texts(get(world, deployment_id, nextToken=seen["followToken"])) == ["b"]


def test_long_logs_come_in_pages_whole_and_in_order(started: tuple[World, str]) -> None:
    world, deployment_id = started
    for number in range(20):
        lines = [out(f"{number}-{i}") for i in range(170)]
        world.logs[f"{deployment_id}/i-1/host.{number:06}.jsonl"] = log(*lines, *([END] if number == 19 else []))
    end(world, deployment_id)
    found: list[str] = []
    answer = get(world, deployment_id)
    pages = 1
    found += texts(answer)
    while "nextToken" in answer:
        assert answer["complete"] is False
        answer = get(world, deployment_id, nextToken=answer["nextToken"])
        pages += 1
        found += texts(answer)
    assert found == [f"{number}-{i}" for number in range(20) for i in range(170)]
    assert answer["complete"] is True
    assert 3 < pages < 10


def test_stages_come_in_the_order_in_which_they_began(started: tuple[World, str]) -> None:
    world, deployment_id = started
    world.logs[f"{deployment_id}/i-1/before.000000.jsonl"] = log(out("first"), END)
    later = json.dumps([T + 50, *out("second")]).encode() + b"\n"
    world.logs[f"{deployment_id}/i-1/after.000000.jsonl"] = later
    answer = get(world, deployment_id)
    assert texts(answer) == ["first", "second"]
    assert texts(get(world, deployment_id, nextToken=answer["followToken"])) == []


def test_a_later_deployment_brings_the_rest(started: tuple[World, str]) -> None:
    world, deployment_id = started
    whole = [log(out("a"), out("b")), log(out("c"), END)]
    world.logs[f"{deployment_id}/i-1/host.000000.jsonl"] = log(out("a"))
    end(world, deployment_id)
    installed(world, deployment_id, "i-1", T)
    first = get(world, deployment_id)
    assert (texts(first), first["complete"]) == (["a"], False)
    installed(world, "d-LATER0001", "i-1", T + 100)
    for number, content in enumerate(whole):
        world.logs[f"d-LATER0001/late/{deployment_id}/i-1/host.00000{number}.jsonl"] = content
    answer = get(world, deployment_id)
    assert (texts(answer), answer["complete"]) == (["a", "b", "c"], True)
    assert texts(get(world, deployment_id, nextToken=first["followToken"])) == ["b", "c"]


@pytest.mark.parametrize(
    "line",
    [b"no json\n", b"[1,2,3]\n", b'[true,"e","stdout","x"]\n', b'[1764000000,"e","shout","x"]\n', b"\xff\n", b"{}\n"],
)
def test_what_a_host_writes_is_not_trusted(started: tuple[World, str], line: bytes) -> None:
    world, deployment_id = started
    world.logs[f"{deployment_id}/i-1/host.000000.jsonl"] = log(out("a")) + line + log(out("b"))
    assert texts(get(world, deployment_id)) == ["a", "b"]


def test_targets_that_are_not_of_the_deployment_are_refused(started: tuple[World, str]) -> None:
    world, deployment_id = started
    assert texts(get(world, deployment_id, "i-2")) == []
    with pytest.raises(Refused, match="DeploymentTargetDoesNotExistException"):
        get(world, deployment_id, "i-3")
    with pytest.raises(Refused, match="DeploymentDoesNotExistException"):
        get(world, "d-000000099")


def test_a_token_of_something_else_is_refused(started: tuple[World, str]) -> None:
    world, deployment_id = started
    token = get(world, deployment_id)["followToken"]
    with pytest.raises(Refused, match="InvalidNextTokenException"):
        get(world, deployment_id, "i-2", nextToken=token)
