"""Whatever stands on a machine and whatever is deployed to it: deploy does what plan told."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tidegate_cli import host

GROUPS = ("g1", "g2")
# "f" and "d/e" are files in some revisions and folders in others, so that they get in each other's way
PATHS = st.sampled_from(["a", "b", "d/a", "d/e", "d/e/a", "d/e/b", "f", "f/a"])


@dataclass(frozen=True)
class Step:
    """Somebody puts files there by hand, then a revision is deployed."""

    group: str
    strangers: frozenset[str]
    removed: frozenset[str]
    files: frozenset[str]
    more: frozenset[str]
    links: frozenset[str]
    behavior: str
    mode: str


STEPS = st.lists(
    st.builds(
        Step,
        group=st.sampled_from((GROUPS[0], *GROUPS)),
        strangers=st.frozensets(PATHS, max_size=2),
        removed=st.frozensets(PATHS, max_size=1),
        files=st.frozensets(PATHS, max_size=5),
        more=st.frozensets(st.sampled_from(["a", "z", "y", "e/c"]), max_size=2),
        links=st.frozensets(st.sampled_from(["l", "a"]), max_size=1),
        behavior=st.sampled_from(["DISALLOW", "OVERWRITE", "OVERWRITE", "RETAIN"]),
        mode=st.sampled_from(["", "640", "755"]),
    ),
    min_size=1,
    max_size=4,
)


def step(group: str = "g1", files: frozenset[str] = frozenset(), more: frozenset[str] = frozenset()) -> Step:
    return Step(group, frozenset(), frozenset(), files, more, frozenset(), "DISALLOW", "")


A_FILE_BECOMES_A_FOLDER = [step(files=frozenset({"d/e"})), step(more=frozenset({"e/c"}))]
A_FOLDER_BECOMES_A_FILE = A_FILE_BECOMES_A_FOLDER[::-1]


def write(folder: Path, name: str, text: str) -> None:
    """Write a file unless one of its parents is a file, or it is a folder."""
    path = folder / name
    if any(parent.is_file() for parent in path.parents) or path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)


def make_bundle(folder: Path, target: Path, step: Step, number: int) -> Path:
    bundle = folder / f"bundle{number}"
    for part, names in (("web", step.files), ("more", step.more)):
        (bundle / part).mkdir(parents=True)
        for name in sorted(names):
            write(bundle / part, name, str(number))
    for name in step.links:
        if not (bundle / "web" / name).exists():
            (bundle / "web" / name).symlink_to("nowhere")
    files = [{"source": "web", "destination": str(target)}, {"source": "more", "destination": str(target / "d")}]
    spec: dict[str, Any] = {"version": 0.0, "os": "linux", "files": files}
    if step.mode:
        spec["permissions"] = [{"object": str(target), "mode": step.mode, "type": ["file"]}]
    (bundle / "appspec.yml").write_text(json.dumps(spec))  # JSON is YAML
    return bundle


def look(target: Path) -> dict[str, tuple[int, bytes | None]]:
    """Each path with its inode and, but for folders, its content."""
    found: dict[str, tuple[int, bytes | None]] = {}
    for path in [*([target] if target.exists() else []), *target.rglob("*")]:
        plain = path.is_file() and not path.is_symlink()
        content = path.read_bytes() if plain else None if path.is_dir() else b"link"
        found[str(path)] = (path.lstat().st_ino, content)
    return found


def invoke(verb: str, bundle: Path, folder: Path, step: Step, number: int) -> tuple[int, dict[str, Any]]:
    options = ["--bundle", str(bundle), "--bundle-type", "directory", "--root", str(folder / "state"), "--json"]
    options += ["--file-exists-behavior", step.behavior, "--deployment-group-id", step.group]
    result = CliRunner().invoke(host.app, [verb, *options, "--deployment-id", f"d-{number}"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (0, 1), result.output
    return result.exit_code, json.loads(result.stdout)


def failed_event(result: Mapping[str, Any]) -> str | None:
    return next((event["lifecycleEventName"] for event in result["events"] if event["status"] == "Failed"), None)


def check_done(plan: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    assert set(plan["created"]) == set(after) - set(before)
    assert set(plan["deleted"]) == set(before) - set(after)
    files = {path for path in set(before) & set(after) if before[path][1] is not None or after[path][1] is not None}
    assert {path for path in files if before[path] != after[path]} <= set(plan["changed"])
    for path in plan["changed"]:
        assert path in before, path
        assert path in after, path
    for path in plan["kept"]:
        assert before[path] == after[path], path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
@example(steps=A_FILE_BECOMES_A_FOLDER)
@example(steps=A_FOLDER_BECOMES_A_FILE)
def test_deploy_does_what_plan_told(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target = folder / "target"
        for number, step in enumerate(steps):
            for stranger in sorted(step.strangers):
                write(target, stranger, f"stranger {number}")
            for lost in step.removed:
                if (target / lost).is_file():
                    (target / lost).unlink()
            bundle = make_bundle(folder, target, step, number)
            before = look(target)
            planned, plan = invoke("plan", bundle, folder, step, number)
            assert look(target) == before
            deployed, result = invoke("deploy", bundle, folder, step, number)
            after = look(target)

            assert planned == deployed, (plan, result)
            if plan["failure"]:
                assert failed_event(result) == plan["failure"]["lifecycleEventName"]
                assert after == before  # what is in the way is found before anything is removed
            else:
                check_done(plan, before, after)
                record = folder / "state" / "deployment-instructions" / f"{step.group}-install.json"
                assert json.loads(record.read_text())["instructions"] == plan["instructions"]
