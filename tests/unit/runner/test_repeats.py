"""Repeated, late and interrupted commands."""

import json
import os
import signal
import subprocess
import time

import pytest

COUNT = '#!/bin/sh\necho x >> "$TIDEGATE_HOST_ROOT/count"\n'


def await_that(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen in ten seconds")


def waiting_order(host, kit, deployment="d-ONE"):
    """Give an order whose BeforeInstall waits for the file ``go``."""
    script = COUNT + 'while [ ! -e "$TIDEGATE_HOST_ROOT/go" ]; do sleep 0.05; done\n'
    return host.order(deployment, kit.make_zip({"a.sh": script}), {"hooks": {"BeforeInstall": kit.hook("a.sh")}})


def worker_of(host, deployment="d-ONE"):
    """Give the pid of the worker, as the group's lock notes it."""
    (lock,) = host.path("/opt/tidegate/lock").iterdir()
    noted = json.loads(lock.read_text())
    assert noted["deploymentId"] == deployment
    return noted["pid"]


def test_a_repeat_gives_the_recorded_result_and_runs_nothing(host, kit):
    order = host.order("d-ONE", kit.make_zip({"a.sh": COUNT}), {"hooks": {"BeforeInstall": kit.hook("a.sh")}})
    first = host.run(order)
    assert host.run(order) == first
    assert host.run({**order, "mode": "report"}) == first
    assert host.read("count") == "x\n"


def test_a_repeat_of_a_failed_stage_runs_nothing(host, kit):
    script = COUNT + "exit 1\n"
    order = host.order("d-ONE", kit.make_zip({"a.sh": script}), {"hooks": {"BeforeInstall": kit.hook("a.sh")}})
    first = host.run(order)
    assert first["status"] == "Failed"
    assert host.run(order) == first
    assert host.read("count") == "x\n"


def test_a_report_on_nothing(host, kit):
    result = host.run(host.order("d-ONE", kit.make_zip({"a": "a"}), {}, mode="report"))
    assert (result["status"], result["events"]) == ("NotStarted", [])
    assert result["diagnostics"]["message"]
    assert not host.deployment("d-ONE").exists()


@pytest.mark.parametrize("status", [403, 404])
def test_an_expired_order_runs_nothing(host, kit, server, status):
    order = host.order("d-ONE", kit.make_zip({"a": "a"}), {})
    url = server.put("/expired", b"")
    server.content["/expired"] = status
    result = host.run(order, url=url)
    assert result["status"] == "NotStarted"
    assert result["target"] == "i-0123"
    assert result["diagnostics"]["errorCode"] == "OrderExpired"
    assert host.names() == []


def test_an_order_that_is_not_the_one_announced_runs_nothing(host, kit):
    result = host.run(host.order("d-ONE", kit.make_zip({"a": "a"}), {}), sha256="0" * 64)
    assert result["diagnostics"]["errorCode"] == "OrderUnreadable"
    assert host.names() == []


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"mode": "walk"},
        {"deploymentId": "../up"},
        {"events": ["Install", "Dance"]},
        {"events": []},
        {"bundle": {}},
        {"limits": {"maxMembers": "many"}},
    ],
)
def test_an_order_it_does_not_understand_runs_nothing(host, kit, change):
    result = host.run({**host.order("d-ONE", kit.make_zip({"a": "a"}), {}), **change})
    assert result["status"] == "NotStarted"
    assert result["diagnostics"]["errorCode"] == "OrderUnreadable"


def test_a_runner_that_is_not_the_one_announced_is_not_run(host, kit, server):
    order = host.order("d-ONE", kit.make_zip({"a": "a"}), {})
    order["runner"] = {"url": server.put("/evil.zip", b"evil"), "sha256": "a" * 64}
    result = host.run(order)
    assert (result["status"], result["deployment"]) == ("NotStarted", "d-ONE")
    assert result["diagnostics"]["errorCode"] == "RunnerUnreadable"


def test_a_host_without_python_says_so(host, kit):
    host.python = "/nowhere/python3"
    result = host.run(host.order("d-ONE", kit.make_zip({"a": "a"}), {}))
    assert (result["status"], result["target"]) == ("NotStarted", "i-0123")
    assert result["diagnostics"]["errorCode"] == "NoPython"


def test_the_worker_goes_on_when_the_command_is_killed(host, kit):
    order = waiting_order(host, kit)
    command = subprocess.Popen(
        host.command(order), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=host.environment(),
        start_new_session=True,
    )  # fmt: skip
    await_that(host.path("count").exists)
    os.killpg(command.pid, signal.SIGKILL)
    assert command.communicate(timeout=10) == (b"", b"")

    repeat, report = host.start(order), host.start({**order, "mode": "report"})
    host.path("go").touch()
    result = host.finish(repeat)
    assert result["status"] == "Succeeded"
    assert host.finish(report) == result
    assert host.read("count") == "x\n"


def test_an_interrupted_event_is_reported_failed_and_not_run_again(host, kit):
    order = waiting_order(host, kit)
    command = host.start(order)
    await_that(host.path("count").exists)
    try:
        os.kill(worker_of(host), signal.SIGKILL)
        first = host.finish(command)
        assert first["status"] == "Failed"
        assert first["events"][-1][:2] == ["BeforeInstall", "Failed"]
        assert first["diagnostics"]["errorCode"] == "UnknownError"
        assert "Failing in-progress lifecycle event after an agent restart" in first["diagnostics"]["message"]
        assert host.run(order) == first
    finally:
        host.path("go").touch()
    assert host.read("count") == "x\n"


def test_a_repeat_reports_an_interruption_that_nobody_saw(host, kit):
    order = waiting_order(host, kit)
    command = subprocess.Popen(host.command(order), env=host.environment(), start_new_session=True)
    await_that(host.path("count").exists)
    worker = worker_of(host)
    os.killpg(command.pid, signal.SIGKILL)
    command.wait()
    os.kill(worker, signal.SIGKILL)
    try:
        result = host.run({**order, "mode": "report"})
    finally:
        host.path("go").touch()
    assert result["events"][-1][:2] == ["BeforeInstall", "Failed"]


def test_two_deployments_of_a_group_do_not_run_at_once(host, kit):
    first = host.start(waiting_order(host, kit))
    await_that(host.path("count").exists)
    impatient = host.run(host.order("d-TWO", kit.make_zip({"a": "a"}), {}, limits={"lockWaitSeconds": 0}))
    patient = host.start(host.order("d-THREE", kit.make_zip({"a": "a"}), {}))
    assert impatient["status"] == "Failed"
    assert "in progress on this host: d-ONE" in impatient["diagnostics"]["message"]
    host.path("go").touch()
    assert host.finish(first)["status"] == "Succeeded"
    assert host.finish(patient)["status"] == "Succeeded"


def test_stages_of_a_deployment_run_one_after_the_other(host, kit):
    bundle = kit.make_zip({"a.sh": COUNT})
    hooks = {"hooks": {"AfterAllowTraffic": kit.hook("a.sh")}}
    assert host.run(host.order("d-ONE", bundle, hooks))["status"] == "Succeeded"
    second = host.run(host.order("d-ONE", bundle, hooks, stage="after-traffic", events=["AfterAllowTraffic"]))
    assert [event[:2] for event in second["events"]] == [["AfterAllowTraffic", "Succeeded"]]
    assert host.read("count") == "x\n"
