"""What goes to Lambda: the service descriptions that the code needs, and nothing beside a handler."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRUNE = runpy.run_path(str(ROOT / "scripts" / "prune_layer.py"))

CLIENT = re.compile(r"""client\(\s*["']([a-z0-9-]+)["']""")


def services_called() -> set[str]:
    """Return the names of the clients that the package and the functions make."""
    files = [*(ROOT / "layers/core/tidegate").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    return {name for file in files for name in CLIENT.findall(file.read_text())}


def test_every_service_that_handlers_call_keeps_its_description() -> None:
    called = services_called()

    assert "dynamodb" in called
    assert called <= PRUNE["SERVICES"]


def test_pruning_keeps_what_is_needed_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    data = tmp_path / "botocore" / "data"
    for name in [*PRUNE["SERVICES"], "braket"]:
        folder = data / name / "2020-01-01"
        folder.mkdir(parents=True)
        (folder / "service-2.json.gz").touch()
        (folder / "examples-1.json").touch()
    (data / "endpoints.json").touch()

    PRUNE["prune"](tmp_path)

    assert {path.name for path in data.iterdir()} == {*PRUNE["SERVICES"], "endpoints.json"}
    assert {path.name for path in data.rglob("*.json*")} == {"service-2.json.gz", "endpoints.json"}
    (data / "ssm" / "2020-01-01" / "service-2.json.gz").unlink()
    (data / "ssm" / "2020-01-01").rmdir()
    (data / "ssm").rmdir()
    with pytest.raises(FileNotFoundError, match="no data for ssm"):
        PRUNE["prune"](tmp_path)


def test_a_functions_folder_holds_its_handler_alone() -> None:
    folders = [path for path in (ROOT / "functions").iterdir() if path.is_dir() and path.name != "__pycache__"]

    kept = {
        folder.name: sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") for folder in folders
    }

    assert len(kept) >= 2
    assert {name: files for name, files in kept.items() if files != ["app.py"]} == {}
