"""Scripts and files of other users, as root and without it."""

import os
import pwd
import shutil
import tempfile
from pathlib import Path

import pytest

from tidegate_runner.errors import EventError
from tidegate_runner.install import change_owner
from tidegate_runner.instructions import ChangeOwner


@pytest.fixture
def open_host(host):
    """Give a host whose folders every user may enter."""
    root = Path(tempfile.mkdtemp(prefix="tidegate-host-"))
    root.chmod(0o755)
    host.root = root
    yield host
    shutil.rmtree(root)


def other_user():
    return next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, os.geteuid()))


def test_runas_the_runners_own_user(host, kit):
    hooks = {"BeforeInstall": kit.hook("a b.sh", runas=pwd.getpwuid(os.geteuid()).pw_name)}
    files = {
        "a b.sh": '#!/bin/sh\nid -u > "$TIDEGATE_HOST_ROOT/uid"; echo $DEPLOYMENT_ID >> "$TIDEGATE_HOST_ROOT/uid"\n'
    }
    assert host.deploy("d-ONE", files, {"hooks": hooks})["status"] == "Succeeded"
    assert host.read("uid").split() == [str(os.geteuid()), "d-ONE"]


def test_runas_another_user_needs_root(open_host, kit):
    user = pwd.getpwnam("nobody")
    hooks = {"BeforeInstall": kit.hook("a.sh", runas="nobody")}
    result = open_host.deploy("d-ONE", {"a.sh": "#!/bin/sh\nid -u >&2\nexit 1\n"}, {"hooks": hooks})
    found = result["diagnostics"]
    assert found["errorCode"] == "ScriptFailed"
    if os.geteuid() == 0:
        # nobody's shell refuses to run anything, or the script tells who it is: it was su's doing either way
        assert "run as user nobody failed with exit code 1" in found["message"]
        assert f"[stderr]{user.pw_uid}" in found["logTail"] or "not available" in found["logTail"]
    else:
        assert "the runner is not root" in found["message"]


def test_the_owner_a_file_has_already_needs_no_right(tmp_path):
    file = tmp_path / "a"
    file.touch()
    own = pwd.getpwuid(file.stat().st_uid).pw_name
    change_owner(ChangeOwner(own, None, "/a"), str(file))
    assert file.owner() == own


def test_another_owner_is_set_or_refused_with_the_reason(tmp_path):
    file = tmp_path / "a"
    file.touch()
    user = other_user()
    if os.geteuid() == 0:
        change_owner(ChangeOwner(user.pw_name, None, "/a"), str(file))
        assert file.stat().st_uid == user.pw_uid
    else:
        with pytest.raises(EventError, match="the runner is not root"):
            change_owner(ChangeOwner(user.pw_name, None, "/a"), str(file))
