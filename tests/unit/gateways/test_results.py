"""The result line of a host: what is believed, and what hosts may not get through with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.gateways.run_command import parse_result
from tidegate.model.decisions import HostReport
from tidegate.rollout.projection import ended_events
from tidegate.store.values import normalised
from tidegate_runner.result import diagnostics_of, result_document, result_line

DEPLOYMENT, TARGET = "d-ABCDEF123", "i-0123"
GOOD: dict[str, Any] = {
    "tidegate": 1,
    "deployment": DEPLOYMENT,
    "target": TARGET,
    "stage": "host",
    "status": "Failed",
    "events": [["ApplicationStop", "Succeeded", 1764000000.12, 1764000000.31], ["Install", "Failed", 1764000001, None]],
    "diagnostics": {"event": "Install", "errorCode": "ScriptFailed", "scriptName": "x", "message": "m", "logTail": "t"},
}


def parse(output: str) -> HostReport | None:
    return parse_result(output, DEPLOYMENT, TARGET)


def line(**changes: Any) -> str:
    return json.dumps({**GOOD, **changes}, separators=(",", ":"))


def with_diagnostics(**changes: Any) -> str:
    return line(diagnostics={**GOOD["diagnostics"], **changes})


def test_a_result_is_read_whole() -> None:
    report = parse(line())
    assert report is not None
    assert report.status == "Failed"
    assert [(e.name, e.status, e.start, e.end) for e in report.events] == [
        ("ApplicationStop", "Succeeded", 1764000000.12, 1764000000.31),
        ("Install", "Failed", 1764000001, None),
    ]
    told = report.diagnostics
    assert told is not None
    assert (told.event, told.error_code, told.script_name, told.message, told.log_tail) == (
        "Install",
        "ScriptFailed",
        "x",
        "m",
        "t",
    )


def test_what_the_runner_prints_is_what_is_read() -> None:
    told = diagnostics_of("Install", "ScriptFailed", "scripts/é.sh", "Grüße \u2028 " + "m" * 3000, "tail" * 1000)
    document = result_document(DEPLOYMENT, TARGET, "host", "Failed", [["Install", "Failed", 1.0, 2.0]], told)
    report = parse(f"noise\n{result_line(document)}\n")
    assert report is not None
    assert report.diagnostics is not None
    assert report.diagnostics.message.startswith("Grüße \u2028 mmm")


@pytest.mark.parametrize(
    "output",
    [
        f"a line\n{line()}\nmore",
        f"{line()}\n----------ERROR-------\nfailed to run commands: exit status 1",
        f"{line(status='Succeeded')}\n{line()}",
        line().replace("\n", "\r\n") + "\r\n",
    ],
    ids=["between others", "before the error output", "the last one counts", "other line ends"],
)
def test_a_result_is_found_among_what_else_was_printed(output: str) -> None:
    report = parse(output)
    assert report is not None
    assert report.status == "Failed"


@pytest.mark.parametrize(
    "output",
    [
        "",
        "hello",
        " " + line(),
        line()[:-1],
        line()[:2000] + "--output truncated--",
        line(deployment="d-OTHER0000"),
        line(target="i-9999"),
        line(status="Skipped"),
        line(status=None),
        line(status=["Failed"]),
        line(tidegate=2),
        '{"tidegate":1}',
        '{"tidegate":1,"status":"Failed"}',
        line(events="Install"),
        line(events={"Install": "Failed"}),
        line(events=["Install"]),
        line(events=[[]]),
        line(events=[["Install"]]),
        line(events=[["Install", "Failed", 1, 2, 3]]),
        line(events=[[["Install"], "Failed", 1, 2]]),
        line(events=[["Install", "Dancing", 1, 2]]),
        line(events=[["Install", "Failed", "1", 2]]),
        line(events=[["Install", "Failed", True, 2]]),
        line(events=[["Install", "Failed", -1, 2]]),
        line(events=[["Install", "Failed", 1e300, 2]]),
        line(events=[["Install", "Failed", float("nan"), 2]]),
        line(events=[["Install", "Failed", 1, float("inf")]]),
        line(events=[["Install", "Failed", 10**400, 2]]),
        line(diagnostics="text"),
        line(diagnostics=["text"]),
        with_diagnostics(message=None),
        with_diagnostics(errorCode=7),
        with_diagnostics(logTail={"a": 1}),
        '{"tidegate":' + "[" * 2400,
        '{"tidegate":' + '{"a":' * 600,
        '{"tidegate":' + "[" * 1100 + "]" * 1100 + "}",
    ],
)
def test_what_is_no_result_of_this_deployment_and_target_is_not_believed(output: str) -> None:
    assert parse(output) is None


def test_a_host_that_could_not_read_its_order_need_not_know_whose_it_was() -> None:
    told = {"event": "", "errorCode": "OrderExpired", "message": "The order's URL has expired."}
    report = parse(line(status="NotStarted", deployment="", target="", events=[], diagnostics=told))
    assert report is not None
    assert (report.status, report.events) == ("NotStarted", ())
    assert report.diagnostics is not None
    assert (report.diagnostics.error_code, report.diagnostics.log_tail) == ("OrderExpired", "")


def test_half_a_character_becomes_a_question_mark() -> None:
    report = parse(with_diagnostics(message="\\ud83d").replace("\\\\ud83d", "\\ud83d"))
    assert report is not None
    assert report.diagnostics is not None
    assert report.diagnostics.message == "?"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(sorted(GOOD))


@given(
    st.dictionaries(fields, json_values, max_size=2),
    st.dictionaries(st.sampled_from(sorted(GOOD["diagnostics"])), json_values),
)
@settings(deadline=None, max_examples=200)
def test_whatever_a_host_prints_can_be_stored_and_shown(changes: dict[str, Any], told: dict[str, Any]) -> None:
    document = {**GOOD, "diagnostics": {**GOOD["diagnostics"], **told}, **changes}
    report = parse(json.dumps({"tidegate": document.pop("tidegate"), **document}, separators=(",", ":")))
    if report is not None:
        shown = ended_events(["ApplicationStop", "Install"], report, "why")
        assert normalised(shown)
        assert json.dumps(shown, allow_nan=False).encode()


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=100)
def test_text_is_never_an_error(noise: str) -> None:
    assert parse('{"tidegate":' + noise) is None
    assert parse(noise + "\n" + line() + "\n") is not None
