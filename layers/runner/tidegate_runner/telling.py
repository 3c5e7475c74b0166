"""Telling what a stage does while it does it: its progress, and all that its events print.

Best effort: it never delays or fails a deployment. A thread uploads the newest progress, and about once a second what
was printed since. What could not be uploaded by the end is taken over by a process of its own (`sender`). The result
is recorded before, and waits for none of it.
"""

import json
import os
import sys
import threading
import time
from typing import Any, Callable, Dict, Optional

from tidegate_runner import spool as spooling
from tidegate_runner.order import Order
from tidegate_runner.paths import HostPaths
from tidegate_runner.redact import redact
from tidegate_runner.system import APART
from tidegate_runner.upload import post

Listener = Callable[[float, str, str], None]

_PAUSE = 0.3
_PACE = 1.0
_LAST_WAIT = 10.0
_LONGEST_PAUSE = 30.0
_SENDER = "import sys; sys.path.insert(0, sys.argv[1]); from tidegate_runner.sender import main; main()"


class Teller:
    """Tells of one stage, as far as the order has a grant for it."""

    def __init__(self, order: Order, host: HostPaths, target: str) -> None:
        self._order = order
        self._host = host
        self._target = target
        self._grant = order.progress if target else None
        self._spool = spooling.Spool(
            host.spool(order.deployment_id, order.stage), int(order.limits.get("maxLogBytes", spooling.MOST_BYTES))
        )
        self._newest: Optional[Dict[str, Any]] = None
        self._fresh = False
        self._ending = False
        self._sent = (-1, 0)
        self._wake = threading.Condition()
        self._thread: Optional[threading.Thread] = None

    def show(self, document: Dict[str, Any]) -> None:
        """Have a state of progress uploaded soon; one that is overtaken meanwhile is left out."""
        if self._grant is None:
            return
        with self._wake:
            self._newest = document
            self._wake.notify()
        if self._thread is None:
            collect(self._order, self._host, self._target)
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def listener(self, event: str) -> Optional[Listener]:
        """Give who is to hear each line of an event; nobody where there is no grant."""
        if self._grant is None:
            return None

        def listen(now: float, stream: str, text: str) -> None:
            self._spool.write(now, event, stream, text)
            if not self._fresh:
                with self._wake:
                    self._fresh = True
                    self._wake.notify()

        return listen

    def say(self, event: str, text: str) -> None:
        """Tell something of the runner's own that is not in the logs on the host: why an event failed."""
        listen = self.listener(event)
        if listen is not None:
            for line in redact(text).splitlines():
                listen(time.time(), "runner", line)

    def close(self, status: str) -> None:
        """Note the stage's end, and see to it that the rest is uploaded."""
        if self._grant is None:
            return
        self._spool.end(time.time(), status)
        self._spool.seal()
        with self._wake:
            self._ending = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(_LAST_WAIT)
        self._spool.close()
        collect(self._order, self._host, self._target)

    def _run(self) -> None:
        pause, next_log = _PAUSE, time.monotonic() + _PACE
        while not self._ending:
            with self._wake:
                self._wake.wait_for(lambda: self._ending or self._newest is not None or self._fresh)
            taken = self._post_progress()
            if taken and self._fresh and not self._ending and time.monotonic() >= next_log:
                taken = self._upload_one() is not False
                next_log = time.monotonic() + _PACE
            pause = _PAUSE if taken else min(max(pause, _PACE) * 2, _LONGEST_PAUSE)
            with self._wake:
                self._wake.wait_for(lambda: self._ending, pause)
        # What is left, until the first failure: the rest is the sender's.
        if self._post_progress():
            while self._upload_one():
                continue

    def _post_progress(self) -> bool:
        assert self._grant is not None
        with self._wake:
            document, self._newest = self._newest, None
        if document is None:
            return True
        taken = post(self._grant, self._target + ".json", json.dumps(document).encode("ascii"))
        with self._wake:
            if not taken and self._newest is None:
                self._newest = document
        return taken

    def _upload_one(self) -> Optional[bool]:
        """Upload the oldest segment that holds something new; ``None`` when there is none."""
        assert self._grant is not None
        self._fresh = False  # before looking: what is written from now on makes it true again
        writing = self._spool.number
        waiting = spooling.segments(self._spool.folder)
        self._spool.behind = len(waiting) > 2
        for segment in waiting:
            data = spooling.read_segment(segment)
            if (segment.number, len(data)) != self._sent and data:
                return self._upload(segment, data, segment.number < writing, len(waiting) > 1)
            if segment.number < writing:
                _remove(segment.path)
        return None

    def _upload(self, segment: spooling.Segment, data: bytes, whole: bool, more: bool) -> bool:
        assert self._grant is not None
        taken = post(self._grant, segment_name(self._target, self._order.stage, segment.number), data)
        if taken:
            self._sent = (segment.number, len(data))
            if whole:
                _remove(segment.path)
        self._fresh = self._fresh or more or not taken
        return taken


def segment_name(target: str, stage: str, number: int) -> str:
    """Where a segment is uploaded to, below the grant's prefix."""
    return "%s/%s.%06d.jsonl" % (target, stage, number)


def tell_of_the_end(order: Order, host: HostPaths, target: str, event: str, message: str) -> None:
    """Note the end of a stage whose worker died. For who holds the stage's lock."""
    if order.progress is None or not target:
        return
    spool = spooling.Spool(host.spool(order.deployment_id, order.stage))
    now = time.time()
    spool.write(now, event, "runner", message)
    spool.end(now, "Failed")
    spool.close()


def collect(order: Order, host: HostPaths, target: str) -> None:
    """Start the sender where something is spooled that no living worker sees to."""
    root = host.spool_root()
    if order.progress is None or not target or not os.path.isdir(root):
        return
    spooling.prune(root)
    if not any(_is_free(stage) for stage in spooling.spooled_stages(root)):
        return
    given = {"grant": order.progress, "deployment": order.deployment_id, "target": target, "root": root}
    import subprocess  # most commands have no need of it

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        # A program of its own: a fork of a process with threads may find the resolver's locks taken for ever.
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SENDER, package],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **APART,
        )
        # Its end is init's business; Python would warn of a process that nobody waited for.
        process.returncode = 0
        assert process.stdin is not None
        with process.stdin as stream:
            stream.write(json.dumps(given).encode("ascii"))
    except OSError:
        pass  # the next command tries again


def _is_free(stage: spooling.SpooledStage) -> bool:
    lock = spooling.writer_lock(stage.folder)
    try:
        return lock.try_acquire()
    except OSError:
        return False
    finally:
        lock.release()


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # it is uploaded once more
