"""``tidegate host deploy`` as a user calls it: what runs, in which order, and how it is told."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import datetime

import pytest

from tidegate_runner.lock import FileLock


def test_every_event_runs_in_order_and_is_told_in_the_json(machine):
    result = machine.deploy(machine.speaking("one"))

    assert (result.code, result.json["status"]) == (0, "Succeeded")
    assert list(result.json) == ["status", "events"]
    assert list(result.statuses) == machine.order
    assert set(result.statuses.values()) == {"Succeeded"}
    # nothing was installed before, so there is no script of an old revision to run
    assert machine.heard() == [f"one {event}" for event in machine.hooks[3:]]
    assert machine.installed() == {"revision": "one"}
    for event in result.json["events"]:
        assert list(event) == ["lifecycleEventName", "status", "diagnostics", "startTime", "endTime"]
        assert list(event["diagnostics"]) == ["errorCode", "scriptName", "message", "logTail"]
        assert event["diagnostics"]["errorCode"] == "Success"
        assert datetime.fromisoformat(event["startTime"]) <= datetime.fromisoformat(event["endTime"])
    messages = {event["lifecycleEventName"]: event["diagnostics"]["message"] for event in result.json["events"]}
    assert messages["ApplicationStop"] == "Succeeded: CompletedNoopCommand"
    assert messages["BeforeInstall"] == "Succeeded"


@pytest.mark.parametrize("kind", ["directory", "tar", "tgz", "zip"])
def test_every_kind_of_bundle_is_deployed(machine, kind):
    folder = machine.speaking("one", "AfterInstall")
    result = machine.deploy(folder if kind == "directory" else machine.pack(folder, kind), kind=kind)

    assert result.code == 0, result.err
    assert machine.heard() == ["one AfterInstall"]
    assert machine.installed() == {"revision": "one"}


@pytest.mark.parametrize("kind", ["tar", "tgz", "zip"])
def test_a_single_top_folder_of_an_archive_is_taken_away(machine, kind):
    result = machine.deploy(machine.pack(machine.speaking("one"), kind, inside="top"), kind=kind)

    assert result.code == 0, result.out
    assert machine.installed() == {"revision": "one"}


def test_a_single_top_folder_of_a_directory_stays(machine):
    machine.speaking("outer/inner")
    result = machine.deploy(machine.folder / "outer")

    assert result.failure[0] == "BeforeInstall"
    assert "did not find an AppSpec file" in result.failure[1]["message"]
    archive = next(machine.state.glob(f"{machine.group}/*/deployment-archive"))
    assert [path.name for path in archive.iterdir()] == ["inner"]


def test_the_state_is_laid_out_as_the_agents(machine):
    assert machine.deploy(machine.speaking("one"), "--deployment-id", "d-1").code == 0

    folder = machine.state / machine.group / "d-1"
    assert (folder / "deployment-archive" / "appspec.yml").is_file()
    assert "Script - AfterInstall.sh" in (folder / "logs" / "scripts.log").read_text()
    instructions = machine.state / "deployment-instructions"
    for name in ("last_successful_install", "most_recent_install"):
        assert (instructions / f"{machine.group}_{name}").read_text() == str(folder)
    plan = json.loads((instructions / f"{machine.group}-install.json").read_text())
    assert {"copy", "mkdir"} == {entry["type"] for entry in plan["instructions"]}
    assert f"{machine.target}/revision" in (instructions / f"{machine.group}-cleanup").read_text().splitlines()
    assert list((machine.state / "deployment-logs").glob("*-deployments.log"))


def test_without_a_root_the_state_is_where_the_agent_keeps_it(machine, shell):
    """On a machine re-rooted to a folder, since the real place is this machine's own."""
    command = machine.command("deploy", machine.speaking("one", "AfterInstall"), "--json", "--deployment-id", "d-1")
    at = command.index("--root")
    result = shell.run(command[:at] + command[at + 2 :], env={"TIDEGATE_HOST_ROOT": str(machine.folder / "host")})

    assert result.code == 0, result.err
    state = machine.folder / "host/opt/codedeploy-agent/deployment-root"
    assert (state / machine.group / "d-1" / "deployment-archive" / "appspec.yml").is_file()
    assert not machine.state.exists()


def test_defaults_are_those_of_the_agents_local_command(machine):
    names = ("APPLICATION_NAME", "DEPLOYMENT_GROUP_NAME", "DEPLOYMENT_GROUP_ID", "DEPLOYMENT_ID")
    bundle = machine.speaking("one", "AfterInstall", text=" ".join(f"${name}" for name in names))
    assert machine.deploy(bundle.name, cwd=machine.folder, env={}).code == 0

    _, application, name, group, deployment = machine.heard()[0].split()
    assert (application, name, group) == ("one", "LocalFleet", "default-local-deployment-group")
    assert re.fullmatch(r"d-[A-Z0-9]{9}-local", deployment)


def test_names_and_ids_given_reach_the_scripts_and_the_state(machine):
    names = "$APPLICATION_NAME $DEPLOYMENT_GROUP_NAME $DEPLOYMENT_GROUP_ID $DEPLOYMENT_ID"
    bundle = machine.speaking("one", "AfterInstall", text=names)
    options = {"application": "shop", "deployment-group": "prod", "deployment-group-id": "g-7", "deployment-id": "d-9"}
    result = machine.deploy(bundle, *(word for name, value in options.items() for word in (f"--{name}", value)))

    assert result.code == 0, result.err
    assert machine.heard() == ["one shop prod g-7 d-9"]
    assert (machine.state / "g-7" / "d-9" / "deployment-archive").is_dir()


@pytest.mark.parametrize("event", ["BeforeInstall", "AfterInstall", "ApplicationStart", "AfterAllowTraffic"])
def test_a_failing_script_fails_its_event_and_skips_the_rest(machine, event):
    bundle = machine.bundle("one", **{event: "echo to out; echo to err >&2; exit 7"})
    result = machine.deploy(bundle)

    at = machine.order.index(event)
    expected = ["Succeeded"] * at + ["Failed"] + ["Skipped"] * (len(machine.order) - at - 1)
    assert list(result.statuses.values()) == expected
    assert (result.code, result.json["status"]) == (1, "Failed")
    name, found = result.failure
    assert (name, found["errorCode"], found["scriptName"]) == (event, "ScriptFailed", f"{event}.sh")
    assert f"{event}.sh failed with exit code 7" in found["message"]
    assert {"[stdout]to out", "[stderr]to err"} <= set(found["logTail"].splitlines())
    for skipped in result.json["events"][at + 1 :]:
        assert (skipped["startTime"], skipped["endTime"], skipped["diagnostics"]["errorCode"]) == (None, None, None)


@pytest.mark.parametrize("event", ["BeforeBlockTraffic", "AfterBlockTraffic", "ApplicationStop"])
def test_a_failing_stop_script_of_the_old_revision_ends_the_deployment_unless_ignored(machine, event):
    assert machine.deploy(machine.bundle("one", {"web/a": "1"}, **{event: "exit 3"})).code == 0
    second = machine.bundle("two", {"web/a": "2"})

    stopped = machine.deploy(second)
    assert (stopped.code, stopped.failure[0]) == (1, event)
    assert stopped.statuses["DownloadBundle"] == "Skipped"
    assert "ignoreApplicationStopFailures" in stopped.failure[1]["message"]
    assert machine.installed() == {"a": "1"}

    ignored = machine.deploy(second, "--ignore-application-stop-failures")
    assert (ignored.code, ignored.json["status"]) == (0, "Succeeded")
    assert (ignored.statuses[event], ignored.statuses["Install"]) == ("Failed", "Succeeded")
    assert ignored.failure[1]["errorCode"] == "ScriptFailed"
    assert machine.installed() == {"a": "2"}


def test_ignoring_stop_failures_ignores_no_other(machine):
    result = machine.deploy(machine.bundle("one", AfterInstall="exit 3"), "--ignore-application-stop-failures")

    assert (result.code, result.failure[0]) == (1, "AfterInstall")


def test_a_broken_archive_fails_download_bundle(machine):
    broken = machine.folder / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 this is no archive")
    result = machine.deploy(broken, kind="zip")

    name, found = result.failure
    assert (result.code, name, found["errorCode"], found["scriptName"]) == (1, "DownloadBundle", "UnknownError", "")
    assert result.statuses["BeforeInstall"] == "Skipped"


def test_the_type_decides_and_not_the_name(machine):
    archive = machine.pack(machine.speaking("one"), "tar").rename(machine.folder / "one.zip")

    assert machine.deploy(archive, kind="tar").code == 0
    assert machine.deploy(archive, kind="zip").failure[0] == "DownloadBundle"


def test_only_the_events_asked_for_run_with_download_and_install_put_first(machine):
    result = machine.deploy(machine.speaking("one"), "--events", "ApplicationStart,BeforeInstall")

    assert list(result.statuses) == ["DownloadBundle", "Install", "ApplicationStart", "BeforeInstall"]
    assert machine.heard() == ["one ApplicationStart", "one BeforeInstall"]


def test_download_and_install_stay_where_they_are_asked_for(machine):
    events = ["ApplicationStop", "DownloadBundle", "BeforeInstall", "Install"]
    assert machine.deploy(machine.speaking("one")).code == 0
    result = machine.deploy(machine.speaking("two"), "--events", ",".join(events))

    assert list(result.statuses) == events
    assert machine.heard()[-2:] == ["one ApplicationStop", "two BeforeInstall"]


def test_events_of_the_balancer_do_nothing_on_a_host(machine):
    result = machine.deploy(machine.speaking("one"), "--events", "BlockTraffic,DownloadBundle,Install,AllowTraffic")

    assert set(result.statuses.values()) == {"Succeeded"}
    assert machine.heard() == []


LOCATION = {"bucket": "b", "key": "shop/1.zip", "bundleType": "zip"}


@pytest.mark.parametrize(
    ("etag", "stored", "succeeds"),
    [('"abc"', "abc", True), ("abc", '"abc"', True), ("abc", "abd", False), ("abc", None, True), (None, "abc", True)],
)
def test_the_etag_of_the_store_must_be_the_revisions(machine, etag, stored, succeeds):
    location = {"revisionType": "S3", "s3Location": LOCATION | ({"eTag": etag} if etag else {})}
    options = ["--revision", json.dumps(location), *(["--object-etag", stored] if stored else [])]
    result = machine.deploy(machine.speaking("one"), *options)

    assert result.code == (0 if succeeds else 1), result.out
    if not succeeds:
        name, found = result.failure
        assert (name, found["errorCode"]) == ("DownloadBundle", "UnknownError")
        assert "Expected deployment artifact bundle etag abc but was actually abd" in found["message"]


def test_the_revision_given_is_told_to_the_scripts(machine):
    text = "$BUNDLE_BUCKET,$BUNDLE_KEY,$BUNDLE_VERSION,$BUNDLE_ETAG,$BUNDLE_COMMIT"
    bundle = machine.speaking("one", "AfterInstall", text=text)
    s3 = {"revisionType": "S3", "s3Location": LOCATION | {"version": "v", "eTag": "e"}}
    github = {"revisionType": "GitHub", "gitHubLocation": {"repository": "me/shop", "commitId": "abc"}}
    for options in ([], ["--revision", json.dumps(s3)], ["--revision", json.dumps(github)]):
        assert machine.deploy(bundle, *options).code == 0

    assert machine.heard() == ["one ,,,,", "one b,shop/1.zip,v,e,", "one ,,,,abc"]


def test_without_json_people_see_events_the_reason_and_where_the_log_is(machine, shell):
    bundle = machine.bundle("one", AfterInstall="echo why it failed; exit 7")
    result = shell.run(machine.command("deploy", bundle, "--deployment-id", "d-1"))

    assert result.code == 1
    lines = [line.strip() for line in result.out.splitlines()]
    assert lines[0].startswith("Deployment d-1 of ")
    assert [line.split()[0] for line in lines[1:8]] == machine.order[:7]
    assert any("ScriptFailed in AfterInstall.sh" in line and "exit code 7" in line for line in lines)
    assert "| [stdout]why it failed" in lines
    assert any(line.split() == ["ApplicationStart", "Skipped", "–"] for line in lines)
    assert lines[-2] == "Failed in AfterInstall."
    assert lines[-1] == f"Log: {machine.state}/{machine.group}/d-1/logs/scripts.log"


def test_without_json_an_ignored_failure_is_named_at_the_end(machine, shell):
    assert machine.deploy(machine.bundle("one", ApplicationStop="exit 3")).code == 0
    command = machine.command("deploy", machine.bundle("two"), "--ignore-application-stop-failures")
    result = shell.run(command)

    assert result.code == 0
    assert "Succeeded; the failure of ApplicationStop was ignored" in result.out


def test_a_deployment_that_waits_for_another_says_for_which(machine):
    lock = FileLock(str(machine.state / "deployment-instructions" / f"{machine.group}.lock"))
    assert lock.try_acquire()
    lock.note({"deploymentId": "d-OTHER", "stage": "local", "pid": 7})
    command = machine.command("deploy", machine.speaking("one"), "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        said = waiting.stderr.readline()
        lock.release()
        out, err = waiting.communicate(timeout=60)
    assert said == "Waiting for deployment d-OTHER of this deployment group, which runs on this host (process 7).\n"
    assert (waiting.returncode, err, json.loads(out)["status"]) == (0, "", "Succeeded")
