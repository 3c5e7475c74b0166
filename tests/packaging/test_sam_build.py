"""`sam build` as a contributor runs it: no Docker, no interpreter of the functions' runtime."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


class Tags(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their plain values."""


Tags.add_multi_constructor("!", lambda loader, suffix, node: suffix)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_functions_and_layers_are_built(tmp_path: Path) -> None:
    built = tmp_path / "built"
    search = tmp_path / "bin"
    search.mkdir()
    for program in ("make", "cp", "mkdir", "sh", "python3"):
        (search / program).symlink_to(_which(program))
    command = [
        str(ROOT / ".venv/bin/sam"),
        "build",
        "--build-dir",
        str(built),
        "--template",
        str(ROOT / "template.yaml"),
    ]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "PATH": str(search),
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_TELEMETRY": "0",
    }

    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr[-3000:]
    resources = yaml.load((built / "template.yaml").read_text(), Tags)["Resources"]
    functions = [name for name, one in resources.items() if one["Type"] == "AWS::Serverless::Function"]
    assert functions
    assert [name for name in functions if not (built / name / "app.py").is_file()] == []
    core = next(built.glob("*/python"))
    assert {"tidegate", "boto3", "yaml", "aws_lambda_powertools"} <= {path.name for path in core.iterdir()}
    assert any(path.name.endswith("aarch64-linux-gnu.so") for path in core.glob("yaml/*.so"))
    assert sum(path.stat().st_size for path in core.rglob("*") if path.is_file()) < 40_000_000
    archive = next(built.glob("*/runner/tidegate_runner.zip"))
    assert "tidegate_runner/__main__.py" in zipfile.ZipFile(archive).namelist()
    archive = archive.with_name("tidegate_runner_windows.zip")
    assert "tidegate_runner/windows.py" in zipfile.ZipFile(archive).namelist()


def _which(program: str) -> str:
    found = next(
        (
            path
            for folder in ("/usr/bin", "/bin", *os.environ["PATH"].split(":"))
            if (path := Path(folder, program)).exists()
        ),
        None,
    )
    assert found is not None, program
    return str(found)
