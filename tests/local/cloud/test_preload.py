"""What is imported for the workers of all functions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tidegate_local.adapters.fork_servers import START_VARIABLES

ROOT = Path(__file__).parents[3]
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
