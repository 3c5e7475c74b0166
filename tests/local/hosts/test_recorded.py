"""Recorded hosts: commands are answered as a real host answered once, and nothing runs."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tidegate.gateways.run_command import parse_result
from tidegate_local.hosts.recorded import RECORDED_RUN, RecordedHost, recorded_result
from tidegate_local.hosts.runcommand import Request, RunCommand, RunCommandError, parse_document

EVENTS = ["ApplicationStop", "DownloadBundle", "ValidateService"]
ORDER = {"deploymentId": "d-000000001", "stage": "host", "events": EVENTS}
DOCUMENT = {
    "schemaVersion": "2.2",
    "parameters": {"order": {"type": "String"}},
    "mainSteps": [{"action": "aws:runShellScript", "name": "run", "inputs": {"runCommand": ["echo {{ order }}"]}}],
}


@pytest.fixture
def hosts() -> list[RecordedHost]:
    return [RecordedHost(f"i-{n:017x}", f"recorded-{n}") for n in range(1, 1001)]


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def service(hosts: list[RecordedHost], told: list[dict[str, Any]]) -> Iterator[RunCommand]:
    found = RunCommand(lambda: hosts, lambda _: {}, told.append, "123456789012", "us-east-1")
    yield found
    found.close()


def request(hosts: list[RecordedHost], sha256: str = "") -> Request:
    data = json.dumps(ORDER).encode()
    where = {
        "url": "data:application/json;base64," + base64.b64encode(data).decode(),
        "sha256": sha256 or hashlib.sha256(data).hexdigest(),
    }
    parameter = base64.b64encode(json.dumps(where).encode()).decode()
    return Request("run-stage", [host.id for host in hosts], parameters={"order": [parameter]})


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.01)


def test_a_result_is_what_the_coordinator_reads() -> None:
    line = json.dumps(recorded_result(ORDER, "i-1", 100.0))
    report = parse_result(line, "d-000000001", "i-1")
    assert report is not None
    assert report.status == "Succeeded"
    assert [event.name for event in report.events] == EVENTS
    took = sum(RECORDED_RUN[name] for name in EVENTS)
    assert (report.events[0].start, report.events[-1].end) == (100.0, pytest.approx(100 + took, abs=0.002))


def test_every_host_answers_and_one_thread_serves_them_all(
    service: RunCommand, hosts: list[RecordedHost], told: list[dict[str, Any]]
) -> None:
    threads = threading.active_count()
    document = parse_document(json.dumps(DOCUMENT))
    commands = [service.send(request(hosts[i : i + 50]), document) for i in range(0, 1000, 50)]
    assert threading.active_count() <= threads + 1
    until(lambda: all(command.status == "Success" for command in commands))
    for command in commands:
        for invocation in command.invocations.values():
            (plugin,) = invocation.plugins
            assert parse_result(plugin.output, "d-000000001", invocation.instance_id) is not None
            assert plugin.finished is not None
            assert plugin.started is not None
            took = (plugin.finished - plugin.started).total_seconds()
            assert took >= sum(RECORDED_RUN[name] for name in EVENTS) - 0.01
    ended = {"status": "Success"}.items()
    until(lambda: sum("instance-id" in each["detail"] and ended <= each["detail"].items() for each in told) == 1000)


def test_a_host_whose_agent_is_away_takes_its_command_when_it_is_back(
    service: RunCommand, hosts: list[RecordedHost]
) -> None:
    hosts[0].agent_online = False
    command = service.send(request(hosts[:2]), parse_document(json.dumps(DOCUMENT)))
    until(lambda: command.invocations[hosts[1].id].status == "Success")
    assert command.invocations[hosts[0].id].status == "Pending"
    hosts[0].agent_online = True
    until(lambda: command.status == "Success")


def test_a_cancelled_command_is_not_answered(service: RunCommand, hosts: list[RecordedHost]) -> None:
    hosts[0].agent_online = False
    command = service.send(request(hosts[:1]), parse_document(json.dumps(DOCUMENT)))
    service.cancel(command.id)
    hosts[0].agent_online = True
    time.sleep(1)
    assert command.invocations[hosts[0].id].status == "Cancelled"


def test_an_unknown_instance_is_refused_with_all_the_others(service: RunCommand, hosts: list[RecordedHost]) -> None:
    stranger = RecordedHost("i-0000000000000ffff", "stranger")
    with pytest.raises(RunCommandError, match="i-0000000000000ffff"):
        service.send(request([hosts[0], stranger]), parse_document(json.dumps(DOCUMENT)))
