"""``tidegate local``, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from tests.local.cloud.conftest import eventually

from tidegate_local.state import read_state, start_time

pytestmark = pytest.mark.local
STACK = Path(__file__).parent / "stack" / "template.yaml"
PROGRAM = [sys.executable, "-c", "from tidegate_cli.main import main; main()", "local"]


def environment(folder):
    return {**os.environ, "TIDEGATE_LOCAL_DIR": str(folder), "NO_COLOR": "1", "TERM": "dumb"}


def tidegate(folder, *arguments):
    return subprocess.run(
        [*PROGRAM, *arguments], env=environment(folder), capture_output=True, text=True, timeout=120, check=False
    )


def descendants(pid):
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, wave = set(), {pid}
    while wave:
        wave = {child for child, parent in parents.items() if parent in wave} - found
        found |= wave
    return found


def wait_gone(pids):
    until = time.monotonic() + 30
    while left := [pid for pid in pids if start_time(pid)]:
        assert time.monotonic() < until, left
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "instance"
    state = read_state(tmp_path / "instance")
    if state is not None and state.alive:
        os.kill(state.pid, signal.SIGKILL)


def test_a_life(folder):
    up = tidegate(folder, "up", "--detach", "--hosts", "1", "--tag", "Fleet=a", "--template", str(STACK))
    assert up.returncode == 0, up.stderr
    assert "is ready" in up.stdout
    state = read_state(folder)
    assert state is not None
    assert state.alive
    assert (folder / "state.json").stat().st_mode & 0o777 == 0o600

    again = tidegate(folder, "up", "--template", str(STACK))
    assert again.returncode == 0
    assert f"already runs (process {state.pid}), with 1 hosts" in again.stdout
    same = tidegate(folder, "up", "--detach", "--hosts", "1", "--template", str(STACK))
    assert same.returncode == 0
    other = tidegate(folder, "up", "--hosts", "5", "--template", str(STACK))
    assert other.returncode == 2
    assert "already runs with hosts 1, not 5" in other.stderr

    lines = tidegate(folder, "env").stdout.splitlines()
    assert all(line.startswith("export ") for line in lines)
    names = [line.removeprefix("export ").partition("=")[0] for line in lines]
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"} <= set(names)
    assert {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CODEDEPLOY", "AWS_DATA_PATH"} <= set(names)
    shell = subprocess.run(
        ["sh", "-c", '. /dev/stdin; printf %s "$AWS_ENDPOINT_URL_CODEDEPLOY"'],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == state.environment["AWS_ENDPOINT_URL_CODEDEPLOY"]

    listed = json.loads(tidegate(folder, "hosts", "--json").stdout)
    assert [(host["name"], host["state"]) for host in listed] == [("host-1", "running")]
    assert listed[0]["tags"]["Fleet"] == "a"
    assert "host-1" in tidegate(folder, "hosts").stdout
    ran = tidegate(folder, "exec", "host-1", "--", "sh", "-c", "echo out; exit 7")
    assert (ran.returncode, ran.stdout) == (7, "out\n")
    unknown = tidegate(folder, "exec", "host-9", "--", "true")
    assert unknown.returncode == 1
    assert "no local host is called 'host-9'; there are: host-1" in unknown.stderr

    processes = descendants(state.pid) | {state.pid}
    down = tidegate(folder, "down")
    assert (down.returncode, down.stdout) == (0, "All is gone.\n")
    assert [pid for pid in processes if start_time(pid)] == []
    assert str(folder) not in Path("/proc/mounts").read_text()
    assert {path.name for path in folder.iterdir()} <= {"local.log", "lock", "logs"}


def test_a_group_whose_hosts_come_and_go(folder):
    up = tidegate(folder, "up", "--detach", "--hosts", "1", "--asg", "web=2", "--tag", "F=a", "--template", str(STACK))
    assert up.returncode == 0, up.stderr
    assert "group  web (Auto Scaling, 2 of these hosts)" in up.stdout
    known = read_state(folder).environment
    client = boto3.client(
        "autoscaling",
        endpoint_url=known["AWS_ENDPOINT_URL"],
        region_name=known["AWS_REGION"],
        aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
    )

    def names():
        listed = json.loads(tidegate(folder, "hosts", "--json").stdout)
        assert {host["tags"]["F"] for host in listed} == {"a"}
        return [host["name"] for host in listed]

    assert names() == ["host-1", "host-2", "host-3"]
    client.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=3)
    eventually(lambda: "host-4" in names())
    assert tidegate(folder, "exec", "host-4", "--", "hostname").stdout == "host-4\n"
    client.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=0)
    eventually(lambda: names() == ["host-1"])
    unknown = tidegate(folder, "exec", "host-4", "--", "true")
    assert "no local host is called 'host-4'; there are: host-1" in unknown.stderr
    assert tidegate(folder, "down").returncode == 0
    assert str(folder) not in Path("/proc/mounts").read_text()


@pytest.mark.parametrize("command", [["env"], ["hosts"], ["hosts", "--json"], ["exec", "h", "--", "true"], ["down"]])
def test_every_command_says_when_none_runs(folder, command):
    done = tidegate(folder, *command)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"tidegate local: no local cloud runs in {folder}; start one with: tidegate local up\n"


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--template", "/nowhere.yaml"], 2, "there is no template /nowhere.yaml"),
        (["--template", str(STACK), "--tag", "novalue"], 2, "--tag 'novalue' is not of the form NAME=VALUE"),
        (["--template", str(STACK), "--asg", "web=many"], 2, "--asg 'web=many': the number is one from 0 to 200"),
        (["--template", str(STACK), "--parameter", "Nope=1", "--hosts", "0"], 1, "the template has no parameter Nope"),
        (["--template", str(STACK), "--parameter", "Flavour=odd", "--hosts", "0"], 1, "give one of plain, fancy"),
    ],
)
@pytest.mark.parametrize("detach", [["--detach"], []])
def test_a_start_that_cannot_be(folder, arguments, status, text, detach):
    done = tidegate(folder, "up", *detach, *arguments)
    assert done.returncode == status
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert read_state(folder) is None


@pytest.mark.parametrize("detach", [["--detach"], []])
def test_a_start_with_a_layer_that_ends_its_process(folder, tmp_path, detach):
    stack = tmp_path / "stack"
    shutil.copytree(STACK.parent, stack)
    package = stack / "layers" / "shared" / "tidegate"
    package.mkdir()
    (package / "__init__.py").write_text("import os; os._exit(9)")
    done = tidegate(folder, "up", *detach, "--hosts", "0", "--template", str(stack / "template.yaml"))
    assert done.returncode == 1
    assert "the local cloud did not start: the process that imports" in done.stderr
    assert "layers/shared for the functions ended with exit status 9" in done.stderr
    assert "Traceback" not in done.stderr
    assert read_state(folder) is None


def test_two_starts_at_once_make_one(folder):
    command = [*PROGRAM, "up", "--detach", "--hosts", "0", "--template", str(STACK)]
    starts = [
        subprocess.Popen(command, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [start.communicate(timeout=120) for start in starts]
    assert [start.returncode for start in starts] == [0, 0], outputs
    assert sorted("is ready" in out for out, _ in outputs) == [False, True]
    assert sorted("already runs" in out for out, _ in outputs) == [False, True]
    assert tidegate(folder, "down").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_a_signal_takes_all_down(folder, number):
    command = [*PROGRAM, "up", "--hosts", "1", "--template", str(STACK)]
    process = subprocess.Popen(command, env=environment(folder), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl-C" in line:
            break
    processes = descendants(process.pid)
    assert processes
    process.send_signal(number)
    assert process.stdout.read() == "All is gone.\n"
    assert process.wait(60) == 0
    assert [pid for pid in processes if start_time(pid)] == []
    assert read_state(folder) is None


def test_a_killed_cloud_leaves_no_process(folder):
    up = tidegate(folder, "up", "--detach", "--hosts", "1", "--template", str(STACK))
    assert up.returncode == 0, up.stderr
    state = read_state(folder)
    assert state is not None
    url = state.environment["AWS_ENDPOINT_URL"]
    script = (
        "import boto3,sys; of = lambda s: boto3.client(s, endpoint_url=sys.argv[1], region_name='us-east-1', "
        "aws_access_key_id='a', aws_secret_access_key='b'); "
        "of('lambda').invoke(FunctionName=sys.argv[2], Payload=b'{}'); "
        "of('elb').create_load_balancer(LoadBalancerName='l', AvailabilityZones=['us-east-1a'], "
        "Listeners=[{'Protocol': 'HTTP', 'LoadBalancerPort': 80, 'InstancePort': 80}])"
    )
    subprocess.run([sys.executable, "-c", script, url, state.outputs["EchoName"]], check=True, timeout=60)
    processes = descendants(state.pid)
    assert len(processes) >= 3  # a worker, the keeper of the hosts, a host
    names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in processes]
    if state.balancers:
        pytest.skip(f"NOT RUN: {state.balancers}")
    assert names.count("haproxy") == 2  # its master and a worker
    os.kill(state.pid, signal.SIGKILL)
    wait_gone(processes | {state.pid})
    down = tidegate(folder, "down")
    assert down.returncode == 1
    assert "had died; what it left is cleaned up" in down.stderr
    assert {path.name for path in folder.iterdir()} <= {"local.log", "lock", "logs"}
    assert "no local cloud runs" in tidegate(folder, "down").stderr


def test_rerooted_hosts(folder, monkeypatch):
    monkeypatch.setenv("TIDEGATE_LOCAL_HAPROXY", "")
    up = tidegate(folder, "up", "--detach", "--hosts", "1", "--rerooted", "--template", str(STACK))
    assert up.returncode == 0, up.stderr
    assert "re-rooted folders" in up.stdout
    without = "by connection and not by request: TIDEGATE_LOCAL_HAPROXY is empty."
    assert f"Load balancers are plain Python, {without}" in up.stdout
    assert f"They forward in plain Python, {without}" in tidegate(folder, "balancers").stdout
    host = json.loads(tidegate(folder, "hosts", "--json").stdout)[0]
    assert host["isolation"] == "folder"
    ran = tidegate(folder, "exec", "host-1", "--", "sh", "-c", 'printf %s "$TIDEGATE_HOST_ROOT"')
    assert ran.stdout == host["root"]
    assert tidegate(folder, "down").returncode == 0
    assert not Path(host["root"]).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_start_that_nobody_waits_for_any_more_ends(folder, number):
    starting = subprocess.Popen(
        [*PROGRAM, "up", "--hosts", "1", "--detach"], env=environment(folder), stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 30
    while not (begun := descendants(starting.pid)) and time.monotonic() < until:
        time.sleep(0.01)
    assert begun

    starting.send_signal(number)
    starting.wait()

    wait_gone(begun)
    assert read_state(folder) is None
    assert "no local cloud runs" in tidegate(folder, "down").stderr
