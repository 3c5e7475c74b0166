"""What ``tidegate host`` says to options it cannot use, who may run it, and how it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

VERBS = ("deploy", "plan")


def wrong(name: str, value: str, *more: str):
    """A case: an option, a value, and what the message says besides them."""
    return pytest.param(name, value, more, id=f"{name} {value}"[:60])


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        wrong("--bundle", "/no/such/thing", "does not exist", "Name a folder or an archive"),
        wrong("--bundle", "s3://bucket/key.zip", "is not on this machine", "Download it first"),
        wrong("--bundle", "", "does not exist"),
        wrong("--deployment-id", "../d-1", "cannot name a folder", "letters, digits"),
        wrong("--deployment-group-id", "a b", "cannot name a folder"),
        wrong("--events", "BeforeInstall;Install", "is no event's name"),
        wrong("--events", "Install,Install", "names Install more than once"),
        wrong(
            "--events", "BeforeInstall,DownloadBundle", "puts BeforeInstall before DownloadBundle", "only events that"
        ),
        wrong("--events", "Install,DownloadBundle", "puts Install before DownloadBundle", "only events that"),
        wrong("--events", "AfterInstall,Install", "puts AfterInstall before Install", "only events that"),
        wrong("--events", "BeforeAllowTraffic,DownloadBundle", "puts BeforeAllowTraffic before DownloadBundle"),
        wrong("--all-possible-events", "a/b", "is no event's name"),
        wrong("--revision", "{", "is not JSON", "s3Location"),
        wrong("--revision", "[]", "is not a JSON object"),
        wrong("--revision", "{}", "holds none of s3Location, gitHubLocation"),
        wrong("--revision", '{"s3Location": {"bucket": "b"}}', "lacks the text s3Location.key"),
        wrong("--revision", '{"s3Location": "s3://b/k"}', "is not an object"),
        wrong("--appspec", "../appspec.yml", "is no file of the bundle", "path inside the bundle"),
        wrong("--appspec", "/etc/passwd", "is no file of the bundle"),
        wrong("--root", "", "is empty"),
        wrong("--root", "/etc/passwd", "is not a directory"),
    ],
)
def test_bad_usage_names_option_value_and_remedy_and_touches_nothing(machine, shell, verb, name, value, said):
    bundle = machine.bundle("one")
    result = shell.run([*machine.command(verb, bundle, "--json"), name, value])

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"tidegate host: {name}: ")
    assert all(text in result.err for text in said), result.err
    assert len(result.err.splitlines()) == 1
    assert [path.name for path in machine.folder.iterdir()] == ["one"]


@pytest.mark.parametrize("verb", VERBS)
def test_missing_and_unknown_choices_are_bad_usage(machine, shell, verb):
    command = machine.command(verb, machine.bundle("one"))
    for options in (
        ["--creator", "somebody"],
        ["--deployment-type", "CANARY"],
        ["--bundle-type", "rar"],
        ["--nonsense"],
    ):
        result = shell.run([*command, *options])
        assert result.code == 2, result.out
        assert options[0] in result.err
    for option in ("--bundle", "--bundle-type"):
        at = command.index(option)
        result = shell.run(command[:at] + command[at + 2 :])
        assert result.code == 2
        assert f"Missing option '{option}'" in result.err


def test_the_type_must_fit_what_the_bundle_is(machine):
    folder = machine.bundle("one")
    archive = machine.pack(folder, "zip")

    as_folder = machine.deploy(archive, kind="directory")
    assert (as_folder.code, as_folder.out) == (2, "")
    assert "is not a directory. Give --bundle-type tar, tgz or zip" in as_folder.err
    as_archive = machine.deploy(folder, kind="zip")
    assert (as_archive.code, as_archive.out) == (2, "")
    assert "is not a zip file. Give --bundle-type directory" in as_archive.err


def test_the_state_must_not_lie_in_the_bundle(machine):
    bundle = machine.bundle("one")
    result = machine.deploy(bundle, "--root", str(bundle / "state"))

    assert result.code == 2
    assert "lies inside the bundle. Name a folder outside of it" in result.err
    assert not (bundle / "state").exists()


def test_help_lists_every_option(shell, machine):
    result = shell.run(machine.command("deploy", "x", "--help"), env={"COLUMNS": "200"})

    assert result.code == 0
    options = (
        "bundle bundle-type appspec application deployment-group deployment-group-id deployment-id deployment-type"
    )
    options += " creator file-exists-behavior events all-possible-events ignore-application-stop-failures revision"
    for option in f"{options} object-etag root json".split():
        assert f"--{option} " in result.out


@pytest.fixture
def own(machine):
    """Give a folder for an ordinary user, below folders every user may enter, and have all state be in it."""
    with tempfile.TemporaryDirectory() as name:
        machine.folder = Path(name)
        machine.folder.chmod(0o755)
        own = machine.folder / "own"
        own.mkdir()
        machine.state, machine.target, machine.said = own / "state", own / "target", own / "said"
        yield own


def test_an_ordinary_user_deploys_into_folders_of_their_own(machine, own, shell):
    bundle = machine.bundle("one", {"web/a": "1"}, AfterInstall=machine.say("$(id -u)"))
    archive = machine.pack(bundle, "tgz")
    for command in (
        machine.command("plan", archive, kind="tgz"),
        machine.command("deploy", bundle, "--json"),
        machine.command("deploy", archive, "--json", kind="tgz"),
    ):
        result = shell.run(shell.as_ordinary_user(command, own))
        assert result.code == 0, result.out + result.err

    assert machine.installed() == {"a": "1"}
    assert len(machine.heard()) == 2
    assert "0" not in machine.heard()
    assert (machine.state / "deployment-instructions").stat().st_uid == own.stat().st_uid


def test_an_ordinary_user_is_told_of_the_option_where_the_state_cannot_be_written(machine, own, shell):
    if os.geteuid() != 0:
        pytest.skip("NOT RUN: needs a folder of another user; run the suite as root")
    kept = machine.folder / "kept"
    kept.mkdir(mode=0o755)
    command = machine.command("deploy", machine.bundle("one"), "--json")
    for root in (kept, kept / "below"):
        result = shell.run(shell.as_ordinary_user([*command, "--root", str(root)], own))
        assert (result.code, result.out) == (2, "")
        assert f"--root: '{root}'" in result.err
        assert "Give --root a folder of your own" in result.err


def ended(pid):
    """Whether a process is dead; who is to collect it, the machine's first process, may take its time."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rpartition(")")[2].split()[0] in "ZX"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_script_that_runs(machine, number):
    bundle = machine.bundle("one", BeforeInstall=f"echo $$ > {machine.said}; exec sleep 600")
    process = subprocess.Popen(
        machine.command("deploy", bundle),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # a shell's background job ignores SIGINT
    )
    while not machine.heard():
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 128 + number, err
    assert "interrupted; the script that ran was ended" in err
    script, deadline = int(machine.heard()[0]), time.monotonic() + 20
    while not ended(script) and time.monotonic() < deadline:
        time.sleep(0.02)  # who is killed may still be on its way out, on a busy machine
    assert ended(script)
