"""Which instances that Auto Scaling launched are to be brought up to date (API: outdatedInstancesStrategy)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tidegate.model.scaling import LAUNCH_CREATOR, WARM_POOL, of_deployment


def outdated_newcomers(
    launches: Iterable[Mapping[str, Any]], installed: Mapping[str, str], good: str, had: Collection[str]
) -> list[str]:
    """Ids of the instances that still have what they were launched with, while another revision has succeeded.

    What a user's deployment has put on an instance since, or left unknown on it, is that deployment's business.
    Instances of a warm pool are deployed to when they come out of it.

    Parameters
    ----------
    launches : deployments of one instance each (``docs/data-model.md``)
    installed : key of the revision that was last installed with success, by instance; "" where it is unknown
    good : key of the group's last successful revision
    had : instances that had a follow-up already; what came of it is its own end, or it would never end
    """
    found = set()
    for each in launches:
        action = of_deployment(each)
        if action is None or each["creator"] != LAUNCH_CREATOR or each["status"] != "Succeeded":
            continue
        stale = each["revisionKey"] not in ("", good) and installed.get(action.instance_id) == each["revisionKey"]
        if stale and action.destination != WARM_POOL and action.instance_id not in had:
            found.add(action.instance_id)
    return sorted(found)
