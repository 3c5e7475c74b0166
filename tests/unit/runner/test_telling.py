"""Progress and whole logs: what gets home, when, and what never does."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
OTHER_PYTHONS = sorted(str(path) for path in PYENV.glob("versions/3.*/bin/python3"))
OWN = "progress/d/i-0123/host."


@pytest.fixture
def until():
    def wait(condition):
        for _ in range(3000):
            if condition():
                return
            time.sleep(0.01)
        pytest.fail("it did not happen in thirty seconds")

    return wait


@pytest.fixture
def whole(server, until):
    """Wait until a stage's log is home to its end; give its lines (event, stream, text)."""

    def read(prefix=OWN):
        until(lambda: any(record[2] == "end" for record in server.lines(prefix)))
        return [tuple(record[1:]) for record in server.lines(prefix)]

    return read


def spooled(host):
    root = host.path("/opt/tidegate/spool")
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.jsonl")) if root.exists() else []


def printing(host, kit, script, deployment="d-ONE", **changes):
    files = {"a.sh": "#!/bin/sh\n" + script}
    return host.order(deployment, kit.make_zip(files), {"hooks": {"AfterInstall": kit.hook("a.sh")}}, **changes)


def test_progress_is_posted_under_the_targets_name(host, server, kit, until):
    host.deploy("d-ONE", {"slow.sh": "#!/bin/sh\nsleep 0.5\n"}, {"hooks": {"AfterInstall": kit.hook("slow.sh")}})

    def states():
        posts = [post for post in server.posts if b'filename="i-0123.json"' in post]
        assert all(b'name="key"\r\n\r\nprogress/d/i-0123.json\r\n' in post for post in posts)
        assert all(post.index(b'name="policy"') < post.index(b'name="file"') for post in posts)
        documents = [json.loads(post.split(b"\r\n\r\n")[-1].split(b"\r\n")[0]) for post in posts]
        return [document["events"][-1] for document in documents]

    until(lambda: ["AfterInstall", "InProgress"] in [state[:2] for state in states()])
    assert [state[3] for state in states() if state[:2] == ["AfterInstall", "InProgress"]] == [None]


def test_a_dead_progress_door_changes_nothing(host, kit):
    order = host.order("d-ONE", kit.make_zip({"a": "a"}), {}, progress={"url": "http://127.0.0.1:9/", "fields": {}})
    assert host.run(order)["status"] == "Succeeded"


def test_every_line_gets_home_with_its_event_and_stream(host, kit, whole, until):
    files = {
        "a.sh": "#!/bin/sh\necho one\nsleep 0.2\necho two >&2\nsleep 0.2\necho three\n",
        "b.sh": "#!/bin/sh\nexit 7\n",
    }
    hooks = {"BeforeInstall": kit.hook("a.sh"), "AfterInstall": kit.hook("b.sh")}
    result = host.deploy("d-ONE", files, {"hooks": hooks})
    assert result["status"] == "Failed"
    lines = whole()
    printed = [line for line in lines if line[0] == "BeforeInstall" and line[1] != "runner"]
    assert printed == [
        ("BeforeInstall", "stdout", "one"),
        ("BeforeInstall", "stderr", "two"),
        ("BeforeInstall", "stdout", "three"),
    ]
    assert ("AfterInstall", "runner", result["diagnostics"]["message"]) in lines
    assert lines[-1] == ("", "end", "Failed")
    until(lambda: spooled(host) == [])


def test_lines_are_uploaded_while_the_script_runs(host, server, kit, until):
    script = 'echo early\nwhile [ ! -e "$TIDEGATE_HOST_ROOT/go" ]; do sleep 0.05; done\necho late\n'
    command = host.start(printing(host, kit, script))
    until(lambda: "early" in [record[3] for record in server.lines(OWN)])
    assert "late" not in [record[3] for record in server.lines(OWN)]
    host.path("go").touch()
    assert host.finish(command)["status"] == "Succeeded"
    until(lambda: [record[3] for record in server.lines(OWN)][-2:] == ["late", "Succeeded"])


def test_much_output_is_uploaded_in_few_requests_and_whole(host, server, kit, whole):
    result = host.run(printing(host, kit, "i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done\n"))
    assert result["status"] == "Succeeded"
    texts = [text for event, stream, text in whole() if stream == "stdout"]
    assert texts == [f"line {number}" for number in range(30000)]
    assert len(server.posts) < 60


def test_output_beyond_the_limit_says_so_and_the_deployment_goes_on(host, kit, whole):
    limits = {"maxLogBytes": 2000, "maxRevisions": 5}
    order = printing(host, kit, "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done\n", limits=limits)
    assert host.run(order)["status"] == "Succeeded"
    lines = whole()
    assert lines[-2][1] == "runner"
    assert "longer than the 2000 bytes" in lines[-2][2]
    assert "line 499" in host.read(str(host.deployment("d-ONE").relative_to(host.root) / "logs/scripts.log"))


def test_what_could_not_be_uploaded_comes_with_the_next_deployment(host, server, kit, whole, until):
    order = printing(host, kit, "echo kept for later\n", progress=dead_end(server))
    assert host.run(order)["status"] == "Succeeded"
    assert spooled(host)
    assert host.run(printing(host, kit, "echo now\n", deployment="d-TWO"))["status"] == "Succeeded"
    late = whole("progress/d/late/d-ONE/i-0123/host.")
    assert ("AfterInstall", "stdout", "kept for later") in late
    assert ("AfterInstall", "stdout", "now") in whole()
    until(lambda: spooled(host) == [])


def test_what_could_not_be_uploaded_comes_with_a_report_to_its_own_place(host, server, kit, whole, until):
    order = printing(host, kit, "echo kept for later\n", progress=dead_end(server))
    assert host.run(order)["status"] == "Succeeded"
    assert spooled(host)
    fresh = printing(host, kit, "echo kept for later\n", mode="report")
    assert host.run(fresh)["status"] == "Succeeded"
    assert ("AfterInstall", "stdout", "kept for later") in whole()
    until(lambda: spooled(host) == [])


def dead_end(server):
    """A grant that the server does not honour: uploads under it are lost."""
    return {"url": "http://127.0.0.1:9/", "fields": {"key": "progress/d/${filename}"}}


def test_the_log_is_whole_when_the_command_is_killed(host, kit, server, whole, until):
    script = 'echo before\ntouch "$TIDEGATE_HOST_ROOT/up"\n'
    script += 'while [ ! -e "$TIDEGATE_HOST_ROOT/go" ]; do sleep 0.05; done\necho after\n'
    order = printing(host, kit, script)
    command = subprocess.Popen(
        host.command(order), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=host.environment(),
        start_new_session=True,
    )  # fmt: skip
    until(host.path("up").exists)
    os.killpg(command.pid, signal.SIGKILL)
    command.communicate(timeout=10)
    host.path("go").touch()
    texts = [text for _, stream, text in whole() if stream == "stdout"]
    assert texts == ["before", "after"]
    assert host.run({**order, "mode": "report"})["status"] == "Succeeded"


def test_the_log_of_a_killed_worker_gets_home_with_its_end(host, kit, whole, until):
    script = 'echo before\ntouch "$TIDEGATE_HOST_ROOT/up"\n'
    script += 'while [ ! -e "$TIDEGATE_HOST_ROOT/go" ]; do sleep 0.05; done\n'
    command = host.start(printing(host, kit, script))
    until(host.path("up").exists)
    time.sleep(0.2)  # the line must have left the pipe, which nobody can see from outside
    (lock,) = host.path("/opt/tidegate/lock").iterdir()
    os.kill(json.loads(lock.read_text())["pid"], signal.SIGKILL)
    try:
        assert host.finish(command)["status"] == "Failed"
    finally:
        host.path("go").touch()
    lines = whole()
    assert ("AfterInstall", "stdout", "before") in lines
    assert "after an agent restart" in lines[-2][2]
    assert lines[-1] == ("", "end", "Failed")


SECRETS = {
    "query": "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIAX%2F2026&X-Amz-Signature=0af3&X-Amz-Security-Token=tok3n",
    "environment": "AWS_SECRET_ACCESS_KEY=wJalr/+secret AWS_SESSION_TOKEN='tok3n'",
    "json": '{"SecretAccessKey" : "wJalr/+secret", "sessionToken":"tok3n"}',
    "header": "Authorization: AWS4-HMAC-SHA256 Credential=AKIAX/1/r/s/aws4_request, SignedHeaders=host, Signature=0af3",
    "xml": "<SecretAccessKey>wJalr/+secret</SecretAccessKey><SessionToken>tok3n</SessionToken>",
    "metadata": '"Token" : "IQoJ' + "a" * 200 + '"',
    "form": "{'x-amz-signature': '0af3', 'x-amz-security-token': 'tok3n'}",
    "encoded": "next=https%3A%2F%2Fb%2Fk%3FX-Amz-Signature%3D0af3%26x%3D1",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_signatures_and_credentials_are_never_logged(host, server, kit, whole, kind):
    files = {
        "a.sh": '#!/bin/sh\ncat "$(dirname "$0")/said"\nexit 1\n',
        "said": f"plain {SECRETS[kind]}\nnothing secret\n",
    }
    result = host.deploy("d-ONE", files, {"hooks": {"AfterInstall": kit.hook("a.sh")}})
    told = json.dumps(whole()) + json.dumps(result)
    told += host.read(str(host.deployment("d-ONE").relative_to(host.root) / "logs/scripts.log"))
    told += host.read("/opt/codedeploy-agent/deployment-root/deployment-logs/codedeploy-agent-deployments.log")
    assert not re.search(r"wJalr|tok3n|0af3|IQoJ|AKIAX", told.replace("%2F", "/")) or kind == "encoded"
    assert "0af3" not in told
    assert "plain " in told
    assert "nothing secret" in told


def test_a_long_line_is_cut_where_no_secret_is_torn(host, kit, whole):
    url = "https://b/k?X-Amz-Date=1&X-Amz-Signature=" + "0af3" * 16
    files = {"a.sh": '#!/bin/sh\ncat "$(dirname "$0")/said"\n', "said": "x" * (8192 - 50) + " " + url + "\nend\n"}
    assert host.deploy("d-ONE", files, {"hooks": {"AfterInstall": kit.hook("a.sh")}})["status"] == "Succeeded"
    texts = [text for _, stream, text in whole() if stream == "stdout"]
    assert "0af3" not in "".join(texts)
    assert "".join(texts) == "x" * (8192 - 50) + " https://b/k?X-Amz-Date=1&X-Amz-Signature=[redacted]end"


def test_hosts_without_a_grant_spool_nothing(host, kit):
    order = printing(host, kit, "echo x\n")
    del order["progress"]
    assert host.run(order)["status"] == "Succeeded"
    assert not host.path("/opt/tidegate/spool").exists()


@pytest.mark.parametrize("python", OTHER_PYTHONS)
def test_every_python_uploads_whole_logs(host, kit, whole, python):
    host.python = python
    assert host.run(printing(host, kit, "echo out\necho err >&2\n"))["status"] == "Succeeded"
    lines = [line for line in whole() if line[1] != "runner"]
    assert sorted(lines[:-1]) == [("AfterInstall", "stderr", "err"), ("AfterInstall", "stdout", "out")]
    assert lines[-1] == ("", "end", "Succeeded")
