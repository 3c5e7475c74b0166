"""What happens when something goes wrong, seen in the result line."""

import re
import time
from pathlib import Path

import pytest


def diagnostics(result):
    assert result["status"] == "Failed"
    return result["diagnostics"]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def await_that(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not happen in ten seconds")


def test_a_failing_script_ends_the_stage(host, kit):
    files = {"bad.sh": "#!/bin/sh\necho to out\necho to err >&2\nexit 3\n"}
    result = host.deploy("d-ONE", files, {"hooks": {"AfterInstall": kit.hook("bad.sh")}})
    assert [event[:2] for event in result["events"]][-2:] == [["Install", "Succeeded"], ["AfterInstall", "Failed"]]
    found = diagnostics(result)
    assert (found["event"], found["errorCode"], found["scriptName"]) == ("AfterInstall", "ScriptFailed", "bad.sh")
    assert found["message"] == "Script at specified location: bad.sh failed with exit code 3"
    assert found["logTail"].splitlines()[:2] == ["LifecycleEvent - AfterInstall", "Script - bad.sh"]
    assert sorted(found["logTail"].splitlines()[2:]) == ["[stderr]to err", "[stdout]to out"]


@pytest.mark.parametrize(
    ("files", "script", "code", "fragment"),
    [
        ({"x": "x"}, {"location": "gone.sh"}, "ScriptMissing", "Script does not exist at specified location: /"),
        ({"a.sh": "#!/bin/sh\nkill -9 $$"}, {}, "ScriptFailed", "failed with exit code 137 (ended by SIGKILL)"),
        ({"a.sh": "#!/no/such\n"}, {}, "ScriptFailed", "failed with error FileNotFoundError with message"),
        ({"a.sh": "#!/bin/sh\r\ntrue\r\n"}, {}, "ScriptFailed", "Windows line break"),
        ({"a.sh": "#!/bin/sh"}, {"runas": "no-such-user"}, "ScriptFailed", "run as user no-such-user failed"),
    ],
)
def test_scripts_that_cannot_do_their_work(host, kit, files, script, code, fragment):
    hooks = {"BeforeInstall": kit.hook(**{"location": "a.sh", **script})}
    found = diagnostics(host.deploy("d-ONE", files, {"hooks": hooks}))
    assert found["errorCode"] == code
    assert fragment in found["message"]


def test_a_script_without_interpreter_or_execute_bit_runs_in_the_shell(host, kit):
    files = {"plain": (0o100644, 'echo ran > "$TIDEGATE_HOST_ROOT/ran"\n')}
    assert host.deploy("d-ONE", files, {"hooks": {"BeforeInstall": kit.hook("plain")}})["status"] == "Succeeded"
    assert host.read("ran") == "ran\n"


def test_a_script_and_its_children_are_killed_when_time_is_up(host, kit):
    script = (
        '#!/bin/sh\ntrap \'\' TERM\nsh -c \'trap "" TERM; echo $$ > "$TIDEGATE_HOST_ROOT/pid"; '
        "while :; do sleep 1; done' &\nwait; while :; do sleep 1; done\n"
    )
    found = diagnostics(host.deploy("d-ONE", {"a.sh": script}, {"hooks": {"BeforeInstall": kit.hook("a.sh", 1)}}))
    assert (found["errorCode"], found["scriptName"]) == ("ScriptTimedOut", "a.sh")
    assert "failed to complete in 1 seconds" in found["message"]
    await_that(lambda: not alive(int(host.read("pid"))))


def test_a_server_outlives_its_hook_though_it_holds_the_output(host, kit):
    script = (
        '#!/bin/sh\nsh -c \'echo $$ > "$TIDEGATE_HOST_ROOT/pid"; '
        'while [ ! -e "$TIDEGATE_HOST_ROOT/end" ]; do echo tick || exit 1; sleep 0.05; done; '
        'echo clean > "$TIDEGATE_HOST_ROOT/ended"\' &\n'
    )
    result = host.deploy("d-ONE", {"a.sh": script}, {"hooks": {"ApplicationStart": kit.hook("a.sh", 600)}})
    pid = int(host.read("pid"))
    try:
        assert result["status"] == "Succeeded"
        log = (host.deployment("d-ONE") / "logs" / "scripts.log").read_text()
        assert re.search(rf"process (\d+, )*{pid}(, \d+)* keeps its output open", log)
        time.sleep(0.3)  # long enough for it to write to a pipe nobody read, were it so
        assert alive(pid)
    finally:
        host.path("end").touch()
    await_that(host.path("ended").exists)


def test_a_failed_stop_can_be_ignored(host, kit):
    stop = {"stop.sh": "#!/bin/sh\nexit 1\n"}
    spec = {"hooks": {"ApplicationStop": kit.hook("stop.sh")}}
    assert host.deploy("d-ONE", stop, spec)["status"] == "Succeeded"
    found = diagnostics(host.deploy("d-TWO", stop, spec))
    assert "installed before, by deployment d-ONE" in found["message"]
    assert "ignoreApplicationStopFailures" in found["message"]
    third = host.deploy("d-THREE", stop, spec, ignoreApplicationStopFailures=True)
    assert third["status"] == "Succeeded"
    assert third["events"][0][:2] == ["ApplicationStop", "Failed"]
    assert len(third["events"]) == len(kit.stage)


def test_the_old_scripts_being_gone_is_no_failure(host, kit):
    import shutil

    spec = {"hooks": {"ApplicationStop": kit.hook("stop.sh")}}
    host.deploy("d-ONE", {"stop.sh": "#!/bin/sh\nexit 1\n"}, spec)
    shutil.rmtree(host.deployment("d-ONE"))
    assert host.deploy("d-TWO", {"a": "a"}, {})["status"] == "Succeeded"
    assert "no longer on this host" in (host.deployment("d-TWO") / "logs" / "scripts.log").read_text()


def test_files_in_the_way_are_all_named_and_the_old_revision_stays(host):
    old = {"files": [{"source": "old", "destination": "/srv/app"}]}
    new = {"files": [{"source": "/", "destination": "/srv/app"}]}
    assert host.deploy("d-ONE", {"old": "old"}, old)["status"] == "Succeeded"
    for name in ("a", "b"):
        host.path("/srv/app/" + name).write_text("foreign")
    found = diagnostics(host.deploy("d-TWO", {"a": "new", "b": "new", "old": "new"}, new))
    assert (found["event"], found["errorCode"], found["scriptName"]) == ("Install", "UnknownError", "")
    assert "a specified file already exists at this location: /srv/app/a, /srv/app/b (2 in all)" in found["message"]
    assert (host.read("/srv/app/old"), host.read("/srv/app/a")) == ("old", "foreign")


@pytest.mark.parametrize(("behavior", "content", "after"), [("OVERWRITE", "new", False), ("RETAIN", "foreign", True)])
def test_files_that_exist(host, behavior, content, after):
    spec = {"files": [{"source": "a", "destination": "/srv"}]}
    host.path("/srv").mkdir()
    host.path("/srv/a").write_text("foreign")
    assert host.deploy("d-ONE", {"a": "new"}, spec, fileExistsBehavior=behavior)["status"] == "Succeeded"
    assert host.read("/srv/a") == content
    # What was overwritten is ours and goes with the next revision; what was retained stays.
    assert host.deploy("d-TWO", {"a": "new"}, {})["status"] == "Succeeded"
    assert host.path("/srv/a").exists() is after


def test_nothing_is_written_through_a_link(host):
    outside = host.root.parent / "outside"
    outside.write_text("safe")
    host.path("/srv").mkdir()
    host.path("/srv/a").symlink_to(outside)
    spec = {"files": [{"source": "a", "destination": "/srv"}]}
    assert host.deploy("d-ONE", {"a": "new"}, spec, fileExistsBehavior="OVERWRITE")["status"] == "Succeeded"
    assert outside.read_text() == "safe"
    assert host.read("/srv/a") == "new"
    assert not host.path("/srv/a").is_symlink()


def test_huge_output_that_is_not_text_fits_the_line(host, kit):
    script = "#!/bin/sh\nhead -c 3000000 /dev/urandom\nprintf '\\377\\376 the end'\nexit 1\n"
    location = "deep/" * 30 + "a.sh"
    found = diagnostics(host.deploy("d-ONE", {location: script}, {"hooks": {"BeforeInstall": kit.hook(location)}}))
    assert found["logTail"].rstrip().endswith("the end")
    assert "failed with exit code 1" in found["message"]


def test_a_wrong_digest_names_what_is_wrong(host, kit, server):
    order = host.order("d-ONE", kit.make_zip({"a": "a"}), {})
    order["bundle"]["size"] = len(b"something else")
    order["bundle"]["url"] = server.put("/other", b"something else")
    found = diagnostics(host.run(order))
    assert (found["event"], found["errorCode"]) == ("DownloadBundle", "UnknownError")
    assert "Could not download bundle at" in found["message"]
    assert "sha256" in found["message"]
    assert "Signature" not in str(found)
    assert not (host.deployment("d-ONE") / "bundle.tar").exists()


def test_unknown_owner_is_found_before_the_old_revision_goes(host):
    spec = {"files": [{"source": "a", "destination": "/srv"}]}
    assert host.deploy("d-ONE", {"a": "old"}, spec)["status"] == "Succeeded"
    entry = {
        "object": "/srv", "pattern": "**", "except": [], "type": ["file"], "owner": "nobody-here",
        "group": None, "mode": None, "acls": [], "context": None,
    }  # fmt: skip
    found = diagnostics(host.deploy("d-TWO", {"a": "new"}, {**spec, "permissions": [entry]}))
    assert "can't find user for nobody-here" in found["message"]
    assert host.read("/srv/a") == "old"
