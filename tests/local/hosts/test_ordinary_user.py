"""Hosts of a user without any privilege, started by a process that really is one."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import tidegate_local

USERS = {"nobody": 65534, "someone": 12345}

SCRIPT = """
import json, os, sys
from pathlib import Path
from tidegate_local.hosts import Fleet, exec_in_host
fleet = Fleet(Path(sys.argv[1]))
host, other = fleet.start(2, {})
work = (
    "set -e; id -u; hostname; mkdir -p /opt/codedeploy-agent/deployment-root /opt/tidegate/runner /var/lib/web;"
    " echo v1 > /opt/tidegate/runner/x; mkdir -p /etc/systemd/system/web.d; echo unit > /usr/local/bin/unit;"
    " chmod 755 /usr/local/bin/unit; cat /opt/tidegate/runner/x; rm -f /etc/passwd; ls -A /root"
)
done = host.run(["sh", "-c", work])
foreign = host.run(["chown", "1:1", "/opt/tidegate"])
print(json.dumps({
    "uid": os.getuid(), "isolation": host.isolation, "refusals": fleet.refusals, "out": done.stdout, "err": done.stderr,
    "code": done.returncode, "other": other.run(["ls", "-d", "/opt/tidegate"]).stdout, "foreign": foreign.returncode,
    "exec": exec_in_host(host.describe(), ["sh", "-c", "test $(hostname) = host-1 && exit 5"]),
}))
fleet.stop()
"""


def interpreter_for(user):
    """A Python of 3.11 or later that a user without privilege can run."""
    for name in (sys.executable, "/usr/bin/python3", shutil.which("python3") or ""):
        check = "import sys; sys.exit(sys.version_info < (3, 11))"
        try:
            if not subprocess.run([name, "-I", "-c", check], user=user, extra_groups=[], cwd="/").returncode:
                return name
        except OSError:
            continue
    pytest.skip("NOT RUN: no Python 3.11 that an ordinary user could run")


@pytest.fixture(scope="module", params=USERS)
def result(request):
    user = USERS[request.param]
    if os.geteuid() != 0:
        command, options = [sys.executable], {}
    else:
        command, options = [interpreter_for(user)], {"user": user, "group": user, "extra_groups": []}
    folder = Path(tempfile.mkdtemp(prefix="tidegate-"))
    folder.chmod(0o777)
    try:
        done = subprocess.run(
            [*command, "-B", "-c", SCRIPT, str(folder)],
            capture_output=True,
            text=True,
            cwd="/",
            env={"PYTHONPATH": str(Path(tidegate_local.__path__[0]).parent), "PATH": "/usr/bin:/bin"},
            **options,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if found["isolation"] == "folder":
        pytest.skip(f"NOT RUN: {' '.join(found['refusals'])}")
    return found


def test_an_ordinary_user_is_the_hosts_root_and_can_install_there(result):
    assert result["uid"] != 0
    assert (result["isolation"], result["err"], result["code"]) == ("user-namespace", "", 0)
    assert result["out"] == "0\nhost-1\nv1\n"
    assert result["other"] == ""
    assert not Path("/opt/tidegate/runner/x").exists()
    assert Path("/etc/passwd").exists()


def test_other_owners_do_not_exist_there(result):
    assert result["foreign"] != 0


def test_it_can_be_entered_from_outside(result):
    assert result["exec"] == 5
