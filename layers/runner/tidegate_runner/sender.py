"""Uploads what stages left on this host: a process of its own, started by whoever finds something left.

Earlier deployments' grants have expired; what is left of them goes below the prefix of the deployment whose command
came by, under ``late/<earlier deployment>/``, so no host ever gets a grant for more than its own deployment.
"""

import json
import os
import sys
import time
from typing import Any, Callable, Dict, List

from tidegate_runner import spool as spooling
from tidegate_runner.files import read_json, write_json
from tidegate_runner.lock import FileLock
from tidegate_runner.telling import segment_name
from tidegate_runner.upload import post

_LIFE = 600.0
_LONGEST_PAUSE = 30.0
_LOOK = 0.5
_NEWEST = "newest"


def main() -> None:
    """Read what to do from standard input, and do it for at most ten minutes."""
    os.umask(0o077)
    given = json.loads(sys.stdin.read())
    send(given["grant"], given["deployment"], given["target"], given["root"])


def send(
    grant: Dict[str, Any],
    deployment: str,
    target: str,
    root: str,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Upload all that is spooled under `root` and that no living writer holds.

    One sender works at a time. One that came later has a fresher grant, so the earlier one makes room for it.

    Returns
    -------
    bool
        Whether nothing is left of it.
    """
    name = os.urandom(8).hex()
    write_json(os.path.join(root, _NEWEST), name, 0o600)
    deadline = monotonic() + _LIFE
    lock = FileLock(os.path.join(root, "sender"))

    def wait(seconds: float) -> bool:
        """Wait; tell whether this sender is still wanted."""
        until = min(monotonic() + seconds, deadline)
        while monotonic() < until and read_json(os.path.join(root, _NEWEST)) == name:
            sleep(min(_LOOK, seconds))
        return monotonic() < deadline and read_json(os.path.join(root, _NEWEST)) == name

    while not lock.try_acquire():
        if not wait(_LOOK):
            return False
    try:
        pause = 1.0
        while not _send_all(grant, deployment, target, root):
            if not wait(pause):
                return False
            pause = min(pause * 2, _LONGEST_PAUSE)
        return True
    finally:
        lock.release()


def _send_all(grant: Dict[str, Any], deployment: str, target: str, root: str) -> bool:
    stages = spooling.spooled_stages(root)
    # The living deployment first: somebody may be looking.
    stages.sort(key=lambda stage: stage.deployment != deployment)
    sent = [_send_stage(grant, deployment, target, stage) for stage in stages]  # each, whatever becomes of another
    return all(sent)


def _send_stage(grant: Dict[str, Any], deployment: str, target: str, stage: spooling.SpooledStage) -> bool:
    lock = spooling.writer_lock(stage.folder)
    if not lock.try_acquire():
        return True  # its writer lives, and sends it
    try:
        prefix = "" if stage.deployment == deployment else "late/%s/" % stage.deployment
        found = spooling.segments(stage.folder)
        ended = False
        for segment in found:
            data = spooling.read_segment(segment)
            if data and not post(grant, prefix + segment_name(target, stage.stage, segment.number), data):
                return False
            ended = spooling.is_ended(data)
            _forget(segment, found)
        if ended:
            spooling.remove_stage(stage.folder)
        return True
    finally:
        lock.release()


def _forget(segment: spooling.Segment, found: List[spooling.Segment]) -> None:
    """Remove an uploaded segment; the last one stays, empty, so that its number is not used again."""
    try:
        if segment is found[-1]:
            os.truncate(segment.path, 0)
        else:
            os.unlink(segment.path)
    except FileNotFoundError:
        pass  # its writer was just about to end, and was faster
