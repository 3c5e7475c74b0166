"""How many earlier deployments of a group stay on the host."""

import os
from typing import Callable, List, Optional, Tuple

from tidegate_runner.files import describe, remove_tree
from tidegate_runner.order import Order
from tidegate_runner.paths import DeploymentPaths, HostPaths


def remove_old_deployments(
    host: HostPaths, order: Order, last_successful: Optional[DeploymentPaths], warn: Callable[[str], None]
) -> None:
    """Remove the oldest, so that with the current one ``maxRevisions`` stay.

    The last successful one always stays. What cannot be removed is a warning, not a failure.
    """
    kept = max(order.limits["maxRevisions"], 1) - 1
    protected = last_successful.real if last_successful else None
    earlier = _earlier(host.group_folder(order.group_id), order.deployment_id)
    surplus = len(earlier) - kept
    for _, path in earlier:
        if surplus <= 0:
            return
        if path == protected:
            continue
        surplus -= 1
        try:
            remove_tree(path)
        except OSError as error:
            warn("Could not remove an old deployment: %s." % describe(error))


def _earlier(folder: str, current: str) -> List[Tuple[float, str]]:
    """List the other deployments of the group, oldest first."""
    if not os.path.isdir(folder):
        return []
    found = []
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name != current and os.path.isdir(path) and not os.path.islink(path):
            found.append((os.stat(path).st_mtime, path))
    return sorted(found)
