"""Removing what earlier deployments left: journals nobody will ask for again, versions of the runner out of use."""

import os
import re
from typing import List, Tuple

from tidegate_runner.files import remove_tree
from tidegate_runner.lock import FileLock
from tidegate_runner.paths import HostPaths

KEPT_JOURNALS = 200
KEPT_RUNNERS = 3
# A repeated command, or a runner that imports its parts when it needs them, may come by for so long.
YOUNG_SECONDS = 7 * 24 * 3600
_VERSION = re.compile(r"[0-9a-f]{64}")


def tidy(host: HostPaths, deployment_id: str, now: float) -> None:
    """Remove what is both old and surplus. Whatever cannot be removed stays; nothing is raised.

    The journal of `deployment_id` and the version of the runner that does this always stay.
    """
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        os.utime(own, (now, now))  # in use
        for path in _surplus(host.journals(), KEPT_JOURNALS, now):
            if os.path.basename(path) != deployment_id and not _is_held(path):
                remove_tree(path)
        for path in _surplus(host.runners(), KEPT_RUNNERS, now):
            name = os.path.basename(path)
            if path != own and (_VERSION.fullmatch(name) or name.startswith(".new-")):
                remove_tree(path)
    except OSError:
        return


def _surplus(folder: str, kept: int, now: float) -> List[str]:
    """List the folders in `folder` but the newest `kept`, without those that changed lately."""
    if not os.path.isdir(folder):
        return []
    found: List[Tuple[float, str]] = []
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            found.append((os.stat(path).st_mtime, path))
    found.sort(reverse=True)
    return [path for changed, path in found[kept:] if now - changed > YOUNG_SECONDS]


def _is_held(folder: str) -> bool:
    """Tell whether a worker of this deployment lives."""
    for name in os.listdir(folder):
        if name.endswith(".lock"):
            lock = FileLock(os.path.join(folder, name))
            if not lock.try_acquire():
                return True
            lock.release()
    return False
