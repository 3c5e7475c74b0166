"""Where CodeDeploy's agent is defective: one test for each thing done better, named after it."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tidegate.appspec import AppSpecError, compile_server_appspec
from tidegate_runner.cleanup import CleanupRecord
from tidegate_runner.errors import EventError
from tidegate_runner.logs import ScriptLog
from tidegate_runner.paths import HostPaths
from tidegate_runner.space import check_room

FILES = {"files": [{"source": "app", "destination": "/srv"}]}


def message(result):
    assert result["status"] == "Failed"
    return result["diagnostics"]["message"]


def log_of(host, deployment):
    return (host.deployment(deployment) / "logs" / "scripts.log").read_text()


def rule(**changes):
    base = {
        "object": "/srv", "pattern": "**", "except": [], "type": ["file", "directory"], "owner": None,
        "group": None, "mode": "0600", "acls": [], "context": None,
    }  # fmt: skip
    return {**base, **changes}


def test_collisions_are_found_before_the_old_revision_is_removed(host):
    assert host.deploy("d-ONE", {"app/old": "old"}, FILES)["status"] == "Succeeded"
    host.path("/srv/new").write_text("foreign")
    assert "already exists at this location: /srv/new" in message(host.deploy("d-TWO", {"app/new": "new"}, FILES))
    assert (host.read("/srv/old"), host.read("/srv/new")) == ("old", "foreign")


def test_collisions_name_the_other_group_that_owns_the_file(host):
    other = "6f1a2b3c-0000-4000-8000-000000000002"
    assert host.deploy("d-ONE", {"app/a": "1"}, FILES, deploymentGroupId=other)["status"] == "Succeeded"
    assert f"/srv/a (of deployment group {other}, deployment d-ONE)" in message(
        host.deploy("d-TWO", {"app/a": "2"}, FILES)
    )


def test_term_then_grace_then_kill_reach_the_whole_group(host, kit):
    script = (
        "#!/bin/sh\n"
        'sh -c \'trap "echo got TERM" TERM; echo $$ > "$TIDEGATE_HOST_ROOT/pid"; while :; do sleep 0.1; done\' &\n'
        "trap '' TERM\nwhile :; do sleep 0.1; done\n"
    )
    result = host.deploy("d-ONE", {"a.sh": script}, {"hooks": {"BeforeInstall": kit.hook("a.sh", 1)}})
    assert result["diagnostics"]["errorCode"] == "ScriptTimedOut"
    assert "[stdout]got TERM" in log_of(host, "d-ONE")  # asked first
    status = Path(f"/proc/{host.read('pid').strip()}/stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] in "ZX"  # then made to


def test_a_child_that_holds_the_output_is_named_within_seconds(host, kit):
    script = '#!/bin/sh\nsleep 60 &\necho $! > "$TIDEGATE_HOST_ROOT/pid"\n'
    result = host.deploy("d-ONE", {"a.sh": script}, {"hooks": {"ApplicationStart": kit.hook("a.sh", 3600)}})
    pid = int(host.read("pid"))
    os.kill(pid, 9)
    assert result["status"] == "Succeeded"  # long before the hour is over
    assert f"process {pid} keeps its output open" in log_of(host, "d-ONE")


def test_a_long_line_in_the_log_tail_is_cut_not_dropped(tmp_path):
    log = ScriptLog(str(tmp_path / "a"), str(tmp_path / "b"), "d-ONE")
    log.line("x" * 5000 + "the end")
    log.close()
    assert log.tail().endswith("the end\n")
    assert 2000 < len(log.tail()) < 2048


@pytest.mark.parametrize(
    ("written", "meant"), [("0644", "0644"), ("0755", "0755"), ("0600", "0600"), ("04755", "4755")]
)
def test_unquoted_octal_modes_are_read_as_meant_with_a_warning(written, meant):
    text = f"version: 0.0\nos: linux\npermissions:\n  - object: /a\n    mode: {written}\n"
    compiled = compile_server_appspec(text)
    assert compiled.permissions[0].mode == meant
    assert f"read as octal {meant}" in compiled.warnings[0]


@pytest.mark.parametrize(("written", "gives"), [("0644", "0420"), ("0755", "invalid character (9)"), ("0600", "(8)")])
def test_a_switch_gives_the_octal_reading_of_1_8_1(written, gives):
    text = f"version: 0.0\nos: linux\npermissions:\n  - object: /a\n    mode: {written}\n"
    if gives.isdigit():
        assert compile_server_appspec(text, octal="1.8.1").permissions[0].mode == gives
    else:
        with pytest.raises(AppSpecError) as caught:
            compile_server_appspec(text, octal="1.8.1")
        assert gives in str(caught.value)


def test_writes_are_atomic(host):
    """A program that has the old file open keeps it whole; the new one is another file."""
    host.path("/srv").mkdir()
    host.path("/srv/a").write_text("old")
    with host.path("/srv/a").open() as reader:
        result = host.deploy("d-ONE", {"app/a": "new"}, FILES, fileExistsBehavior="OVERWRITE")
        assert result["status"] == "Succeeded"
        assert reader.read() == "old"
    assert host.read("/srv/a") == "new"
    assert host.names("/srv") == ["a"]


@pytest.mark.parametrize("behavior", ["DISALLOW", "OVERWRITE"])
def test_a_dangling_link_is_replaced_and_not_written_through(host, behavior):
    outside = host.root.parent / "outside"
    host.path("/srv").mkdir()
    host.path("/srv/a").symlink_to(outside)
    assert host.deploy("d-ONE", {"app/a": "new"}, FILES, fileExistsBehavior=behavior)["status"] == "Succeeded"
    assert not outside.exists()
    assert not host.path("/srv/a").is_symlink()


def test_a_link_replaces_an_existing_file(host):
    host.path("/srv").mkdir()
    host.path("/srv/l").write_text("old")
    files = {"app/l": (0o120777, "target"), "app/target": "x"}
    assert host.deploy("d-ONE", files, FILES, fileExistsBehavior="OVERWRITE")["status"] == "Succeeded"
    assert host.path("/srv/l").readlink() == Path("target")


def test_old_archives_that_cannot_be_deleted_are_a_warning(host):
    limits = {"maxRevisions": 1}
    for name in ("d-ONE", "d-TWO"):
        assert host.deploy(name, {"app/a": "1"}, FILES, limits=limits)["status"] == "Succeeded"
    kept = host.deployment("d-ONE")
    subprocess.run(["chattr", "+i", str(kept / "deployment-archive")], capture_output=True, check=False)
    kept.mkdir(exist_ok=True)
    busy = kept / "busy"
    busy.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "--bind", str(busy), str(busy)], capture_output=True, check=False)
    if mounted.returncode != 0:
        kept.chmod(0o500)  # an ordinary user cannot delete from a folder without the right to write
    try:
        assert host.deploy("d-THREE", {"app/a": "1"}, FILES, limits=limits)["status"] == "Succeeded"
        assert "Warning: Could not remove an old deployment" in log_of(host, "d-THREE")
    finally:
        subprocess.run(["umount", str(busy)], capture_output=True, check=False)
        kept.chmod(0o700)
        subprocess.run(["chattr", "-i", str(kept / "deployment-archive")], capture_output=True, check=False)


def test_a_missing_old_archive_is_a_no_op_with_a_warning(host, kit):
    spec = {"hooks": {"ApplicationStop": kit.hook("stop.sh")}}
    host.deploy("d-ONE", {"stop.sh": "#!/bin/sh\nexit 1\n"}, spec)
    shutil.rmtree(host.deployment("d-ONE") / "deployment-archive")
    second = host.deploy("d-TWO", {"a": "a"}, {})
    assert second["events"][0][:2] == ["ApplicationStop", "Succeeded"]
    assert "Warning: the scripts of deployment d-ONE are no longer on this host" in log_of(host, "d-TWO")


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"pattern": "deep/*.conf"}, "can never match by its pattern 'deep/*.conf'"),
        ({"except": ["deep/a"]}, "can never match by its except 'deep/a'"),
        ({"pattern": "*.nothing"}, "for /srv changed nothing"),
        ({"object": "/nowhere"}, "for /nowhere changed nothing: it is neither a file of this install nor a directory"),
    ],
)
def test_a_permissions_rule_that_can_never_match_or_matched_nothing_warns(host, changes, warning):
    result = host.deploy("d-ONE", {"app/a": "a"}, {**FILES, "permissions": [rule(**changes)]})
    assert result["status"] == "Succeeded"
    assert warning in log_of(host, "d-ONE")


def test_free_space_is_checked_before_unpacking(tmp_path):
    check_room(1, str(tmp_path))
    with pytest.raises(EventError, match=r"The disk is \(or was\) full during extraction"):
        check_room(1 << 62, str(tmp_path))


def test_file_names_with_newlines_are_safe_in_the_cleanup_record(host):
    names = {"app/a\nb": "1", "app/%0A\n%25": "1", "app/x": "1"}
    host.path("/srv").mkdir()
    host.path("/srv/own").write_text("stays")
    host.path("b").write_text("stays")  # where the second half of a broken line would point
    assert host.deploy("d-ONE", names, FILES)["status"] == "Succeeded"
    assert "a\nb" in host.names("/srv")
    record = CleanupRecord(HostPaths(str(host.root)), "6f1a2b3c-0000-4000-8000-000000000001")
    assert {"/srv/a\nb", "/srv/%0A\n%25", "/srv/x"} <= record.paths()
    assert host.deploy("d-TWO", {"app/y": "1"}, FILES)["status"] == "Succeeded"
    assert host.names("/srv") == ["own", "y"]


def test_set_user_id_survives_a_change_of_owner(host):
    import pwd

    own = pwd.getpwuid(os.geteuid()).pw_name
    spec = {**FILES, "permissions": [rule(object="/srv/a", mode="4755", owner=own)]}
    assert host.deploy("d-ONE", {"app/a": "a"}, spec)["status"] == "Succeeded"
    assert stat.S_IMODE(host.path("/srv/a").stat().st_mode) == 0o4755


def test_a_script_whose_path_has_blanks_or_shell_characters_runs(host, kit):
    location = "my scripts/$(touch evil) it's; fine.sh"
    files = {location: '#!/bin/sh\necho ran > "$TIDEGATE_HOST_ROOT/ran"\n'}
    assert host.deploy("d-ONE", files, {"hooks": {"BeforeInstall": kit.hook(location)}})["status"] == "Succeeded"
    assert host.read("ran") == "ran\n"
    assert not list(host.root.rglob("evil"))


def test_a_directory_in_the_way_of_a_file_is_refused_and_not_copied_into(host):
    host.path("/srv/z").mkdir(parents=True)
    result = host.deploy("d-ONE", {"app/a": "1", "app/z": "1"}, FILES, fileExistsBehavior="OVERWRITE")
    assert "/srv/z (a directory)" in message(result)
    assert host.names("/srv") == ["z"]
    assert host.names("/srv/z") == []
