"""What is imported for the workers of all functions."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import botocore.session
import pytest

from tidegate_local import descriptions
from tidegate_local.adapters.fork_servers import START_VARIABLES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("late", [False, True], ids=["at once", "after others have read"])
def test_a_session_that_looks_elsewhere_finds_its_own_and_keeps_it_to_itself(tmp_path, late):
    descriptions.share()
    usual = Path(botocore.__file__).parent / "data" / "sqs" / "2012-11-05"
    model = json.loads(gzip.decompress((usual / "service-2.json.gz").read_bytes()))
    model["metadata"]["serviceId"] = "Mine"
    own = tmp_path / "sqs" / "2012-11-05"
    own.mkdir(parents=True)
    (own / "service-2.json").write_text(json.dumps(model))

    def name(session):
        return str(session._session.get_service_model("sqs").service_id)

    if late:
        assert name(boto3.Session()) == "SQS"
    inserted = boto3.Session()
    if late:
        assert name(inserted) == "SQS"
    inserted._loader.search_paths.insert(0, str(tmp_path))
    assert name(inserted) == "Mine"
    assert name(boto3.Session()) == "SQS"
    told = botocore.session.Session()
    told.set_config_variable("data_path", str(tmp_path))
    assert name(boto3.Session(botocore_session=told)) == "Mine"
    assert name(boto3.Session()) == "SQS"


RECORD = """
import json, os, sys
read = set()
class Recording(os._Environ):
    def __getitem__(self, name):
        read.add(name)
        return super().__getitem__(name)
    def __iter__(self):
        read.add("(all)")
        return super().__iter__()
os.environ.__class__ = Recording
sys.path.insert(0, sys.argv[1])
from tidegate_local.preload import preload
preload()
print(json.dumps(sorted(read)))
"""


def test_what_is_imported_for_all_reads_no_variable_that_functions_may_set(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RECORD, str(ROOT / "layers" / "core")],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    read = json.loads(done.stdout)
    assert "AWS_EXECUTION_ENV" in read  # else nothing was recorded
    # Lambda's own, which no function can set.
    assert [name for name in read if not name.startswith((*START_VARIABLES, "AWS_LAMBDA_"))] == []
    assert done.stderr == ""


IMPORTS = """
import importlib, json, os, sys
layer, folders = sys.argv[1], sys.argv[2:]
sys.path.insert(0, layer)
from tidegate_local.preload import preload
preload()
late = {}
for folder in folders:
    before = set(sys.modules)
    sys.path.insert(0, folder)
    importlib.import_module("app")
    sys.path.remove(folder)
    late[os.path.basename(folder)] = sorted(set(sys.modules) - before)
    del sys.modules["app"]
print(json.dumps(late))
"""


def test_all_that_functions_import_was_imported_for_all():
    folders = sorted(path.parent for path in (ROOT / "functions").glob("*/app.py"))
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, str(ROOT / "layers" / "core"), *map(str, folders)],
        capture_output=True,
        text=True,
        check=True,
    )
    late = json.loads(done.stdout)
    assert late == {folder.name: ["app"] for folder in folders}
    assert late
