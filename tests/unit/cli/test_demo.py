"""The demonstration's pure parts: what it promises, what it packs, what it calls left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate_cli.decisions import Decision
from tidegate_cli.demo.cloud import parse_exports
from tidegate_cli.demo.evidence import CALLS, Evidence, HostSeen, complaints
from tidegate_cli.demo.leftovers import leftovers, namespaces_of
from tidegate_cli.demo.revisions import EXAMPLE, assemble
from tidegate_cli.deployment_view import DeploymentView
from tidegate_cli.report import Installation

ONE, TWO = "s3://b/1.zip", "s3://b/2.zip"


def as_promised() -> Evidence:
    """Return what a fleet of two shows when all goes as it should."""
    first = DeploymentView("d-1", "Succeeded", "user", ONE, (), {"Succeeded": 2})
    second = DeploymentView(
        "d-2",
        "Failed",
        "user",
        TWO,
        (),
        {"Failed": 1, "Skipped": 1},
        error_code="HEALTH_CONSTRAINTS",
        rollback_id="d-3",
    )
    rollback = DeploymentView("d-3", "Succeeded", "codeDeployRollback", ONE, (), {"Succeeded": 2}, rollback_of="d-2")

    def put(host: str, deployment: str, revision: str, result: str, end: float) -> Installation:
        return Installation(host, deployment, "webapp", "demo", revision, result, end - 1, end)

    return Evidence(
        deployments=[first, second, rollback],
        served_first={"host-1": "1", "host-2": "1"},
        hosts=[HostSeen("i-1", "host-1", "1"), HostSeen("i-2", "host-2", "1")],
        installations=[
            put("i-1", "d-1", ONE, "Succeeded", 10),
            put("i-2", "d-1", ONE, "Succeeded", 20),
            put("i-1", "d-2", TWO, "Failed", 30),
            put("i-1", "d-3", ONE, "Succeeded", 40),
            put("i-2", "d-3", ONE, "Succeeded", 50),
        ],
        decisions={f"d-{number}": [Decision(1.0, "verdict", "CODE", "Because.")] for number in (1, 2, 3)},
        calls=dict.fromkeys(CALLS, 7),
        seconds=12.3456,
    )


def test_nothing_to_complain_about_when_all_is_as_promised() -> None:
    assert complaints(as_promised(), 2) == []


def test_the_evidence_has_the_shape_that_scripts_read() -> None:
    assert as_promised().as_json() == {
        "deployments": [
            {
                "id": "d-1",
                "status": "Succeeded",
                "creator": "user",
                "revision": ONE,
                "rollbackOf": None,
                "errorCode": None,
                "overview": {"Succeeded": 2},
            },
            {
                "id": "d-2",
                "status": "Failed",
                "creator": "user",
                "revision": TWO,
                "rollbackOf": None,
                "errorCode": "HEALTH_CONSTRAINTS",
                "overview": {"Failed": 1, "Skipped": 1},
            },
            {
                "id": "d-3",
                "status": "Succeeded",
                "creator": "codeDeployRollback",
                "revision": ONE,
                "rollbackOf": "d-2",
                "errorCode": None,
                "overview": {"Succeeded": 2},
            },
        ],
        "hosts": [
            {"id": "i-1", "revision": ONE, "servedVersion": "1"},
            {"id": "i-2", "revision": ONE, "servedVersion": "1"},
        ],
        "seconds": 12.346,
        "calls": {"stateTransitions": 7, "lambda": 7, "ssm": 7, "dynamodbReads": 7, "dynamodbWrites": 7},
    }


def deployment(seen: Evidence, number: int, **other: object) -> None:
    seen.deployments[number] = replace(seen.deployments[number], **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda seen: seen.deployments.pop(), "three deployments"),
        (lambda seen: deployment(seen, 0, status="Failed"), "status of the first"),
        (lambda seen: deployment(seen, 0, overview={"Succeeded": 1}), "hosts it succeeded on"),
        (lambda seen: seen.served_first.pop("host-1"), "served version 1 after it"),
        (lambda seen: deployment(seen, 1, status="Succeeded"), "status of the second"),
        (lambda seen: deployment(seen, 1, error_code="NO_INSTANCES"), "error code"),
        (lambda seen: deployment(seen, 1, rollback_id="d-9"), "names as its rollback"),
        (lambda seen: deployment(seen, 1, overview={"Failed": 2}), "is Skipped"),
        (lambda seen: deployment(seen, 1, overview={"Skipped": 2}), "is Failed"),
        (lambda seen: deployment(seen, 2, deployment_id="d-2"), "ids of their own"),
        (lambda seen: deployment(seen, 2, creator="user"), "creator of the rollback"),
        (lambda seen: deployment(seen, 2, status="Stopped"), "status of the rollback"),
        (lambda seen: deployment(seen, 2, rollback_of="d-1"), "rolls back"),
        (lambda seen: deployment(seen, 2, revision=TWO), "revision of the rollback"),
        (lambda seen: seen.hosts.pop(), "1 hosts were asked"),
        (lambda seen: seen.hosts.__setitem__(0, HostSeen("i-1", "host-1", "2")), "host-1 serves version 2"),
        (lambda seen: seen.hosts.__setitem__(0, HostSeen("i-1", "host-1", "")), "host-1 serves version nothing"),
        (lambda seen: seen.installations.__delitem__(0), "the report of d-1"),
        (lambda seen: seen.installations.__delitem__(2), "names no host that failed"),
        (
            lambda seen: seen.installations.append(
                Installation("i-2", "d-9", "webapp", "demo", TWO, "Succeeded", 60, 61)
            ),
            "the report has s3://b/2.zip on host-2",
        ),
        (lambda seen: seen.decisions.pop("d-2"), "d-2 does not give a reason"),
        (
            lambda seen: seen.decisions.update({"d-3": [Decision(1.0, "verdict", "CODE", "")]}),
            "d-3 does not give a reason",
        ),
        (lambda seen: seen.calls.update({"ssm": 0}), "no calls of kind ssm"),
    ],
)
def test_whatever_differs_is_named(spoil, expected: str) -> None:  # type: ignore[no-untyped-def]
    seen = as_promised()
    spoil(seen)

    assert expected in "\n".join(complaints(seen, 2))


def test_revision_2_is_revision_1_with_the_overlay(tmp_path: Path) -> None:
    one, two = assemble(EXAMPLE, tmp_path)

    names = [{path.relative_to(root) for path in root.rglob("*")} for root in (one, two)]
    assert names[0] == names[1]
    differing = {
        str(path.relative_to(two))
        for path in two.rglob("*")
        if path.is_file() and path.read_bytes() != (one / path.relative_to(two)).read_bytes()
    }
    assert differing == {"app/VERSION", "app/pages.py"}


def test_without_the_example_the_error_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run this from a checkout"):
        assemble(tmp_path, tmp_path / "out")


def test_exports_are_read_with_their_quotes() -> None:
    assert parse_exports("export A=1\nexport B='two words'\n# note\n") == {"A": "1", "B": "two words"}


@pytest.mark.parametrize("how", ["variable", "argument"])
def test_a_process_of_an_instance_is_found_until_it_is_gone(tmp_path: Path, how: str) -> None:
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code] + ([f"{tmp_path}/server.py"] if how == "argument" else [])
    environment = os.environ | ({"TIDEGATE_LOCAL_DIR": str(tmp_path)} if how == "variable" else {})
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = leftovers(tmp_path, frozenset())
        other = leftovers(tmp_path / "other", frozenset())
        process.kill()
    assert [line.split(":")[0] for line in found] == [f"process {process.pid}"]
    assert other == []
    assert leftovers(tmp_path, frozenset()) == []


def test_our_own_namespaces_do_not_count_as_an_instances() -> None:
    assert namespaces_of([os.getpid(), os.getppid()]) == frozenset()


def test_processes_of_a_foreign_namespace_are_found(tmp_path: Path) -> None:
    command = ["unshare", "--user", "--map-root-user", "--uts", "sh", "-c", "echo up; read line"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "up\n":
            pytest.skip("NOT RUN: this kernel gives no user namespaces")
        namespaces = namespaces_of([process.pid])
        found = leftovers(tmp_path, namespaces)
        process.communicate("end\n")
    assert len(namespaces) == 2
    assert [line.split(":")[0] for line in found] == [f"process {process.pid}"]
    assert leftovers(tmp_path, namespaces) == []
