"""The runner's pure parts, through their public names."""

import json

import pytest

from tidegate_runner import archive
from tidegate_runner.access import complete_acl
from tidegate_runner.errors import EventError
from tidegate_runner.events import revision_for
from tidegate_runner.instructions import ChangeMode
from tidegate_runner.logs import ScriptLog
from tidegate_runner.order import parse_order
from tidegate_runner.paths import DeploymentPaths, HostPaths
from tidegate_runner.permissions import plan_permissions
from tidegate_runner.pointers import Pointers
from tidegate_runner.result import diagnostics_of, result_document, result_line

COPIES = {"/srv/a": "s", "/srv/b.conf": "s", "/srv/deep/a": "s", "/other/a": "s"}
FOLDERS = {"/srv", "/srv/deep"}


def entry(**changes):
    base = {
        "object": "/srv", "pattern": "**", "except": [], "type": ["file", "directory"], "owner": None,
        "group": None, "mode": "0600", "acls": [], "context": None,
    }  # fmt: skip
    return {**base, **changes}


def planned(*entries, warn=lambda text: None):
    return plan_permissions(list(entries), COPIES, FOLDERS, lambda path: path in FOLDERS, warn)


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({}, ["/srv/a", "/srv/b.conf", "/srv/deep", "/srv/deep/a"]),  # never the object itself
        ({"type": ["file"]}, ["/srv/a", "/srv/b.conf", "/srv/deep/a"]),
        ({"type": ["directory"]}, ["/srv/deep"]),
        ({"pattern": "*.conf"}, ["/srv/b.conf"]),
        ({"pattern": "a"}, ["/srv/a"]),  # direct children only
        ({"except": ["a"]}, ["/srv/b.conf", "/srv/deep", "/srv/deep/a"]),  # a deeper file is no exception
        ({"object": "/srv/a"}, ["/srv/a"]),
        ({"object": "/srv/a", "type": ["directory"]}, []),
        ({"object": "/elsewhere"}, []),
        ({"object": "/srv/"}, ["/srv/a", "/srv/b.conf", "/srv/deep", "/srv/deep/a"]),
    ],
)
def test_whom_permissions_reach(changes, paths):
    assert planned(entry(**changes)) == [ChangeMode("0600", path) for path in paths]


@pytest.mark.parametrize(
    ("entries", "fragment"),
    [
        ([entry(), entry(object="/srv/a")], "permissions setting for (/srv/a) is specified more than once"),
        ([entry(object="/srv/a", pattern="*")], "invalid pattern"),
        ([entry(object="/srv/a", **{"except": ["x"]})], "except parameter"),
        ([entry(acls=["default:user:x:rwx"])], "This parameter is supported for directories only"),
        ([entry(owner="nobody-here")], "can't find user for"),
        ([entry(group="nobody-here")], "can't find group for"),
    ],
)
def test_permissions_that_cannot_be_meant(entries, fragment):
    with pytest.raises(EventError) as caught:
        planned(*entries)
    assert fragment in str(caught.value)


def test_owner_comes_before_mode_so_that_set_user_id_survives():
    import grp
    import pwd

    names = {"owner": pwd.getpwuid(0).pw_name, "group": grp.getgrgid(0).gr_name}
    kinds = [change.to_json()["type"] for change in planned(entry(object="/srv/a", mode="4755", **names))]
    assert kinds == ["chown", "chmod"]


def test_acls_are_completed_from_the_mode():
    assert complete_acl(["user:bob:rw-", "default:user:bob:r--"], 0o750) == [
        "user::rwx", "group::r-x", "other::---", "user:bob:rw-", "mask::r-x",
        "default:user:bob:r--", "default:user::rwx", "default:group::r-x", "default:other::---",
        "default:mask::r-x",
    ]  # fmt: skip


EVENTS = [["BeforeAllowTraffic", "Succeeded", 1764000000.123, 1764000001.456]] * 9


@pytest.mark.parametrize("character", ["x", "\n", "é", "\U0001f600", '"', "\x00", "\udcff"])
@pytest.mark.parametrize("size", [0, 1, 300, 2047, 100_000])
def test_a_result_always_fits_its_line(character, size):
    text = character * size
    document = result_document("d-ONE", "i-1", "host", "Failed", EVENTS, diagnostics_of("E", "C", text, text, text))
    line = result_line(document)
    assert len(line) <= 2000
    assert line.isascii()
    read = json.loads(line)
    assert read["events"] == EVENTS
    assert set(read["diagnostics"]) == {"event", "errorCode", "scriptName", "message", "logTail"}


def test_the_log_tail_gives_way_before_the_message():
    found = diagnostics_of("E", "C", "s", "m" * 900, "old" + "n" * 3000)
    read = json.loads(result_line(result_document("d", "i", "host", "Failed", [], found)))["diagnostics"]
    assert read["message"] == "m" * 900
    assert read["logTail"].startswith("...n")


def test_a_line_longer_than_the_tail_is_cut_and_not_dropped(tmp_path):
    log = ScriptLog(str(tmp_path / "a"), str(tmp_path / "b"), "d-ONE")
    for line in ("early", "x" * 5000 + "end"):
        log.line(line)
    assert len(log.tail()) < 2048
    assert log.tail().endswith("end\n")
    log.line("late")
    log.close()
    assert log.tail() == "late\n"
    assert (tmp_path / "a").read_text().splitlines()[0].endswith(" early")
    assert "] [d-ONE]early" in (tmp_path / "b").read_text()


def test_the_archive_is_the_same_every_time_and_holds_sources_only(kit):
    first = archive.build(str(kit.runner / "tidegate_runner"))
    assert first == archive.build(str(kit.runner / "tidegate_runner"))
    import io
    import zipfile

    names = zipfile.ZipFile(io.BytesIO(first)).namelist()
    assert "tidegate_runner/front.py" in names
    assert all(name.startswith("tidegate_runner/") and name.endswith(".py") for name in names)
    with pytest.raises(ValueError, match="not the folder"):
        archive.build(str(kit.runner))


@pytest.mark.parametrize(
    ("event", "rollback", "chosen"),
    [
        ("ApplicationStop", False, "d-LAST"),
        ("ApplicationStop", True, "d-LAST"),
        ("BeforeBlockTraffic", False, "d-LAST"),
        ("AfterBlockTraffic", True, "d-RECENT"),
        ("AfterAllowTraffic", True, "d-LAST"),
    ],
)
def test_whose_scripts_run_before_the_download(host, kit, event, rollback, chosen):
    changes = {"deploymentCreator": "codeDeployRollback", "deploymentType": "BLUE_GREEN"} if rollback else {}
    order = parse_order(json.dumps(host.order("d-NOW", b"", {}, **changes)).encode())
    paths = HostPaths(str(host.root))
    pointers = Pointers(paths, kit.group_id)
    assert event in ("AfterAllowTraffic",) or revision_for("ApplicationStop", order, paths) is None
    pointers.set_last_successful(DeploymentPaths.of(paths, kit.group_id, "d-LAST"))
    pointers.set_most_recent(DeploymentPaths.of(paths, kit.group_id, "d-RECENT"))
    assert revision_for(event, order, paths).deployment_id == chosen
    host.path(f"/opt/codedeploy-agent/deployment-root/{kit.group_id}/d-NOW/deployment-archive").mkdir(parents=True)
    assert revision_for(event, order, paths).deployment_id == "d-NOW"


def test_a_script_of_this_deployment_needs_its_revision(host):
    order = parse_order(json.dumps(host.order("d-NOW", b"", {})).encode())
    with pytest.raises(EventError, match="did not find an AppSpec file"):
        revision_for("AfterInstall", order, HostPaths(str(host.root)))
