"""How workers of functions end, and the process they are forked from."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tidegate_local.adapters.fork_servers import ForkServerError
from tidegate_local.state import start_time

pytestmark = pytest.mark.local


def gone(pid):
    until = time.monotonic() + 20
    while start_time(pid):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.01)
    return True


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
