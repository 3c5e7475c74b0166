"""Make a folder of installed packages small enough to load fast: ``prune_layer.py FOLDER``.

Takes away what a handler never reads: botocore's descriptions of services that Tidegate does not call, their
examples, byte code, tests and wheel records. It keeps the licences: they travel with the code.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

SERVICES = frozenset(
    {
        "autoscaling",
        "cloudwatch",
        "codedeploy",
        "dynamodb",
        "ec2",
        "ecs",
        "elb",
        "elbv2",
        "events",
        "iam",
        "lambda",
        "s3",
        "secretsmanager",
        "sns",
        "sqs",
        "ssm",
        "stepfunctions",
        "sts",
    }
)
"""Names of the folders of botocore's data that stay."""


def prune(folder: Path) -> None:
    """Take away from `folder` (a target of ``pip install --target``) what no handler reads.

    Raises
    ------
    FileNotFoundError
        When botocore's data is not where it is expected, or lacks a service that must stay.
    """
    data = folder / "botocore" / "data"
    found = {entry.name for entry in data.iterdir() if entry.is_dir()}
    if missing := SERVICES - found:
        raise FileNotFoundError(f"botocore in {folder} has no data for {', '.join(sorted(missing))}")
    for name in found - SERVICES:
        shutil.rmtree(data / name)
    for pattern in ("examples-1.json*", "completions-1.json*"):
        for file in data.rglob(pattern):
            file.unlink()
    unused = [*folder.rglob("__pycache__"), *folder.rglob("tests"), folder / "bin", folder / "boto3" / "examples"]
    for unwanted in unused:
        shutil.rmtree(unwanted, ignore_errors=True)
    for record in folder.glob("*.dist-info/RECORD"):
        record.unlink()


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
