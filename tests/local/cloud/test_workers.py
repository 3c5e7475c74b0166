"""Workers of functions: each as if it were alone, though all are forked from one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.local
ROOT = Path(__file__).parents[3]


def test_a_worker_has_its_own_variables_and_nobody_elses(functions, monkeypatch):
    monkeypatch.setenv("OF_THE_CALLER", "1")
    functions.add("one", OF_ONE="1", BOTH="one")
    functions.add("two", OF_TWO="2", BOTH="two")
    one, two = functions.call("one"), functions.call("two")
    assert one["server"] == two["server"]
    assert (one["variables"]["BOTH"], two["variables"]["BOTH"]) == ("one", "two")
    assert set(one["variables"]) ^ set(two["variables"]) == {"OF_ONE", "OF_TWO"}
    assert "OF_THE_CALLER" not in one["variables"]
    assert one["variables"]["AWS_LAMBDA_FUNCTION_NAME"] == functions.full("one")
    # The process they come from knows no function, and no credentials.
    server = Path(f"/proc/{one['server']}/environ").read_bytes()
    assert not [name for name in ("OF_ONE", "OF_TWO", "BOTH", "AWS_SECRET_ACCESS_KEY") if name.encode() in server]


def test_programs_that_a_handler_starts_see_its_variables(functions):
    text = """
    import subprocess, time
    def handler(event, context):
        return [subprocess.run(["sh", "-c", "echo $MINE"], capture_output=True, text=True).stdout, time.tzname[0]]
    """
    functions.add("one", text, MINE="yes", TZ="XYZ-3")
    assert functions.call("one") == ["yes\n", "XYZ"]


def test_a_worker_has_its_own_folder_path_session_and_descriptors(functions):
    layer = functions.layer("layer", words="GREETING = 'hello'")
    functions.add("one", layers=[layer])
    functions.add("two", layers=[layer])
    functions.call("one")
    told = functions.call("two")
    assert told["folder"] == str(functions.folder / "two")
    assert told["path"][:2] == [str(functions.folder / "two"), str(layer)]
    assert str(functions.folder / "one") not in told["path"]
    assert str(ROOT / "local") not in told["path"][:2]
    assert told["session"] == told["pid"]
    assert len(told["descriptors"]) == 2
    assert all(name.startswith("pipe:") for name in told["descriptors"].values())


def test_the_functions_own_folder_goes_before_what_was_imported_for_all(functions):
    text = """
    import boto3, json
    def handler(event, context):
        return [boto3.WHOSE, json.dumps(1)]
    """
    functions.add("one", text, files={"boto3.py": "WHOSE = 'mine'"})
    functions.add("two", "import boto3\ndef handler(event, context): return boto3.__name__ + str(boto3.client)[:9]")
    assert functions.call("one") == ["mine", "1"]
    assert functions.call("two") == "boto3<function"


def test_a_layer_goes_before_what_was_imported_for_all(functions):
    text = "import boto3, os\ndef handler(event, context): return [boto3.__file__, os.getppid()]"
    layer = functions.layer("layer", boto3="WHOSE = 'layer'")
    functions.add("one", text, layers=[layer])
    functions.add("two", text)
    (one, server), (two, same) = functions.call("one"), functions.call("two")
    assert one == str(layer / "boto3.py")
    assert two != one
    assert server == same


def test_layers_of_one_name_are_not_mixed_up(functions):
    text = "import tidegate\ndef handler(event, context): return tidegate.WHICH"
    for name in ("old", "new"):
        functions.add(f"f-{name}", text, layers=[functions.layer(name, **{"tidegate/__init__": f"WHICH = {name!r}"})])
    assert [functions.call("f-old"), functions.call("f-new")] == ["old", "new"]


def test_workers_share_no_luck(functions):
    text = """
    import random, time, uuid, secrets, os
    def handler(event, context):
        time.sleep(event)
        return [os.getpid(), random.random(), uuid.uuid4().hex, secrets.token_hex()]
    """
    functions.add("one", text)
    rows = functions.together("one", 2, 0.5)
    assert len({row[0] for row in rows}) == 2
    assert all(len({row[column] for row in rows}) == 2 for column in (1, 2, 3))


def test_what_an_interpreter_reads_at_its_start_is_the_functions_own(functions):
    extra = functions.layer("extra", beside="WORD = 'found'")
    text = "import beside, os\ndef handler(event, context): return [beside.WORD, os.getppid(), hash('x')]"
    functions.add("plain")
    functions.add("one", text, PYTHONPATH=str(extra), PYTHONHASHSEED="7")
    functions.add("two", text, PYTHONPATH=str(extra), PYTHONHASHSEED="7")
    one, two = functions.call("one"), functions.call("two")
    seven = subprocess.run(
        [sys.executable, "-c", "print(hash('x'))"], env={"PYTHONHASHSEED": "7"}, capture_output=True, check=True
    )
    assert one == two
    assert one[0] == "found"
    assert one[2] == int(seven.stdout)
    assert functions.call("plain")["server"] != one[1]


def test_descriptions_of_services_come_from_where_a_function_says(functions, tmp_path):
    import botocore

    known = Path(botocore.__file__).parent / "data" / "sqs" / "2012-11-05"
    own = tmp_path / "models" / "mine" / "2012-11-05"
    own.mkdir(parents=True)
    for file in known.glob("*.gz"):
        (own / file.name).symlink_to(file)
    text = """
    import boto3
    def handler(event, context):
        return [name for name in ("mine", "sqs") if name in boto3.Session().get_available_services()]
    """
    functions.add("one", text)
    functions.add("two", text, AWS_DATA_PATH=str(tmp_path / "models"))
    assert functions.call("one") == ["sqs"]
    assert functions.call("two") == ["mine", "sqs"]
