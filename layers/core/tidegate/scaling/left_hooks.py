"""Of the sweep: hooks that deleted deployment groups have left behind.

Such a hook holds each new instance for ten minutes and then ends it, so it is to go, as long as that may be hoped for.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tidegate.gateways.errors import GatewayError
from tidegate.scaling.hook_settling import remove_hooks

if TYPE_CHECKING:
    from tidegate.runtime import Runtime
    from tidegate.store.table import Item

_log = logging.getLogger(__name__)

#: Seconds after which nothing more is tried: what stood in the way for a day needs a person.
GIVES_UP_AFTER: Final = 86_400.0


def sweep_left_hooks(runtime: Runtime, until: float) -> Mapping[str, int]:
    """Try again to remove hooks whose deployment group is gone.

    Parameters
    ----------
    until : when to come to an end, epoch seconds

    Returns
    -------
    How many deleted groups there were of each: ``hooks removed``, ``hooks left`` (for the next time), and ``failing``:
    given up, which is said once.
    """
    found: Counter[str] = Counter()
    for item in runtime.scaled_groups.left_hooks():
        if runtime.clock() >= until:
            found["hooks left"] += 1
        elif runtime.scaled_groups.by_id(item["deploymentGroupId"]) is None:  # else it is about to be deleted
            found[_swept(item, runtime)] += 1
    return found


def _swept(item: Item, runtime: Runtime) -> str:
    group_id, hooks = item["deploymentGroupId"], item["hooks"]
    runtime.acting.act_for(item.get("serviceRoleArn"), group_id)
    try:
        left = remove_hooks(hooks, runtime.lifecycle_hooks)
    except GatewayError as error:
        _log.info("the hooks of the deleted deployment group %s: %s", group_id, error)
        left = hooks
    if left and runtime.clock() - item["time"] < GIVES_UP_AFTER:
        return "hooks left"
    runtime.scaled_groups.forget_left_hooks(group_id)
    if not left:
        return "hooks removed"
    told = ", ".join(f"{name} of the Auto Scaling group {scaling_group}" for scaling_group, name in left)
    _log.error("hooks of the deleted deployment group %s cannot be removed; delete them by hand: %s", group_id, told)
    return "failing"
