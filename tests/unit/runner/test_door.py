"""Running events by hand, and telling beforehand."""

import os
from pathlib import Path

import pytest

from tidegate_runner import door
from tidegate_runner.errors import OrderError
from tidegate_runner.lock import FileLock

ALL = ["ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall"]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "bundle" / "app").mkdir(parents=True)
    (tmp_path / "bundle" / "app" / "a").write_text("new")
    (tmp_path / "bundle" / "hook.sh").write_text("#!/bin/sh\necho $LIFECYCLE_EVENT\n")
    (tmp_path / "bundle" / "fail.sh").write_text("#!/bin/sh\necho why\nexit 4\n")
    return tmp_path


def order(place, deployment="d-ONE", events=ALL, hooks=None, **changes):
    def script(name):
        return [{"location": name, "timeout": 30, "runas": None, "sudo": False}]

    appspec = {
        "os": "linux", "fileExistsBehavior": None, "permissions": [],
        "files": [{"source": "app", "destination": str(place / "live")}],
        "hooks": {event: script(name) for event, name in (hooks or {}).items()},
    }  # fmt: skip
    document = {
        "deploymentId": deployment, "events": events, "applicationName": "shop", "deploymentGroupName": "prod",
        "deploymentGroupId": "gid", "revision": {}, "bundle": {"path": str(place / "bundle"), "type": "directory"},
        "appspec": appspec, **changes,
    }  # fmt: skip
    return door.make_order(document)


def state(place):
    return door.open_state(str(place / "state"))


def test_events_run_and_run_again(place):
    for _ in range(2):
        told = []
        made = order(place, hooks={"AfterInstall": "hook.sh"})
        results = door.run_events(made, state(place), os.environ, told.append)
        assert [(result.name, result.status) for result in results] == [(event, "Succeeded") for event in ALL]
        assert [result.no_op for result in results][1:] == [False, True, False, False]
        assert [result.status for result in told][:2] == ["InProgress", "Succeeded"]
        assert door.succeeded(made, results)
        assert (place / "live" / "a").read_text() == "new"
    names = sorted(path.name for path in (place / "state").iterdir())
    assert names == ["deployment-instructions", "deployment-logs", "gid"]
    log = (place / "state" / "gid" / "d-ONE" / "logs" / "scripts.log").read_text()
    assert log.count("[stdout]AfterInstall") == 2


def test_the_first_failure_ends_it(place):
    made = order(place, hooks={"BeforeInstall": "fail.sh"})
    results = door.run_events(made, state(place), os.environ)
    assert [result.status for result in results] == ["Succeeded", "Succeeded", "Failed", "Skipped", "Skipped"]
    failed = results[2]
    assert (failed.error_code, failed.script_name) == ("ScriptFailed", "fail.sh")
    assert "[stdout]why" in failed.log_tail
    assert not door.succeeded(made, results)


def test_an_ignored_stop_failure_stays_failed_and_goes_on(place):
    first = order(place, hooks={"ApplicationStop": "fail.sh"})
    assert door.succeeded(first, door.run_events(first, state(place), os.environ))
    second = order(place, "d-TWO", ignoreApplicationStopFailures=True)
    results = door.run_events(second, state(place), os.environ)
    assert [result.status for result in results] == ["Failed", *["Succeeded"] * 4]
    assert door.succeeded(second, results)


def test_an_appspec_that_did_not_compile_fails_the_first_event_that_reads_it(place):
    made = order(place, appspec={"error": "invalid version value (1.0) in the AppSpec file"})
    assert door.plan_install(made, state(place)).failed_event == "BeforeInstall"
    results = door.run_events(made, state(place), os.environ)
    assert [result.status for result in results] == ["Succeeded", "Succeeded", "Failed", "Skipped", "Skipped"]
    assert (results[2].error_code, results[2].message) == (
        "UnknownError", "invalid version value (1.0) in the AppSpec file",
    )  # fmt: skip


def test_custom_events_run_the_current_scripts(place):
    made = order(place, events=["DownloadBundle", "Install", "Dance"], hooks={"Dance": "hook.sh"})
    results = door.run_events(made, state(place), os.environ)
    assert [result.status for result in results] == ["Succeeded"] * 3
    assert "[stdout]Dance" in (place / "state" / "gid" / "d-ONE" / "logs" / "scripts.log").read_text()


def test_the_plan_tells_what_the_deployment_does_and_touches_nothing(place):
    first = order(place)
    assert door.succeeded(first, door.run_events(first, state(place), os.environ))
    live = place / "live"
    (live / "own").write_text("stays")
    (place / "bundle" / "app" / "b").write_text("more")
    (place / "bundle" / "app" / "a").rename(place / "bundle" / "app" / "c")
    before = {path: path.lstat().st_mtime_ns for path in sorted(place.rglob("*"))}
    second = order(place, "d-TWO", hooks={"AfterInstall": "hook.sh"})
    plan = door.plan_install(second, state(place))
    assert {path: path.lstat().st_mtime_ns for path in sorted(place.rglob("*"))} == before
    assert plan.created == [str(live / "b"), str(live / "c")]
    assert plan.deleted == [str(live / "a")]
    assert plan.kept == [str(live)]
    assert plan.failed_event is None
    assert [(p.event, p.deployment_id, len(p.scripts)) for p in plan.scripts] == [
        ("ApplicationStop", "d-ONE", 0), ("BeforeInstall", "d-TWO", 0), ("AfterInstall", "d-TWO", 1),
    ]  # fmt: skip
    assert door.succeeded(second, door.run_events(second, state(place), os.environ))
    assert sorted(path.name for path in live.iterdir()) == ["b", "c", "own"]


def test_all_collisions_are_listed_with_their_owners(place):
    other = order(place, "d-OTHER", deploymentGroupId="other")
    assert door.succeeded(other, door.run_events(other, state(place), os.environ))
    (place / "bundle" / "app" / "b").write_text("b")
    (place / "live" / "b").write_text("by hand")
    plan = door.plan_install(order(place), state(place))
    assert [(Path(c.path).name, c.needed, c.group_id, c.deployment_id) for c in plan.collisions] == [
        ("a", "file", "other", "d-OTHER"), ("b", "file", None, None),
    ]  # fmt: skip
    assert "no deployment (user " in plan.collisions[1].owner
    assert plan.failed_event == "Install"
    assert "already exists at this location" in plan.failure


@pytest.mark.parametrize("change", [{"events": []}, {"bundle": {"type": "zip"}}, {"deploymentGroupId": "../x"}])
def test_an_order_that_cannot_be_is_refused(place, change):
    with pytest.raises(OrderError):
        order(place, **change)


def test_a_bundle_that_is_not_there_fails_the_download(place):
    made = order(place, bundle={"path": str(place / "gone.zip"), "type": "zip"})
    assert door.plan_install(made, state(place)).failed_event == "DownloadBundle"
    results = door.run_events(made, state(place), os.environ)
    assert results[1].status == "Failed"
    assert "There is no bundle" in results[1].message


def test_a_defect_of_the_runner_is_a_failed_event(place, monkeypatch):
    def broken(*_):
        raise KeyError("lost")

    monkeypatch.setattr(door, "run_event", broken)
    results = door.run_events(order(place), state(place), os.environ)
    assert [result.status for result in results] == ["Failed"] + ["Skipped"] * 4
    assert results[0].error_code == "UnknownError"
    assert results[0].message == "The host runner failed in ApplicationStop: KeyError: 'lost'"


def test_who_holds_the_lock_is_told_once_after_a_second(place):
    lock = FileLock(state(place).group_lock("gid"))
    assert lock.try_acquire()
    lock.note({"deploymentId": "d-OTHER", "stage": "local", "pid": 7})
    told = []
    made = order(place, limits={"lockWaitSeconds": 3})
    results = door.run_events(made, state(place), os.environ, waiting=told.append)
    assert told == [{"deploymentId": "d-OTHER", "stage": "local", "pid": 7}]
    assert "in progress on this host: d-OTHER" in results[0].message
    lock.release()
    assert door.succeeded(made, door.run_events(made, state(place), os.environ, waiting=told.append))
    assert len(told) == 1
