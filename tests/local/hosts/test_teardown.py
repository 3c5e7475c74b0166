"""Nothing is left behind, however it ends."""

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate_local.hosts import Isolation

SCRIPT = """
import sys
from pathlib import Path
from tidegate_local.hosts import Fleet, Isolation
fleet = Fleet(Path(sys.argv[1]), Isolation(sys.argv[2]))
mark = {"MARK": sys.argv[3], "PATH": "/usr/bin:/bin"}
for host in fleet.start(2, {}):
    host.run(["sh", "-c", "setsid sleep 300 </dev/null >/dev/null 2>&1 & sleep 0"], mark)
    host.popen(["sh", "-c", "sleep 300"], mark, stdout=-3, stderr=-3)
    print(host.pid, flush=True)
print(fleet._keeper._process.pid, flush=True)
sys.stdin.readline()
fleet.stop()
print("stopped", flush=True)
sys.stdin.readline()
"""


def mounts():
    return Path("/proc/mounts").read_text()


class Run:
    """A process that keeps a fleet of two hosts, three programs in each."""

    def __init__(self, directory, isolation):
        if isolation is Isolation.NAMESPACES and os.geteuid() != 0:
            pytest.skip("NOT RUN: namespaces without a user namespace need root")
        self.mark = f"MARK={secrets.token_hex(8)}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(directory), isolation.value, self.mark.removeprefix("MARK=")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines = [self.process.stdout.readline().strip() for _ in range(3)]
        if "" in lines:
            pytest.skip(f"NOT RUN: {self.process.stderr.read().splitlines()[-1]}")
        *self.hosts, self.keeper = map(int, lines)


@pytest.fixture(params=list(Isolation), ids=lambda isolation: isolation.value)
def run(request, tmp_path):
    before = mounts()
    run = Run(tmp_path, request.param)
    yield run
    run.process.kill()
    run.process.communicate()
    assert mounts() == before


def gone(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_stop_returns_when_all_is_gone(run, processes_with, until):
    until(lambda: len(processes_with(run.mark)) >= 4)
    run.process.stdin.write("\n")
    run.process.stdin.flush()
    assert run.process.stdout.readline() == "stopped\n"
    assert processes_with(run.mark) == []
    assert all(gone(process) for process in [*run.hosts, run.keeper])


@pytest.mark.parametrize("victim", ["cloud", "keeper"])
def test_killing_a_process_leaves_nothing(run, victim, processes_with, until):
    until(lambda: len(processes_with(run.mark)) >= 4)
    os.kill(run.process.pid if victim == "cloud" else run.keeper, signal.SIGKILL)
    until(lambda: processes_with(run.mark) == [])
    until(lambda: all(gone(process) for process in [*run.hosts, run.keeper]))


def test_the_terminals_interrupt_does_not_reach_the_hosts(run, processes_with, until):
    until(lambda: len(processes_with(run.mark)) >= 4)
    for process in [*run.hosts, run.keeper]:
        assert os.getsid(process) != os.getsid(run.process.pid)
