"""Rules of hosts, one by one: restarts, ETags, limits, retention, variables, access rights, tidying."""

import json
import os
import shutil
import subprocess
import time

import pytest

from tidegate_runner.access import set_acl
from tidegate_runner.errors import EventError, OrderError
from tidegate_runner.events import revision_for
from tidegate_runner.housekeeping import KEPT_JOURNALS, KEPT_RUNNERS, YOUNG_SECONDS, tidy
from tidegate_runner.lock import FileLock
from tidegate_runner.order import parse_order
from tidegate_runner.paths import DeploymentPaths, HostPaths
from tidegate_runner.pointers import Pointers

FILES = {"files": [{"source": "app", "destination": "/srv"}]}
ROOT = "/opt/codedeploy-agent/deployment-root"
NOTE = '#!/bin/sh\necho "$LIFECYCLE_EVENT {}" >> "$TIDEGATE_HOST_ROOT/calls"\n'


def message(result):
    assert result["status"] == "Failed"
    return result["diagnostics"]["message"]


# --- ETag


@pytest.mark.parametrize(("named", "reported"), [('"abc"', "abc"), ("abc", '"abc"'), (None, "x"), ("abc", None)])
def test_an_etag_that_fits_or_is_not_given_passes(host, kit, named, reported):
    order = host.order("d-ONE", kit.make_zip({"a": "a"}), {})
    order["revision"]["s3Location"]["eTag"] = named
    order["bundle"]["objectEtag"] = reported
    assert host.run(order)["status"] == "Succeeded"


def test_another_etag_fails_the_download(host, kit):
    order = host.order("d-ONE", kit.make_zip({"a": "a"}), {})
    order["bundle"]["objectEtag"] = '"other"'
    result = host.run(order)
    assert result["diagnostics"]["event"] == "DownloadBundle"
    assert message(result) == 'Expected deployment artifact bundle etag "e" but was actually "other"'


# --- restart


def test_a_restart_takes_the_last_successful_revision_without_a_download(host, kit):
    stage = ["ApplicationStop", "DownloadBundle", "Install", "ApplicationStart"]
    spec = {**FILES, "hooks": {event: kit.hook("note.sh") for event in ("ApplicationStop", "ApplicationStart")}}
    assert host.deploy("d-ONE", {"app/a": "1", "note.sh": NOTE.format("one")}, spec)["status"] == "Succeeded"
    order = host.order("d-TWO", b"", spec, events=stage, deploymentMode="RESTART", restartOf="d-ONE")
    assert host.run({**order, "bundle": {}})["status"] == "Succeeded"
    assert host.read("/srv/a") == "1"
    assert host.read("calls").splitlines()[1:] == ["ApplicationStop one", "ApplicationStart one"]


def test_a_restart_without_download_and_install_runs_the_last_ones_scripts(host, kit):
    spec = {**FILES, "hooks": {"ApplicationStart": kit.hook("note.sh")}}
    assert host.deploy("d-ONE", {"app/a": "1", "note.sh": NOTE.format("one")}, spec)["status"] == "Succeeded"
    changes = {"deploymentMode": "RESTART", "events": ["ApplicationStop", "ApplicationStart"]}
    assert host.run({**host.order("d-TWO", b"", spec, **changes), "bundle": {}})["status"] == "Succeeded"
    assert host.read("calls").splitlines() == ["ApplicationStart one"] * 2


def test_a_restart_of_nothing_says_so(host, kit):
    order = host.order("d-TWO", b"", {}, deploymentMode="RESTART")
    found = message(host.run({**order, "bundle": {}}))
    assert "Nothing to restart: the revision installed last is not on this host" in found


def test_a_restart_downloads_what_is_no_longer_here(host, kit):
    order = host.order("d-TWO", kit.make_zip({"app/a": "2"}), FILES, deploymentMode="RESTART", restartOf="d-GONE")
    assert host.run(order)["status"] == "Succeeded"
    assert host.read("/srv/a") == "2"


# --- whose scripts

LAST, RECENT, NOW = "d-LAST", "d-RECENT", "d-NOW"
WHOSE = {
    "BeforeBlockTraffic": (LAST, RECENT),
    "AfterBlockTraffic": (LAST, RECENT),
    "ApplicationStop": (LAST, LAST),
    "BeforeInstall": (None, None),
    "AfterInstall": (None, None),
    "ApplicationStart": (None, None),
    "ValidateService": (None, None),
    "BeforeAllowTraffic": (None, LAST),
    "AfterAllowTraffic": (None, LAST),
}
KINDS = [
    ("user", "IN_PLACE"),
    ("user", "BLUE_GREEN"),
    ("codeDeployRollback", "IN_PLACE"),
    ("codeDeployRollback", "BLUE_GREEN"),
]


@pytest.mark.parametrize("event", WHOSE)
@pytest.mark.parametrize(("creator", "kind"), KINDS)
def test_whose_scripts_run(host, kit, event, creator, kind):
    changes = {"deploymentCreator": creator, "deploymentType": kind}
    order = parse_order(json.dumps(host.order(NOW, b"", {}, **changes)).encode())
    paths = HostPaths(str(host.root))
    pointers = Pointers(paths, kit.group_id)
    pointers.set_last_successful(DeploymentPaths.of(paths, kit.group_id, LAST))
    pointers.set_most_recent(DeploymentPaths.of(paths, kit.group_id, RECENT))
    expected = WHOSE[event][(creator, kind) == KINDS[-1]]
    if expected is None:
        with pytest.raises(EventError, match="did not find an AppSpec file"):
            revision_for(event, order, paths)
    else:
        assert revision_for(event, order, paths).deployment_id == expected
    host.path(f"{ROOT}/{kit.group_id}/{NOW}/deployment-archive").mkdir(parents=True)
    assert revision_for(event, order, paths).deployment_id == NOW


def test_the_last_successful_one_is_set_by_install_and_not_by_the_end(host, kit):
    spec = {"hooks": {"AfterInstall": kit.hook("no.sh"), "ApplicationStop": kit.hook("note.sh")}}
    files = {"no.sh": "#!/bin/sh\nexit 1\n", "note.sh": NOTE.format("one")}
    assert host.deploy("d-ONE", files, spec)["status"] == "Failed"
    assert host.deploy("d-TWO", {"a": "a"}, {})["status"] == "Succeeded"
    assert host.read("calls") == "ApplicationStop one\n"


# --- variables


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        (
            {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "version": "v"}},
            {"BUCKET": "b", "KEY": "k", "VERSION": "v"},
        ),
        (
            {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "eTag": '"e"'}},
            {"BUCKET": "b", "KEY": "k", "ETAG": '"e"'},
        ),
        ({"revisionType": "GitHub", "gitHubLocation": {"repository": "r", "commitId": "c"}}, {"COMMIT": "c"}),
        ({}, {}),
    ],
)
def test_bundle_variables(host, kit, revision, expected):
    files = {"e.sh": '#!/bin/sh\nenv > "$TIDEGATE_HOST_ROOT/env"\n'}
    spec = {"hooks": {"AfterInstall": kit.hook("e.sh")}}
    assert host.deploy("d-ONE", files, spec, revision=revision)["status"] == "Succeeded"
    lines = [line for line in host.read("env").splitlines() if line.startswith("BUNDLE_")]
    assert sorted(lines) == sorted(f"BUNDLE_{name}={value}" for name, value in expected.items())


# --- limits


@pytest.mark.parametrize(
    "limits", [{"maxMembers": 0}, {"maxRatio": -1}, {"maxUnpackedBytes": "1"}, {"maxRevisions": True}]
)
def test_limits_that_cannot_be_are_refused(host, kit, limits):
    with pytest.raises(OrderError, match=next(iter(limits))):
        parse_order(json.dumps(host.order("d-ONE", b"", {}, limits=limits)).encode())


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_a_bundle_out_of_proportion_is_refused(host, kit, kind):
    content = b"\0" * 3_000_000
    bundle = kit.make_zip({"z": content}) if kind == "zip" else kit.make_tar([(kit.tar_member("z"), content)], "w:gz")
    assert "out of proportion" in message(
        host.run(host.order("d-ONE", bundle, {}, kind=kind, limits={"maxRatio": 100}))
    )
    assert host.run(host.order("d-TWO", bundle, {}, kind=kind))["status"] == "Succeeded"


def test_the_last_good_revision_outlives_failed_ones(host, kit):
    limits = {"maxRevisions": 2}
    bad = {"hooks": {"BeforeInstall": kit.hook("no.sh")}}
    assert host.deploy("d-GOOD", {"app/a": "1"}, FILES, limits=limits)["status"] == "Succeeded"
    for number in range(4):
        assert host.deploy(f"d-BAD{number}", {"no.sh": "#!/bin/sh\nexit 1\n"}, bad, limits=limits)["status"] == "Failed"
    group = host.names(f"{ROOT}/6f1a2b3c-0000-4000-8000-000000000001")
    assert "d-GOOD" in group
    assert "d-BAD3" in group
    assert len(group) <= 3


# --- access rights


def test_named_acls_are_set_for_real(tmp_path):
    if not shutil.which("setfacl"):
        pytest.skip("NOT RUN: setfacl is missing; apt-get install acl")
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    file.chmod(0o640)
    folder.chmod(0o750)
    set_acl(str(file), ["user:daemon:rw-"])
    set_acl(str(folder), ["default:user:daemon:r-x", "group:daemon:r--"])
    shown = subprocess.run(
        ["getfacl", "-pc", str(file), str(folder)], capture_output=True, text=True, check=True
    ).stdout.split("\n\n")
    lines = [line.partition("\t")[0] for line in shown[0].splitlines()]
    assert lines == ["user::rw-", "user:daemon:rw-", "group::r--", "mask::r--", "other::---"]
    assert {"group:daemon:r--", "default:user::rwx", "default:user:daemon:r-x", "default:other::---"} <= {
        line.partition("\t")[0] for line in shown[1].splitlines()
    }


def test_an_acl_that_the_system_refuses_fails_with_its_words(tmp_path):
    if not shutil.which("setfacl"):
        pytest.skip("NOT RUN: setfacl is missing; apt-get install acl")
    (tmp_path / "a").touch()
    with pytest.raises(EventError, match=r"problem with the acls permission settings of .*: setfacl ended with"):
        set_acl(str(tmp_path / "a"), ["user:no-such-user:rwx"])


def test_selinux_contexts_are_set_and_taken_back(host, kit):
    """With stand-ins that write down how they are called: no SELinux kernel is needed to see that."""
    programs = host.root / "programs"
    programs.mkdir()
    for name in ("semanage", "restorecon"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "$TIDEGATE_HOST_ROOT/selinux"\n')
        (programs / name).chmod(0o755)
    context = {"user": "system_u", "type": "httpd_sys_content_t", "range": "s0"}
    entry = {
        "object": "/srv/a", "pattern": "**", "except": [], "type": ["file"], "owner": None,
        "group": None, "mode": None, "acls": [], "context": context,
    }  # fmt: skip
    environment = host.environment()
    host.environment = lambda: {**environment, "PATH": f"{programs}:{environment['PATH']}"}
    assert host.deploy("d-ONE", {"app/a": "1"}, {**FILES, "permissions": [entry]})["status"] == "Succeeded"
    assert host.deploy("d-TWO", {"a": "1"}, {})["status"] == "Succeeded"
    path = os.path.realpath(host.path("/srv/a"))
    assert host.read("selinux").splitlines() == [
        f"semanage fcontext -a -s system_u -t httpd_sys_content_t -r s0 {path}",
        f"restorecon -v {path}",
        f"semanage fcontext -d {path}",
    ]


def test_sudo_hands_the_deployments_variables_on(host, kit):
    if not shutil.which("sudo"):
        pytest.skip("NOT RUN: sudo is missing; apt-get install sudo")
    if subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode != 0:
        assert os.geteuid() != 0, "sudo asks root for a password, or its own settings are broken; see sudo -n true"
        pytest.skip("NOT RUN: sudo asks this user for a password; run the suite as root, or allow it in sudoers")
    files = {"s.sh": f'#!/bin/sh\necho "$(id -u) $DEPLOYMENT_ID $BUNDLE_KEY" > {host.root}/who\n'}
    spec = {"hooks": {"BeforeInstall": kit.hook("s.sh", sudo=True)}}
    assert host.deploy("d-ONE", files, spec)["status"] == "Succeeded"
    assert host.read("who") == "0 d-ONE k\n"


# --- tidying


def test_old_journals_and_versions_out_of_use_are_removed(host):
    paths, now = HostPaths(str(host.root)), time.time()
    old, young = now - YOUNG_SECONDS - 1, now - 60
    for number in range(KEPT_JOURNALS + 3):
        folder = host.path(f"/opt/tidegate/journal/d-{number:04d}")
        folder.mkdir(parents=True)
        os.utime(folder, (old - number, old - number))
    held = FileLock(str(host.path(f"/opt/tidegate/journal/d-{KEPT_JOURNALS + 1:04d}/host.lock")))
    held.acquire()
    os.utime(os.path.dirname(held.path), (old - 500, old - 500))  # noqa: PTH120
    for number in range(KEPT_RUNNERS + 3):
        folder = host.path(f"/opt/tidegate/runner/{number:064x}")
        folder.mkdir(parents=True)
        os.utime(folder, (old - number, old - number) if number else (young, young))
    tidy(paths, f"d-{KEPT_JOURNALS + 2:04d}", now)
    held.release()
    journals = host.names("/opt/tidegate/journal")
    assert f"d-{KEPT_JOURNALS:04d}" not in journals
    assert {"d-0000", f"d-{KEPT_JOURNALS + 1:04d}", f"d-{KEPT_JOURNALS + 2:04d}"} <= set(journals)
    assert host.names("/opt/tidegate/runner") == [f"{number:064x}" for number in range(KEPT_RUNNERS)]
