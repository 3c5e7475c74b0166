"""Deployments on a stand-in for Windows: its document's Python and the runner's way for Windows are run for real."""

import os
import tarfile
import time
from pathlib import Path

import pytest


def report(text="$LIFECYCLE_EVENT $DEPLOYMENT_ID"):
    return f'echo "{text}" >> "$TIDEGATE_HOST_ROOT/ran"\n'


def wait_for(path, seconds=30):
    """Give a file's text as soon as there is some."""
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.02)
    return path.read_text()


def hook(*locations, timeout=30, **more):
    return [{"location": each, "timeout": timeout, "runas": None, "sudo": False, **more} for each in locations]


def test_a_revision_is_installed_over_the_last_one_with_scripts_of_every_kind(windows, kit):
    windows.path("D:/").mkdir()
    files = {
        "stop.bat": report(), "hooks/after.PS1": report(), "hooks/start it.cmd": report(),
        "check.exe": "#!/bin/sh\n" + report(),
        "app/web.config": "one", "app/gone.txt": "x", "appspec.yml": "",
    }  # fmt: skip
    hooks = {
        "ApplicationStop": hook("stop.bat"),
        "AfterInstall": hook("hooks\\after.PS1"),
        "ApplicationStart": hook("\\hooks\\start it.cmd"),
        "ValidateService": hook("check.exe"),
    }
    mapping = [
        {"source": "\\app", "destination": "c:\\inetpub\\shop"},
        {"source": "appspec.yml", "destination": "D:/log"},
    ]
    first = windows.run(windows.order("d-1", kit.make_zip(files), {"files": mapping, "hooks": hooks}))
    assert first["status"] == "Succeeded", first["diagnostics"]
    assert [event[0] for event in first["events"]] == kit.stage
    assert windows.path("C:/inetpub/shop/web.config").read_text() == "one"
    assert windows.path("D:/log/appspec.yml").exists()
    assert (windows.state("d-1", kit.group_id) / "deployment-archive/app/gone.txt").exists()

    later = {"app/web.config": "two", "stop.bat": report("not yet")}
    mapping = [{"source": "app", "destination": "C:\\Inetpub\\..\\inetpub\\shop\\"}]
    second = windows.run(windows.order("d-2", kit.make_zip(later), {"files": mapping}))
    assert second["status"] == "Succeeded", second["diagnostics"]
    assert windows.path("C:/inetpub/shop/web.config").read_text() == "two"
    assert not windows.path("C:/inetpub/shop/gone.txt").exists()
    assert not windows.path("D:/log/appspec.yml").exists()
    events = ["AfterInstall d-1", "ApplicationStart d-1", "ValidateService d-1", "ApplicationStop d-2"]
    assert windows.path("ran").read_text().splitlines() == events
    record = windows.path(f"C:/ProgramData/Amazon/CodeDeploy/deployment-instructions/{kit.group_id}-cleanup")
    assert record.read_text().splitlines() == ["C:/inetpub", "C:/inetpub/shop", "C:/inetpub/shop/web.config"]
    # Nothing of Linux was made beside the drives.
    assert sorted(path.name for path in windows.root.iterdir()) == ["C", "D", "ran"]


def test_the_state_of_the_agent_is_gone_on_with(windows, kit):
    instructions = windows.path("C:/ProgramData/Amazon/CodeDeploy/deployment-instructions")
    instructions.mkdir(parents=True)
    windows.path("C:/temp").mkdir()
    windows.path("C:/temp/index.html").write_text("old")
    (instructions / f"{kit.group_id}-cleanup").write_text("c:\\temp/index.html\n")
    order = windows.order(
        "d-1", kit.make_zip({"index.html": "new"}), {"files": [{"source": "/", "destination": "C:\\temp"}]}
    )
    windows.variables["STANDIN_OWNER"] = "S-1-5-21-1-2-3-1001"
    refused = windows.run(order)
    assert "already exists at this location: C:/temp/index.html" in refused["diagnostics"]["message"]
    windows.variables["STANDIN_OWNER"] = "S-1-5-32-544"
    assert windows.run(dict(order, deploymentId="d-2"))["status"] == "Succeeded"
    assert windows.path("C:/temp/index.html").read_text() == "new"


def test_a_repeated_command_waits_for_the_worker_and_runs_nothing_again(windows, kit):
    slow = "sleep 1\n" + report()
    order = windows.order("d-1", kit.make_zip({"a.cmd": slow}), {"hooks": {"AfterInstall": hook("a.cmd")}})
    both = [windows.start(order), windows.start(order)]
    assert [windows.finish(each)["status"] for each in both] == ["Succeeded", "Succeeded"]
    assert windows.run(order)["status"] == "Succeeded"
    assert windows.path("ran").read_text() == "AfterInstall d-1\n"
    assert windows.run(dict(order, deploymentId="d-9", mode="report"))["status"] == "NotStarted"


@pytest.mark.parametrize("job", ["", "1"])
def test_the_worker_outlives_the_command(windows, kit, job):
    windows.variables["STANDIN_JOB"] = job
    order = windows.order(
        "d-1",
        kit.make_zip({"a.cmd": report("begun") + "sleep 1\n" + report()}),
        {"hooks": {"AfterInstall": hook("a.cmd")}},
    )
    process = windows.start(order)
    wait_for(windows.path("ran"))
    process.kill()
    process.communicate()
    result = windows.run(dict(order, mode="report"))
    assert result["status"] == "Succeeded"
    assert windows.path("ran").read_text().splitlines() == ["begun", "AfterInstall d-1"]


def test_a_script_that_runs_too_long_is_ended_with_all_it_started(windows, kit):
    order = windows.order(
        "d-1",
        kit.make_zip({"a.bat": 'echo before\nsleep 300 &\necho $! >> "$TIDEGATE_HOST_ROOT/ran"\nwait\n'}),
        {"hooks": {"AfterInstall": hook("a.bat", timeout=1)}},
    )
    told = windows.run(order)["diagnostics"]
    assert (told["errorCode"], told["scriptName"]) == ("ScriptTimedOut", "a.bat")
    assert "failed to complete in 1 seconds" in told["message"]
    assert "[stdout]before" in told["logTail"]
    child = windows.path("ran").read_text().strip()
    process = Path("/proc", child, "stat")
    assert not process.exists() or " Z " in process.read_text()


def test_a_server_that_keeps_the_output_open_is_left_running(windows, kit):
    text = '( sleep 5; echo late; echo alive > "$TIDEGATE_HOST_ROOT/ran" ) &\necho up\n'
    order = windows.order("d-1", kit.make_zip({"a.cmd": text}), {"hooks": {"ApplicationStart": hook("a.cmd")}})
    assert windows.run(order)["status"] == "Succeeded"
    log = (windows.state("d-1", kit.group_id) / "logs/scripts.log").read_text()
    assert "[stdout]up" in log
    assert "keeps its output open" in log
    assert wait_for(windows.path("ran")) == "alive\n"


@pytest.mark.parametrize(
    ("files", "script", "code", "message"),
    [
        ({"a.cmd": "exit 7\n"}, {}, "ScriptFailed", "a.cmd failed with exit code 7"),
        ({}, {}, "ScriptMissing", "Script does not exist at specified location: "),
        ({"a.sh": ""}, {"location": "a.sh"}, "ScriptNotExecutable", ".ps1, .bat, .cmd and .exe files only"),
        ({"50%.bat": ""}, {"location": "50%.bat"}, "ScriptNotExecutable", "its path holds %"),
        ({"a.cmd": ""}, {"runas": "bob"}, "ScriptFailed", "runas is not supported on Windows"),
        ({"a.cmd": ""}, {"sudo": True}, "ScriptFailed", "sudo is not supported on Windows"),
        ({"a.exe": "no program"}, {"location": "a.exe"}, "ScriptFailed", "a.exe failed with error OSError"),
    ],
)
def test_how_scripts_fail(windows, kit, files, script, code, message):
    script = {**hook("a.cmd")[0], **script}
    order = windows.order("d-1", kit.make_zip({"x": "", **files}), {"hooks": {"AfterInstall": [script]}})
    told = windows.run(order)["diagnostics"]
    assert told["errorCode"] == code
    assert message in told["message"]


@pytest.mark.parametrize(
    ("files", "mapping", "message"),
    [
        ({"a/con.txt": ""}, [], "is the name of a device"),
        ({"a/b.": ""}, [], "ends in a dot or blank"),
        ({"a:stream": ""}, [], "has a character"),
        ({"a\\..\\..\\b": "", "c/d": ""}, [], "leaves its folder"),
        ({"../b": ""}, [], "leaves its folder"),
        ({"b/x": "", "B/y": "", "b/X": ""}, [], "does not tell capital letters"),
        ({"link": (0o120777, "x")}, [], "links are not made on Windows"),
        ({"a": ""}, ["C:/x", "c:/X"], "does not tell capital letters"),
        ({"a": ""}, ["C:/x/nul"], "is the name of a device"),
        ({"a": ""}, ["C:/x/y:z"], "has a character"),
        ({"a": ""}, ["\\\\.\\pipe\\x"], "names the device path"),
    ],
)
def test_names_that_windows_has_no_file_for_are_refused(windows, kit, files, mapping, message):
    destinations = [{"source": "a", "destination": each} for each in mapping]
    result = windows.run(windows.order("d-1", kit.make_zip(files), {"files": destinations}))
    assert result["status"] == "Failed"
    assert message in result["diagnostics"]["message"]
    assert not windows.path("C:/x").exists()


def test_a_tar_is_unpacked_without_its_owners_and_modes(windows, kit):
    foreign = kit.tar_member("app/a.txt", mode=0o400)
    foreign.uid = foreign.gid = 4711
    members = [(kit.tar_member("app", tarfile.DIRTYPE, mode=0o500), b""), (foreign, b"text")]
    order = windows.order(
        "d-1", kit.make_tar(members), {"files": [{"source": "app", "destination": "C:/app"}]}, kind="tar"
    )
    assert windows.run(order)["status"] == "Succeeded"
    assert windows.path("C:/app/a.txt").read_text() == "text"
    assert windows.path("C:/app/a.txt").stat().st_uid == os.geteuid()


def test_a_file_that_is_read_only_is_replaced_and_removed(windows, kit):
    windows.path("C:/app").mkdir(parents=True)
    windows.path("C:/app/a").write_text("old")
    windows.path("C:/app/a").chmod(0o400)
    appspec = {"files": [{"source": "a", "destination": "C:/app"}], "fileExistsBehavior": "OVERWRITE"}
    assert windows.run(windows.order("d-1", kit.make_zip({"a": "new"}), appspec))["status"] == "Succeeded"
    assert windows.path("C:/app/a").read_text() == "new"


def test_permissions_and_revisions_for_linux_are_refused(windows, host, kit):
    permissions = [{"object": "C:/app", "pattern": "**", "except": [], "type": ["file"], "mode": "0644", "acls": []}]
    told = windows.run(windows.order("d-1", kit.make_zip({"a": ""}), {"permissions": permissions}))["diagnostics"]
    assert (told["event"], told["errorCode"]) == ("Install", "UnknownError")
    assert "permissions are not supported on Windows" in told["message"]

    foreign = windows.run(windows.order("d-2", kit.make_zip({"a": ""}), {"os": "linux"}))
    assert foreign["status"] == "NotStarted"
    assert "unsupported operating system (linux)" in foreign["diagnostics"]["message"]
    foreign = host.run(host.order("d-3", kit.make_zip({"a": ""}), {"os": "windows"}))
    assert foreign["status"] == "NotStarted"
    assert "this host runs linux" in foreign["diagnostics"]["message"]


def test_what_scripts_print_is_uploaded_as_it_is_on_linux(windows, kit):
    order = windows.order("d-1", kit.make_zip({"a.cmd": "echo hello\n"}), {"hooks": {"AfterInstall": hook("a.cmd")}})
    assert windows.run(order)["status"] == "Succeeded"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        lines = windows.host.server.lines("progress/d/i-0123/host")
        if lines and lines[-1][2] == "end":
            break
        time.sleep(0.1)
    assert [line[1:] for line in lines if line[2] == "stdout"] == [["AfterInstall", "stdout", "hello"]]


def test_a_worker_that_died_is_reported_and_its_event_not_run_again(windows, kit):
    text = 'echo $PPID > "$TIDEGATE_HOST_ROOT/worker"\nsleep 30\n'
    order = windows.order("d-1", kit.make_zip({"a.cmd": text}), {"hooks": {"AfterInstall": hook("a.cmd")}})
    process = windows.start(order)
    os.kill(int(wait_for(windows.path("worker"))), 9)
    told = windows.finish(process)["diagnostics"]
    assert told["event"] == "AfterInstall"
    assert "the host runner ended while AfterInstall was in progress" in told["message"]
