"""A request to end that comes while a script is being started ends the script too."""

import os
import signal

import pytest

from tidegate_runner import hooks
from tidegate_runner.errors import ScriptError
from tidegate_runner.logs import ScriptLog
from tidegate_runner.signals import HeldBack


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a script, with a signal to ourselves the moment that it has started."""
    (tmp_path / "long.sh").write_text("#!/bin/sh\nexec sleep 600\n")
    log = ScriptLog(str(tmp_path / "scripts.log"), str(tmp_path / "deployments.log"), "d-1")
    started, begin = [], hooks.start

    def start(*given):
        process = begin(*given)
        started.append(process)
        os.kill(os.getpid(), signal.SIGTERM)
        return process

    def leave(number, _frame):
        raise SystemExit(128 + number)

    def run_script(location="long.sh"):
        script = {"location": location, "timeout": 600, "runas": None, "sudo": False}
        hooks.run_scripts([script], str(tmp_path), dict(os.environ), {}, str(tmp_path), log)

    monkeypatch.setattr(hooks, "start", start)
    before = signal.signal(signal.SIGTERM, leave)
    yield run_script, started
    signal.signal(signal.SIGTERM, before)


def test_a_script_that_was_just_started_is_ended(run):
    run_script, started = run
    with pytest.raises(SystemExit) as left:
        run_script()
    assert left.value.code == 128 + signal.SIGTERM
    assert [process.returncode for process in started] == [-signal.SIGTERM]


def test_handlers_are_as_they_were_also_when_no_script_can_be_started(run, monkeypatch):
    run_script, _ = run
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    def fails(*_):
        raise ScriptError("ScriptFailed", "long.sh", "no")

    monkeypatch.setattr(hooks, "start", fails)
    with pytest.raises(ScriptError):
        run_script()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers


def test_what_comes_after_it_was_heeded_comes_at_once():
    came = []
    before = signal.signal(signal.SIGHUP, lambda *_: came.append("heard"))
    try:
        with HeldBack() as held:
            os.kill(os.getpid(), signal.SIGHUP)
            assert came == []
            held.heed()
            assert came == ["heard"]
            os.kill(os.getpid(), signal.SIGHUP)
            assert came == ["heard"] * 2
        assert came == ["heard"] * 2
    finally:
        signal.signal(signal.SIGHUP, before)
