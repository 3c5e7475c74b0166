"""Who put a file where an Install wants to put its own."""

import os
import time
from typing import Dict, List, NamedTuple, Optional

from tidegate_runner.cleanup import CleanupRecord
from tidegate_runner.paths import HostPaths
from tidegate_runner.pointers import Pointers
from tidegate_runner.system import IS_WINDOWS

_SUFFIX = "-cleanup"


class Owner(NamedTuple):
    """A deployment group and its deployment, or neither; `text` says it for people."""

    text: str
    group_id: Optional[str] = None
    deployment_id: Optional[str] = None


def owners_of(paths: List[str], host: HostPaths, group_id: str) -> Dict[str, Owner]:
    """Find, in the records of the other groups' last installs, who made each path."""
    wanted = set(paths)
    found: Dict[str, Owner] = {}
    for other in _groups(host):
        made = wanted & CleanupRecord(host, other).paths() if other != group_id else set()
        if not made:
            continue
        last = Pointers(host, other).last_successful()
        deployment = last.deployment_id if last else None
        text = "deployment group %s, deployment %s" % (other, deployment or "unknown")
        for path in made:
            found[path] = Owner(text, other, deployment)
    for path in wanted:
        if path not in found:
            found[path] = Owner(_stranger(host.at(path)))
    return found


def _groups(host: HostPaths) -> List[str]:
    folder = os.path.dirname(host.instructions("x"))
    if not os.path.isdir(folder):
        return []
    return sorted(name[: -len(_SUFFIX)] for name in os.listdir(folder) if name.endswith(_SUFFIX))


def _stranger(path: str) -> str:
    try:
        status = os.lstat(path)
    except OSError:
        return "no deployment"
    written = "changed " + time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.st_mtime))
    if not IS_WINDOWS:
        written = "user %s, %s" % (_user(status.st_uid), written)
    return "no deployment (%s)" % written


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
