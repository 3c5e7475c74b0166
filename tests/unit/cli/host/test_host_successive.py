"""One deployment by hand after the other: whose scripts run, and what becomes of files."""

from __future__ import annotations

import pytest


def test_scripts_of_the_stop_events_are_the_last_installed_revisions(machine):
    for name in ("one", "two"):
        assert machine.deploy(machine.speaking(name)).code == 0

    first = [f"one {event}" for event in machine.hooks[3:]]
    second = [f"{'one' if event in machine.hooks[:3] else 'two'} {event}" for event in machine.hooks]
    assert machine.heard() == first + second


@pytest.mark.parametrize(
    ("creator", "kind", "blocking", "stopping", "allowing"),
    [
        ("user", "IN_PLACE", "one", "one", None),
        ("user", "BLUE_GREEN", "one", "one", None),
        ("codeDeployRollback", "IN_PLACE", "one", "one", None),
        ("codeDeployRollback", "BLUE_GREEN", "two", "one", "one"),
    ],
)
def test_whose_scripts_run_before_this_revision_is_downloaded(machine, creator, kind, blocking, stopping, allowing):
    """One was installed last; two was downloaded last, its BeforeInstall failed."""
    assert machine.deploy(machine.speaking("one")).code == 0
    two = machine.speaking("two")
    (two / "BeforeInstall.sh").write_text("#!/bin/sh\nexit 1\n")
    assert machine.deploy(two).failure[0] == "BeforeInstall"
    machine.said.unlink()

    early = machine.hooks[:3] + (machine.hooks[-2:] if allowing else [])
    rest = [event for event in machine.order if event not in early]
    options = ["--creator", creator, "--deployment-type", kind, "--events", ",".join([*early, *rest])]
    result = machine.deploy(machine.speaking("three"), *options)

    assert result.code == 0, result.out + result.err
    own = dict.fromkeys(machine.hooks, "three") | dict.fromkeys(machine.hooks[:2], blocking)
    own |= {"ApplicationStop": stopping}
    if allowing:
        own |= dict.fromkeys(machine.hooks[-2:], allowing)
    run = [event for event in [*early, *rest] if event in machine.hooks]
    assert machine.heard() == [f"{own[event]} {event}" for event in run]


def test_a_revision_whose_later_event_failed_is_the_one_to_stop(machine):
    assert machine.deploy(machine.speaking("one")).code == 0
    two = machine.speaking("two")
    (two / "AfterInstall.sh").write_text("#!/bin/sh\nexit 1\n")
    assert machine.deploy(two).failure[0] == "AfterInstall"
    assert machine.deploy(machine.speaking("three")).code == 0

    assert "two ApplicationStop" in machine.heard()
    assert machine.heard().count("one ApplicationStop") == 1


def test_files_in_the_way_are_refused_while_the_old_revision_stays(machine):
    assert machine.deploy(machine.bundle("one", {"web/a": "1"})).code == 0
    for name in ("x", "y"):
        (machine.target / name).write_text("mine")
    result = machine.deploy(machine.bundle("two", {"web/x": "2", "web/y": "2", "web/b": "2"}))

    name, found = result.failure
    assert (name, found["errorCode"]) == ("Install", "UnknownError")
    assert "already exists at this location" in found["message"]
    assert all(str(machine.target / name) in found["message"] for name in "xy")
    assert machine.installed() == {"a": "1", "x": "mine", "y": "mine"}


def test_retained_files_stay_over_deployments_that_follow(machine):
    machine.target.mkdir()
    (machine.target / "x").write_text("mine")
    one = machine.bundle("one", {"web/x": "1", "web/a": "1"})
    assert machine.deploy(one, "--file-exists-behavior", "RETAIN").code == 0
    assert machine.installed() == {"x": "mine", "a": "1"}

    assert machine.deploy(machine.bundle("two", {"web/b": "2"})).code == 0
    assert machine.installed() == {"x": "mine", "b": "2"}


def test_overwritten_files_are_removed_by_the_deployment_that_follows(machine):
    machine.target.mkdir()
    (machine.target / "x").write_text("mine")
    one = machine.bundle("one", {"web/x": "1"})
    assert machine.deploy(one, "--file-exists-behavior", "overwrite").code == 0
    assert machine.installed() == {"x": "1"}

    assert machine.deploy(machine.bundle("two", {"web/b": "2"})).code == 0
    assert machine.installed() == {"b": "2"}


def test_files_of_a_deployment_that_failed_after_install_are_removed_by_the_next(machine):
    machine.target.mkdir()
    (machine.target / "x").write_text("mine")
    failing = machine.bundle("one", {"web/x": "1", "web/a": "1"}, AfterInstall="exit 1")
    assert machine.deploy(failing, "--file-exists-behavior", "RETAIN").failure[0] == "AfterInstall"

    assert machine.deploy(machine.bundle("two", {"web/x": "2"}), "--file-exists-behavior", "OVERWRITE").code == 0
    assert machine.installed() == {"x": "2"}
    assert machine.deploy(machine.bundle("three", {"web/c": "3"})).code == 0
    assert machine.installed() == {"c": "3"}


def test_the_appspecs_file_exists_behavior_wins(machine):
    machine.target.mkdir()
    (machine.target / "x").write_text("mine")
    appspec = machine.appspec(more="file_exists_behavior: RETAIN")
    result = machine.deploy(
        machine.bundle("one", {"web/x": "1"}, appspec=appspec), "--file-exists-behavior", "OVERWRITE"
    )

    assert result.code == 0
    assert machine.installed() == {"x": "mine"}


def test_an_unknown_file_exists_behavior_matters_only_where_a_file_is_in_the_way(machine):
    bundle = machine.bundle("one", {"web/x": "1"})
    result = machine.deploy(bundle, "--file-exists-behavior", "REPLACE")
    assert result.code == 0
    assert "--file-exists-behavior: 'REPLACE' is none of DISALLOW, OVERWRITE, RETAIN" in result.err

    options = ["--file-exists-behavior", "REPLACE", "--deployment-group-id", "other"]
    failed = machine.deploy(bundle, *options)
    assert failed.failure[0] == "Install"
    assert "invalid option was specified for fileExistsBehavior: REPLACE" in failed.failure[1]["message"]


def test_five_revisions_of_a_group_stay(machine):
    bundle = machine.bundle("one", {"web/a": "1"})
    ids = [f"d-{number}" for number in range(7)]
    for one in ids:
        assert machine.deploy(bundle, "--deployment-id", one).code == 0

    assert sorted(path.name for path in (machine.state / machine.group).iterdir()) == ids[2:]


def test_the_same_deployment_id_runs_again(machine):
    bundle = machine.speaking("one", "AfterInstall")
    for _ in range(2):
        assert machine.deploy(bundle, "--deployment-id", "d-1").code == 0

    assert machine.heard() == ["one AfterInstall"] * 2


def test_two_groups_that_write_the_same_path_collide(machine):
    bundle = machine.bundle("one", {"web/a": "1"})
    assert machine.deploy(bundle, "--deployment-group-id", "g1", "--deployment-id", "d-1").code == 0
    assert machine.deploy(bundle, "--deployment-group-id", "g1").code == 0
    refused = machine.deploy(bundle, "--deployment-group-id", "g2")

    assert refused.failure[0] == "Install"
    assert "already exists at this location" in refused.failure[1]["message"]
