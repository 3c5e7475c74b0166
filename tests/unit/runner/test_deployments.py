"""Whole deployments through the document's own text."""

import json
import os
import stat
import sys
import time
from pathlib import Path

import pytest

NOTE = '#!/bin/sh\necho "$LIFECYCLE_EVENT {rev} $DEPLOYMENT_ID" >> "$TIDEGATE_HOST_ROOT/calls"\n'
# Every other Python 3.6 or later that the machine has; hosts have all sorts.
PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
OTHER_PYTHONS = sorted(str(path) for path in PYENV.glob("versions/3.*/bin/python3"))


def revision(kit, name):
    files = {
        "appspec.yml": "unused",
        "app/server.py": (0o100644, f"print('{name}')"),
        f"app/only-in-{name}": (0o100600, name),
        "app/deep/data": (0o100644, name),
        "app/latest": (0o120777, "deep/data"),
        "note.sh": NOTE.format(rev=name),
    }
    scripted = [event for event in kit.stage if event not in ("DownloadBundle", "Install")]
    appspec = {
        "files": [{"source": "app", "destination": "/srv/shop"}],
        "hooks": {event: kit.hook("note.sh") for event in scripted},
        "permissions": [
            {
                "object": "/srv/shop", "pattern": "*.py", "except": [], "type": ["file"],
                "owner": None, "group": None, "mode": "0640", "acls": [], "context": None,
            }
        ],
    }  # fmt: skip
    return files, appspec


def deploy_two_revisions(host, kit):
    first = host.deploy("d-ONE", *revision(kit, "one"))
    second = host.deploy("d-TWO", *revision(kit, "two"))
    return first, second


@pytest.mark.parametrize("python", [sys.executable, *OTHER_PYTHONS])
def test_two_revisions_follow_one_another(host, kit, python):
    host.python = python
    host.path("/srv/shop").mkdir(parents=True)
    host.path("/srv/shop/made-by-the-application").write_text("stays")
    first, second = deploy_two_revisions(host, kit)

    assert [event[:2] for event in first["events"]] == [[event, "Succeeded"] for event in kit.stage]
    assert second["status"] == "Succeeded"
    assert second["target"] == "i-0123"
    assert second["deployment"] == "d-TWO"
    assert "diagnostics" not in second
    assert all(start <= end for _, _, start, end in second["events"])
    assert host.names("/srv/shop") == [
        "deep", "latest", "made-by-the-application", "only-in-two", "server.py",
    ]  # fmt: skip
    assert host.read("/srv/shop/server.py") == "print('two')"
    assert host.path("/srv/shop/latest").readlink() == Path("deep/data")
    assert stat.S_IMODE(host.path("/srv/shop/server.py").stat().st_mode) == 0o640
    assert stat.S_IMODE(host.path("/srv/shop/only-in-two").stat().st_mode) == 0o600
    written = time.mktime((2026, 1, 2, 3, 4, 6, 0, 0, -1))
    assert host.path("/srv/shop/server.py").stat().st_mtime == written
    after_stop = [event for event in kit.stage[1:] if event not in ("DownloadBundle", "Install")]
    # The first deployment has nothing to stop; the second stops with the first one's script.
    assert host.read("calls").splitlines() == [
        *[f"{event} one d-ONE" for event in after_stop],
        "ApplicationStop one d-TWO",
        *[f"{event} two d-TWO" for event in after_stop],
    ]


def test_state_is_laid_out_as_scripts_in_the_wild_expect(host, kit):
    deploy_two_revisions(host, kit)
    base = f"/opt/codedeploy-agent/deployment-root/{kit.group_id}/d-TWO"
    instructions = "/opt/codedeploy-agent/deployment-root/deployment-instructions/" + kit.group_id
    assert host.path(base + "/deployment-archive/appspec.yml").is_file()
    assert not host.path(base + "/bundle.tar").exists()
    assert host.read(instructions + "_last_successful_install") == base
    assert host.read(instructions + "_most_recent_install") == base
    assert "/srv/shop/only-in-two" in host.read(instructions + "-cleanup").splitlines()
    plan = json.loads(host.read(instructions + "-install.json"))["instructions"]
    assert plan[0] == {"type": "mkdir", "directory": "/srv"}
    assert plan[-1] == {"type": "chmod", "mode": "0640", "file": "/srv/shop/server.py"}
    log = host.read(base + "/logs/scripts.log")
    assert "LifecycleEvent - ApplicationStop" in log
    assert "Script - note.sh" in log


def test_scripts_get_the_documented_environment(host, kit):
    files = {"env.sh": '#!/bin/sh\nenv > "$TIDEGATE_HOST_ROOT/env"; pwd >> "$TIDEGATE_HOST_ROOT/cwd"; id -u\n'}
    assert host.deploy("d-ONE", files, {"hooks": {"BeforeInstall": kit.hook("env.sh")}})["status"] == "Succeeded"
    variables = dict(line.partition("=")[::2] for line in host.read("env").splitlines())
    expected = {
        "LIFECYCLE_EVENT": "BeforeInstall",
        "DEPLOYMENT_ID": "d-ONE",
        "APPLICATION_NAME": "shop",
        "DEPLOYMENT_GROUP_NAME": "prod",
        "DEPLOYMENT_GROUP_ID": kit.group_id,
        "BUNDLE_BUCKET": "b",
        "BUNDLE_KEY": "k",
        "BUNDLE_ETAG": '"e"',
    }
    assert {name: variables.get(name) for name in expected} == expected
    assert variables["HOME"]
    assert variables["PATH"]
    assert not {"BUNDLE_VERSION", "TIDEGATE_ORDER", "AWS_SECRET_ACCESS_KEY"} & set(variables)
    assert "secret" not in host.read("env")
    assert host.read("cwd").strip() == str(host.root)


def test_old_deployments_are_removed_but_the_last_successful_one(host, kit):
    for number in range(1, 5):
        order = host.order(f"d-{number}", kit.make_zip({"a": "a"}), {}, limits={"maxRevisions": 2})
        assert host.run(order)["status"] == "Succeeded"
    assert host.names(f"/opt/codedeploy-agent/deployment-root/{kit.group_id}") == ["d-3", "d-4"]


def test_a_single_top_folder_with_an_appspec_is_unwrapped(host):
    files = {"shop-1.0/AppSpec.yml": "unused", "shop-1.0/index.html": "hello"}
    appspec = {"files": [{"source": "index.html", "destination": "/srv/www"}]}
    assert host.deploy("d-ONE", files, appspec)["status"] == "Succeeded"
    assert host.read("/srv/www/index.html") == "hello"


@pytest.mark.parametrize(("kind", "mode"), [("tar", "w"), ("tgz", "w:gz"), ("tar", "w:xz"), ("tar", "w:bz2")])
def test_tar_bundles_keep_modes_times_and_links(host, kit, kind, mode):
    members = [
        (kit.tar_member("./", kind=b"5", mode=0o755), b""),
        (kit.tar_member("./bin/tool", mode=0o750), b"x" * 3_000_000),
        (kit.tar_member("./bin/same", kind=b"1", linkname="./bin/tool"), b""),
        (kit.tar_member("./bin/alias", kind=b"2", linkname="tool"), b""),
    ]
    appspec = {"files": [{"source": "/", "destination": "/srv/t"}]}
    result = host.run(host.order("d-ONE", kit.make_tar(members, mode), appspec, kind=kind))
    assert result["status"] == "Succeeded"
    tool = host.path("/srv/t/bin/tool").stat()
    assert (stat.S_IMODE(tool.st_mode), tool.st_mtime, tool.st_size) == (0o750, 1_700_000_000, 3_000_000)
    assert host.path("/srv/t/bin/same").stat().st_size == 3_000_000
    assert host.path("/srv/t/bin/alias").readlink() == Path("tool")


@pytest.mark.parametrize("python", OTHER_PYTHONS)
def test_every_python_does_the_same(host, kit, python):
    """Failures, links, clean-up and limits, whose libraries changed most between versions."""
    host.python = python
    spec = {"files": [{"source": "app", "destination": "/srv"}], "hooks": {"AfterInstall": kit.hook("bad.sh", 1)}}
    members = [
        (kit.tar_member("app/a\nb"), b"x"),
        (kit.tar_member("app/link", kind=b"2", linkname="a\nb"), b""),
        (kit.tar_member("bad.sh", mode=0o755), b"#!/bin/sh\nprintf 'caf\\351'; exec sleep 30\n"),
    ]
    failed = host.run(host.order("d-ONE", kit.make_tar(members, "w:gz"), spec, kind="tgz"))
    assert failed["diagnostics"]["errorCode"] == "ScriptTimedOut"
    assert "[stdout]caf\ufffd" in failed["diagnostics"]["logTail"]
    assert host.names("/srv") == ["a\nb", "link"]
    hostile = kit.make_tar([(kit.tar_member("../evil"), b"x")])
    refused = host.run(host.order("d-TWO", hostile, {}, kind="tar"))
    assert "leaves its folder" in refused["diagnostics"]["message"]
    large = host.order("d-THREE", kit.make_zip({"z": "\0" * 3_000_000}), {}, limits={"maxRatio": 10})
    assert "out of proportion" in host.run(large)["diagnostics"]["message"]
    assert host.deploy("d-FOUR", {"app/c": "c"}, {"files": spec["files"]})["status"] == "Succeeded"
    assert host.names("/srv") == ["c"]
