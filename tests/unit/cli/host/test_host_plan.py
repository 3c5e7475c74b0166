"""``tidegate host plan``: it tells what deploy then does, and touches nothing."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest


def photograph(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Everything below a folder: kinds and modes, times to the nanosecond, contents."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        status = path.lstat()
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_ctime_ns, content)
    return found


@pytest.mark.parametrize("kind", ["directory", "tar", "tgz", "zip"])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_plan_touches_nothing(machine, shell, kind, form):
    assert machine.deploy(machine.bundle("one", {"web/a": "1", "web/b/c": "1"})).code == 0
    (machine.target / "x").write_text("mine")
    folder = machine.speaking("two")
    (folder / "web" / "x").write_text("2")
    bundle = folder if kind == "directory" else machine.pack(folder, kind)
    scratch = machine.folder / "scratch"
    scratch.mkdir()
    before = photograph(machine.folder)
    command = machine.command("plan", bundle, "--file-exists-behavior", "OVERWRITE", *form, kind=kind)
    result = shell.run(command, env={"TMPDIR": str(scratch)})

    assert result.code == 0, result.out + result.err
    # where temporary files are made is the one folder whose own times may change; it holds nothing afterwards
    after = photograph(machine.folder)
    assert after.pop(str(scratch))[3] == before.pop(str(scratch))[3]
    assert after == before
    assert machine.heard() == []


def test_a_plan_for_a_machine_without_state_makes_none(machine):
    result = machine.plan(machine.bundle("one", {"web/a": "1"}))

    assert result.code == 0
    assert not machine.state.exists()
    assert not machine.target.exists()
    keep = f"{machine.target}/.keep"
    assert result.json["created"] == [str(machine.target), keep, f"{machine.target}/a"]
    assert [result.json[name] for name in ("changed", "kept", "deleted", "collisions", "warnings")] == [[]] * 5
    assert result.json["failure"] is None


def test_created_changed_kept_and_deleted_are_told_apart(machine):
    assert machine.deploy(machine.bundle("one", {"web/same": "1", "web/gone": "1", "web/old/gone": "1"})).code == 0
    (machine.target / "retained").write_text("mine")
    two = machine.bundle("two", {"web/same": "2", "web/new": "2", "web/retained": "2"})
    plan = machine.plan(two, "--file-exists-behavior", "RETAIN").json

    at = machine.target
    assert plan["created"] == [f"{at}/new"]
    assert set(plan["changed"]) == {f"{at}/same", f"{at}/.keep"}
    assert f"{at}/retained" in plan["kept"]
    assert set(plan["deleted"]) == {f"{at}/gone", f"{at}/old/gone", f"{at}/old"}


def test_the_instructions_are_those_install_then_carries_out(machine):
    bundle = machine.bundle("one", {"web/a/b": "1", "web/c": "1"})
    with (bundle / "appspec.yml").open("a") as stream:
        stream.write(f"permissions:\n  - object: {machine.target}\n    mode: 640\n    type: [file]\n")
    plan = machine.plan(bundle, "--deployment-id", "d-1").json
    assert machine.deploy(bundle, "--deployment-id", "d-1").code == 0

    done = json.loads((machine.state / "deployment-instructions" / f"{machine.group}-install.json").read_text())
    assert plan["instructions"] == done["instructions"]
    assert {"chmod", "copy", "mkdir"} == {entry["type"] for entry in plan["instructions"]}


def test_all_collisions_are_listed_with_who_owns_the_file(machine):
    shop = machine.bundle("shop", {f"web/shared{number}": "1" for number in range(60)})
    assert machine.deploy(shop, "--deployment-group-id", "shop", "--deployment-id", "d-shop").code == 0
    (machine.target / "own").write_text("mine")
    (machine.target / "folder").write_text("mine")
    files = {f"web/shared{number}": "2" for number in range(60)}
    blog = machine.bundle("blog", {**files, "web/own": "2", "web/folder/a": "2", "web/new": "2"})
    result = machine.plan(blog, "--deployment-group-id", "blog")

    assert result.code == 1
    found = {collision["path"]: collision for collision in result.json["collisions"]}
    shared = {f"{machine.target}/shared{number}" for number in range(60)} | {f"{machine.target}/.keep"}
    assert set(found) == shared | {f"{machine.target}/own", f"{machine.target}/folder"}
    for path in shared:
        assert (found[path]["deploymentGroupId"], found[path]["deploymentId"]) == ("shop", "d-shop")
        assert "shop" in found[path]["owner"]
    own = found[f"{machine.target}/own"]
    assert (own["deploymentGroupId"], own["deploymentId"], own["needed"]) == (None, None, "file")
    assert own["owner"].startswith("no deployment")
    assert found[f"{machine.target}/folder"]["needed"] == "directory"
    assert (result.json["changed"], result.json["created"]) == (
        [],
        [f"{machine.target}/folder/a", f"{machine.target}/new"],
    )
    assert result.json["failure"]["lifecycleEventName"] == "Install"
    assert "already exists at this location" in result.json["failure"]["message"]
    assert machine.deploy(blog, "--deployment-group-id", "blog").failure[0] == "Install"


def test_scripts_are_told_with_the_deployment_they_are_of(machine):
    assert machine.deploy(machine.speaking("one"), "--deployment-id", "d-1").code == 0
    plan = machine.plan(machine.speaking("two", "AfterInstall"), "--deployment-id", "d-2").json

    run = {entry["lifecycleEventName"]: entry for entry in plan["run"]}
    assert [name for name in machine.order if name in run] == list(run)
    assert {name: entry["deploymentId"] for name, entry in run.items() if entry["scripts"]} == {
        **dict.fromkeys(machine.hooks[:3], "d-1"),
        "AfterInstall": "d-2",
    }
    script = {"location": "AfterInstall.sh", "timeout": 20, "runas": None, "sudo": False}
    assert run["AfterInstall"]["scripts"] == [script]


@pytest.mark.parametrize(
    ("options", "appspec", "event", "said"),
    [
        ([], "version: 2\n", "BeforeInstall", "invalid version value (2)"),
        (["--events", "DownloadBundle,Install"], "version: 2\n", "Install", "invalid version value (2)"),
        (["--events", "DownloadBundle,Install,Warmup"], None, "Install", "not a default one"),
        (
            ["--revision", '{"s3Location": {"bucket": "b", "key": "k", "eTag": "a"}}', "--object-etag", "b"],
            None,
            "DownloadBundle",
            "bundle etag a but was actually b",
        ),
    ],
)
def test_a_plan_names_the_event_that_would_fail_and_deploy_then_fails_it(machine, options, appspec, event, said):
    bundle = machine.bundle("one", appspec=appspec)
    plan = machine.plan(bundle, *options)
    deployed = machine.deploy(bundle, *options)

    assert (plan.code, deployed.code) == (1, 1)
    assert plan.json["failure"]["lifecycleEventName"] == event == deployed.failure[0]
    assert said in plan.json["failure"]["message"]
    assert said in deployed.failure[1]["message"]


@pytest.mark.parametrize("hostile", [False, True])
def test_a_bundle_that_is_no_good_would_fail_download_bundle_and_leaves_nothing(machine, hostile):
    bundle, scratch = machine.folder / "bad.tar", machine.folder / "scratch"
    scratch.mkdir()
    bundle.write_bytes(b"nothing of the kind")
    if hostile:
        with tarfile.open(bundle, "w") as archive:
            archive.add(machine.bundle("one") / "appspec.yml", "appspec.yml")
            archive.add(machine.folder / "one" / "appspec.yml", "../../evil")
    result = machine.plan(bundle, kind="tar", env={"TMPDIR": str(scratch)})

    assert result.code == 1
    assert result.json["failure"]["lifecycleEventName"] == "DownloadBundle"
    assert result.json["created"] == []
    assert list(scratch.iterdir()) == []
    assert not list(machine.folder.rglob("evil*"))
    assert machine.deploy(bundle, kind="tar").failure[1]["message"] == result.json["failure"]["message"]


def test_people_see_a_tree_with_marks_then_what_is_in_the_way_and_what_runs(machine, shell):
    assert machine.deploy(machine.bundle("one", {"web/same": "1", "web/gone": "1"}), "--deployment-id", "d-1").code == 0
    (machine.target / "mine").write_text("mine")
    two = machine.speaking("two", "AfterInstall")
    for name in ("same", "mine", "deep/new"):
        (two / "web" / name).parent.mkdir(exist_ok=True)
        (two / "web" / name).write_text("2")
    result = shell.run(machine.command("plan", two))

    assert result.code == 1
    lines = [line.strip(" │├└─") for line in result.out.splitlines()]
    for expected in ("~ same", "- gone", "! mine", "+ deep/", "+ new", "+ revision", "AfterInstall"):
        assert expected in lines
    assert "In the way (1):" in lines
    assert any(line.startswith(f"! {machine.target}/mine: owned by no deployment") for line in lines)
    assert any(line.startswith("AfterInstall.sh, at most 20 s") for line in lines)
    assert any(line.startswith("Install would fail: ") for line in lines)


def test_on_a_terminal_the_tree_has_colours(machine, shell):
    command = machine.command("plan", machine.bundle("one", {"web/a": "1"}))
    plain = shell.run(command)
    coloured = shell.run(command, env={"FORCE_COLOR": "1", "TERM": "xterm-256color"})

    assert "\x1b[" not in plain.out
    assert "\x1b[32m+ " in coloured.out


def test_odd_names_of_files_are_spelled_out_for_people_and_exact_in_the_json(machine, shell):
    bundle = machine.bundle("one")
    for name in (b"line\nbreak", b"\xff\xfe", b"\x1b[31mred"):
        Path(os.fsdecode(bytes(bundle) + b"/web/" + name)).touch()
    told = shell.run(machine.command("plan", bundle), env={"PYTHONIOENCODING": "utf-8:strict"})

    assert told.code == 0, told.err
    for spelled in ("line\\nbreak", "\\udcff\\udcfe", "\\x1b[31mred"):
        assert f"+ {spelled}\n" in told.out
    created = machine.plan(bundle).json["created"]
    assert machine.deploy(bundle).code == 0
    assert {os.fsdecode(path) for path in machine.target.iterdir()} <= set(created)
    assert machine.deploy(bundle).code == 0
    assert machine.plan(bundle).json["created"] == []
