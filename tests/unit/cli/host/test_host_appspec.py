"""The AppSpec of a deployment by hand: where it is found, and what a wrong one fails."""

from __future__ import annotations

import zipfile

import pytest


@pytest.mark.parametrize(
    ("appspec", "fragment"),
    [
        ("", "application specification file was empty"),
        ('version: "0.0"\nos: linux\n', "invalid version value (0.0)"),
        ("version: 0.0\nos: Linux\n", "unsupported operating system (Linux)"),
        ("version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - timeout: 3\n", "a script with no location value"),
        ("version: 0.0\nos: linux\nfiles:\n  - source: web\n", "specifies only a source file (web)"),
        ("version: 0.0\nos: linux\npermissions:\n  - mode: 644\n", "has no object value"),
        ("version: 0.0\nos: linux\nfile_exists_behavior: retain\n", "invalid file_exists_behavior value (retain)"),
    ],
)
def test_an_appspec_that_does_not_compile_fails_the_first_event_that_reads_it(machine, appspec, fragment):
    result = machine.deploy(machine.bundle("one", appspec=appspec))

    name, found = result.failure
    assert (result.code, name, found["errorCode"], found["scriptName"]) == (1, "BeforeInstall", "UnknownError", "")
    assert fragment in found["message"]
    assert result.statuses["DownloadBundle"] == "Succeeded"
    assert result.statuses["Install"] == "Skipped"


def test_an_appspec_that_does_not_compile_fails_install_where_no_hook_event_comes_before(machine):
    assert machine.deploy(machine.bundle("one", {"web/a": "1"})).code == 0
    result = machine.deploy(machine.bundle("two", appspec="version: 1\n"), "--events", "DownloadBundle,Install")

    assert result.failure[0] == "Install"
    assert "invalid version value (1)" in result.failure[1]["message"]
    assert machine.installed() == {"a": "1"}  # found before the old revision is removed


def test_the_appspec_may_be_called_yaml_and_may_be_named(machine):
    folder = machine.speaking("one", "AfterInstall")
    (folder / "appspec.yml").rename(folder / "appspec.yaml")
    assert machine.deploy(folder).code == 0
    assert machine.deploy(machine.pack(folder, "tgz"), kind="tgz").code == 0

    (folder / "deploy").mkdir()
    (folder / "appspec.yaml").rename(folder / "deploy" / "other.yml")
    for kind in ("directory", "zip"):
        bundle = folder if kind == "directory" else machine.pack(folder, kind)
        assert machine.deploy(bundle, "--appspec", "deploy/other.yml", kind=kind).code == 0
        failed = machine.deploy(bundle, kind=kind)
        assert failed.failure[0] == "BeforeInstall"
        assert "did not find an AppSpec file" in failed.failure[1]["message"]


@pytest.mark.parametrize("kind", ["directory", "tar", "tgz", "zip"])
def test_the_appspec_may_be_a_link_within_the_bundle(machine, kind):
    folder = machine.speaking("one", "AfterInstall")
    (folder / "deploy").mkdir()
    (folder / "appspec.yml").rename(folder / "deploy" / "real.yml")
    (folder / "appspec.yml").symlink_to("deploy/real.yml")
    result = machine.deploy(folder if kind == "directory" else machine.pack(folder, kind), kind=kind)

    assert result.code == 0, result.out
    assert machine.heard() == ["one AfterInstall"]


def test_a_zip_made_on_windows_is_read(machine):
    path = machine.folder / "one.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {"shop\\appspec.yml": machine.appspec(), "shop\\web\\a": "1"}.items():
            member = zipfile.ZipInfo(name)
            member.create_system = 0
            archive.writestr(member, text)
    result = machine.deploy(path, kind="zip")

    assert result.code == 0, result.out
    assert machine.installed() == {"a": "1"}


@pytest.mark.parametrize(
    ("content", "said"), [(b"# \xff\nversion: 0.0\n", "is not UTF-8"), (b"#" * (1 << 20) + b"#\n", "larger than 1 MiB")]
)
def test_an_appspec_that_is_no_text_fails_the_first_event_that_reads_it(machine, content, said):
    folder = machine.bundle("one")
    (folder / "appspec.yml").write_bytes(content)
    name, found = machine.deploy(folder).failure

    assert (name, found["errorCode"]) == ("BeforeInstall", "UnknownError")
    assert said in found["message"]


def test_a_named_appspec_that_is_not_there_fails_for_a_directory_and_has_a_warning_for_an_archive(machine):
    folder = machine.speaking("one")
    missing = machine.deploy(folder, "--appspec", "other.yml")
    assert (missing.code, missing.failure[0]) == (1, "BeforeInstall")
    assert "other.yml" in missing.failure[1]["message"]

    instead = machine.deploy(machine.pack(folder, "zip"), "--appspec", "other.yml", kind="zip")
    assert instead.code == 0
    assert "holds no other.yml; appspec.yml is used in its place" in instead.err


def test_custom_events_run_this_revisions_scripts(machine):
    bundle = machine.speaking("one", "Warmup", "ApplicationStart")
    result = machine.deploy(bundle, "--events", "ApplicationStart,Warmup")

    assert result.code == 0, result.out
    assert machine.heard() == ["one ApplicationStart", "one Warmup"]


def test_a_custom_event_the_appspec_does_not_have_fails_install(machine):
    result = machine.deploy(machine.speaking("one"), "--events", "ApplicationStart,Warmup")

    assert (result.code, result.failure[0]) == (1, "Install")
    assert "lifecycle event which is not a default one" in result.failure[1]["message"]
    assert machine.installed() == {}


def test_unknown_events_of_the_appspec_are_ignored_with_a_warning(machine):
    result = machine.deploy(machine.speaking("one", "Warmup"))

    assert result.code == 0
    assert "hooks.Warmup" in result.err
    assert machine.heard() == []


def test_unknown_events_of_the_appspec_fail_install_where_all_possible_events_are_named(machine):
    bundle = machine.speaking("one", "Warmup", "AfterInstall")
    possible = ",".join(machine.order)
    result = machine.deploy(bundle, "--all-possible-events", possible)

    assert (result.code, result.failure[0]) == (1, "Install")
    assert "file contains unknown lifecycle events: Warmup" in result.failure[1]["message"]
    assert (result.statuses["BeforeInstall"], result.statuses["AfterInstall"]) == ("Succeeded", "Skipped")
    assert machine.deploy(bundle, "--all-possible-events", f"{possible},Warmup").code == 0
    missing = machine.deploy(bundle, "--all-possible-events", f"{possible},Warmup,Other")
    assert "lifecycle event which is not a default one" in missing.failure[1]["message"]
