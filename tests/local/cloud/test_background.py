"""Threads for later work, counters and faults."""

from __future__ import annotations

import queue
import random
import threading

import pytest

from tidegate_local.background import Background
from tidegate_local.counters import FIGURES, Counters
from tidegate_local.faults import Faults, FaultsError


def test_tasks_run_when_they_are_due_and_a_failure_ends_nothing_else():
    done: queue.Queue[str] = queue.Queue()
    background = Background("test", threads=1)

    def fail():
        raise RuntimeError("as asked")

    background.submit(lambda: done.put("later"), 0.2)
    background.submit(lambda: done.put("sooner"), 0.05)
    background.submit(fail)
    background.submit(lambda: done.put("now"))
    assert [done.get(timeout=10) for _ in range(3)] == ["now", "sooner", "later"]
    background.stop()


def test_what_waits_is_dropped_at_the_end():
    done = threading.Event()
    background = Background("test", threads=2)
    background.submit(done.set, 3600)
    background.stop()
    background.submit(done.set)
    assert not done.is_set()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("test-")]


def test_counters_lose_nothing_when_reset():
    counters = Counters()
    total = 0
    threads = [threading.Thread(target=lambda: [counters.add("lambda") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        total += counters.read(reset=True)["lambda"]
    total += counters.read(reset=True)["lambda"]
    assert total == 2000
    assert counters.read() == dict.fromkeys(FIGURES, 0)


def test_lost_and_doubled_events_follow_their_chances():
    faults = Faults(chance=random.Random(7))
    assert {faults.deliveries() for _ in range(20)} == {1}
    faults.set({"events": {"lose": 0.5, "double": 0.5}})
    drawn = [faults.deliveries() for _ in range(1000)]
    assert 430 <= drawn.count(0) <= 570
    assert 200 <= drawn.count(2) <= 300


def test_faults_of_other_kinds_stay():
    faults = Faults()
    faults.set({"throttle": {"ssm:SendCommand": 1}})
    faults.set({"events": {"delay_seconds": 2}})
    assert faults.describe() == {
        "events": {"lose": 0.0, "double": 0.0, "delay_seconds": 2.0},
        "throttle": {"ssm:SendCommand": 1},
        "kill": None,
    }
    assert [faults.take_throttle("ssm:SendCommand") for _ in range(2)] == [True, False]
    faults.set({"kill": {"function": "F", "after": "ssm:SendCommand"}})
    assert faults.kill_of("F") == {"after": "ssm:SendCommand"}
    assert faults.kill_of("G") == {}
    faults.killed()
    assert faults.kill_of("F") == {}
    faults.set({"kill": {"function": "F", "before": "ssm:SendCommand"}})
    assert faults.kill_of("F") == {"before": "ssm:SendCommand"}
    with pytest.raises(FaultsError, match=r"kill\.before and kill\.after are both given"):
        faults.set({"kill": {"function": "F", "before": "ssm:SendCommand", "after": "ssm:SendCommand"}})
