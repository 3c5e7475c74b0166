"""Workers of functions: each as if it were alone, though all are forked from one process."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from tidegate_local.adapters.fork_servers import START_VARIABLES, ForkServerError
from tidegate_local.adapters.lambda_workers import LambdaWorkers
from tidegate_local.adapters.worker_process import Function
from tidegate_local.counters import Counters
from tidegate_local.faults import Faults
from tidegate_local.state import start_time

pytestmark = pytest.mark.local
ROOT = Path(__file__).parents[3]
BASE = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "us-east-1"}
TELL = """
import os, random, sys
def handler(event, context):
    return {
        "pid": os.getpid(), "server": os.getppid(), "session": os.getsid(0), "variables": dict(os.environ),
        "path": sys.path, "folder": os.getcwd(), "chance": random.random(),
        "descriptors": {n: os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if int(n) > 2
                        and os.path.exists(f"/proc/self/fd/{n}")},
    }
"""


def made_workers(folder):
    return LambdaWorkers(
        folder / "logs", "1", "us-east-1", lambda: BASE, lambda _: [], Counters(), Faults(chance=random.Random(1))
    )


class Functions:
    """Functions made of source texts, and what runs them."""

    def __init__(self, folder, workers):
        self.folder = folder
        self.workers = workers

    def full(self, name):
        """What a test's function is called among those of all tests."""
        return f"{self.folder.name}-{name}"

    def add(self, name, text=TELL, layers=(), timeout=20.0, files=None, **variables):
        home = self.folder / name
        home.mkdir()
        for file, content in {"app.py": text, **(files or {})}.items():
            (home / file).write_text(textwrap.dedent(content))
        path = (str(home), *map(str, layers))
        self.workers.register(
            Function(self.full(name), "arn", name, "app.handler", path, variables, timeout, 128, "role")
        )
        return name

    def layer(self, name, **files):
        folder = self.folder / name
        for file, text in files.items():
            path = folder / f"{file}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    def call(self, name, event=None):
        return json.loads(self.workers.invoke(self.full(name), event).payload)

    def together(self, name, number, event):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.call(name, event))) for _ in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    made = made_workers(tmp_path_factory.mktemp("workers"))
    yield made
    made.stop()


@pytest.fixture
def functions(tmp_path, workers):
    """Functions of a test, forked from the process that those of other tests are forked from."""
    return Functions(tmp_path, workers)


@pytest.fixture
def own(tmp_path):
    """Functions of a test that may break what they are forked from."""
    made = Functions(tmp_path, made_workers(tmp_path))
    yield made
    made.workers.stop()


def gone(pid):
    until = time.monotonic() + 20
    while start_time(pid):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.01)
    return True


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


@pytest.mark.parametrize(
    ("act", "how"),
    [
        ("os._exit(4)", "exit status 4"),
        ("sys.exit(5)", "exit status 5"),
        ("os.kill(os.getpid(), 9)", "signal: 9"),
        ("os.kill(os.getpid(), 15)", "signal: 15"),
    ],
)
def test_how_a_worker_ended_is_told(functions, act, how):
    functions.add("one", f"import os, sys\ndef handler(event, context):\n    if event: {act}\n    return os.getpid()")
    before = functions.call("one")
    answer = functions.call("one", 1)
    assert answer["errorType"] == "Runtime.ExitError"
    assert answer["errorMessage"].endswith(f"Runtime exited with error: {how}")
    assert functions.call("one") != before


def test_a_worker_killed_between_calls_is_replaced(functions):
    functions.add("one")
    first = functions.call("one")
    os.kill(first["pid"], signal.SIGKILL)
    assert gone(first["pid"])
    assert functions.call("one")["errorMessage"].endswith("signal: 9")
    second = functions.call("one")
    assert second["pid"] != first["pid"]
    assert second["server"] == first["server"]


def test_a_time_out_takes_the_worker_but_no_other(functions):
    functions.add(
        "slow", "import os, time\ndef handler(event, context): print(os.getpid()); time.sleep(60)", timeout=0.5
    )
    functions.add("other")
    other = functions.call("other")
    assert functions.call("slow")["errorType"] == "Sandbox.Timedout"
    pid = int((functions.workers.log_file(functions.full("slow"))).read_text().splitlines()[1])
    assert gone(pid)
    assert functions.call("other")["pid"] == other["pid"]


def test_the_process_that_forks_has_one_thread_and_is_replaced_when_it_dies(own):
    own.add("one")
    first = own.call("one")
    assert len(list(Path(f"/proc/{first['server']}/task").iterdir())) == 1
    os.kill(first["server"], signal.SIGKILL)
    assert gone(first["server"])
    assert gone(first["pid"])
    assert own.call("one")["errorType"] == "Runtime.ExitError"
    assert own.call("one")["server"] != first["server"]


def test_a_stop_ends_all_at_once(own):
    own.add("busy", "import time\ndef handler(event, context): print('on', flush=True); time.sleep(60)")
    own.add("idle")
    told = own.call("idle")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(own.call("busy")))
    thread.start()
    log = own.workers.log_file(own.full("busy"))
    until = time.monotonic() + 20
    while "on\n" not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < until
        time.sleep(0.01)
    children = {int(pid) for pid in Path(f"/proc/{told['server']}/task/{told['server']}/children").read_text().split()}
    assert len(children) == 2
    own.workers.stop()
    assert [pid for pid in (told["server"], *children) if start_time(pid)] == []
    thread.join(20)
    assert answers[0]["errorType"] == "Runtime.ExitError"
    assert "the local cloud is stopping" in own.call("idle")["errorMessage"]


def test_a_layer_that_cannot_be_imported_fails_the_functions_that_import_it(own):
    layer = own.layer("layer", **{"tidegate/__init__": "raise ValueError('broken layer')"})
    own.add("one", "import tidegate\ndef handler(event, context): return 1", layers=[layer])
    own.add("two", "def handler(event, context): return 2", layers=[layer])
    own.workers.wait_ready()
    answer = own.call("one")
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "broken layer")
    assert own.call("two") == 2


def test_a_layer_that_ends_its_process_is_named(own):
    layer = own.layer("deadly", **{"tidegate/__init__": "import os; os._exit(9)"})
    own.add("one", layers=[layer])
    with pytest.raises(ForkServerError, match=r"imports .*/deadly for the functions ended with exit status 9"):
        own.workers.wait_ready()
    assert "did not start" in own.call("one")["errorMessage"]


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
