"""Hosts that are re-rooted folders: no isolation, and they say so."""

import subprocess
import sys
from pathlib import Path

import pytest

from tidegate_local.hosts import HOST_ROOT_VARIABLE, Fleet, HostError, Isolation, exec_in_host
from tidegate_local.hosts import fleet as fleet_module


@pytest.fixture
def folders(tmp_path):
    fleet = Fleet(tmp_path, Isolation.FOLDER)
    fleet.start(2, {})
    yield fleet
    fleet.stop()


def test_every_program_is_told_of_its_hosts_folder(folders):
    first, second = folders.hosts
    script = f'echo "$0" > "${HOST_ROOT_VARIABLE}/opt/note"'
    first.run(["sh", "-c", script, "one"])
    second.run(["sh", "-c", script, "two"], {})
    assert [Path(host.root, "opt/note").read_text() for host in (first, second)] == ["one\n", "two\n"]
    assert first.describe()["isolation"] == "folder"


def test_exec_says_that_there_is_no_isolation(folders, capfd):
    host = folders.hosts[0]
    assert exec_in_host(host.describe(), ["sh", "-c", f"echo ${HOST_ROOT_VARIABLE}"]) == 0
    captured = capfd.readouterr()
    assert captured.out == f"{host.root}\n"
    assert "no isolation here" in captured.err


def test_programs_that_left_their_session_end_with_their_host(folders, processes_with, until):
    host = folders.hosts[0]
    process = host.popen(
        ["sh", "-c", "(setsid sh -c 'setsid sleep 300 & sleep 300' &) ; echo ready"], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    mark = f"{HOST_ROOT_VARIABLE}={host.root}"
    until(lambda: len(processes_with(mark)) >= 2)
    host.kill()
    assert processes_with(mark) == []


def test_what_is_not_possible_falls_back_to_folders_and_is_reported(tmp_path, monkeypatch):
    real = fleet_module._KeeperLink

    class Refusing(real):
        def __init__(self, directory, isolation):
            if isolation is not Isolation.FOLDER:
                raise HostError("unshare: Operation not permitted")
            super().__init__(directory, isolation)

    monkeypatch.setattr(fleet_module, "_KeeperLink", Refusing)
    fleet = Fleet(tmp_path)
    try:
        (host,) = fleet.start(1, {})
        assert host.isolation is Isolation.FOLDER
        assert fleet.refusals
        assert all("Operation not permitted" in text for text in fleet.refusals)
    finally:
        fleet.stop()


def test_a_machine_that_forbids_namespaces_gets_folders(tmp_path):
    """For real: inside a user namespace that may not have further ones, without the right to mount."""
    script = (
        "import sys; from pathlib import Path; from tidegate_local.hosts import Fleet;"
        " fleet = Fleet(Path(sys.argv[1]));"
        " host, = fleet.start(1, {}); print(host.isolation, len(fleet.refusals), host.run(['echo', 'ran']).stdout);"
        " fleet.stop()"
    )
    forbid = (
        "echo 0 > /proc/sys/user/max_user_namespaces &&"
        ' exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin -- "$0" "$@"'
    )
    prefix = ["unshare", "--user", "--map-root-user", "sh", "-c", forbid]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("NOT RUN: no user namespace in which to forbid namespaces")
    done = subprocess.run([*prefix, sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("folder 2 ran\n\n", "")


def test_a_forced_isolation_that_is_not_possible_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(fleet_module, "_ENTRY", "import sys; sys.exit(1)")
    fleet = Fleet(tmp_path, Isolation.NAMESPACES)
    with pytest.raises(HostError, match="the process that keeps the hosts has died"):
        fleet.start(1, {})
    assert fleet.hosts == []
