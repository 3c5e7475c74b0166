"""The sweep of Auto Scaling groups: instances that wait at a hook of ours though no event has told of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tidegate.gateways.errors import GatewayError
from tidegate.model.scaling import WARM_POOL, ScalingFault, action_of_state, of_deployment
from tidegate.scaling.hook_settling import settle_hooks
from tidegate.scaling.left_hooks import sweep_left_hooks
from tidegate.scaling.lifecycle_actions import TryAgainError, take_up

if TYPE_CHECKING:
    from tidegate.runtime import Runtime
    from tidegate.store.table import Item

_log = logging.getLogger(__name__)


def sweep_waiting_instances(runtime: Runtime, until: float) -> Mapping[str, int]:
    """Look at the instances of all groups with hooks, and do for those that wait what their event would have done.

    Hooks that a call began to put on or take off, and left, are settled first; then those of deleted groups
    (:func:`sweep_left_hooks`).

    Parameters
    ----------
    until : when to come to an end, epoch seconds

    Returns
    -------
    How many groups were looked at, how many instances were met by what was done (:func:`take_up`), and ``failing``.
    """
    found: Counter[str] = Counter()
    for item in runtime.scaled_groups.all():
        if runtime.clock() >= until:
            found["left"] += 1
            continue
        try:
            found.update(_swept(item, runtime))
        except (ScalingFault, GatewayError):
            _log.exception("the hooks of deployment group %s cannot be looked after", item["deploymentGroupId"])
            found["failing"] += 1
    found.update(sweep_left_hooks(runtime, until))
    return found


def _swept(seen: Item, runtime: Runtime) -> Counter[str]:
    found = Counter({"groups": 1})
    group_id = seen["deploymentGroupId"]
    item = runtime.scaled_groups.by_id(group_id)
    if item is None:
        return found  # gone since the index was read
    runtime.acting.act_for(item["info"].get("serviceRoleArn"), group_id)
    if item.get("hooksDue"):
        found["unsettled"] += bool(settle_hooks(item, runtime.lifecycle_hooks, runtime.scaled_groups))
    hooks = item.get("hooks", {})
    for name, scaling_group in runtime.lifecycle_hooks.groups(list(hooks), pools=True).items():
        for instance_id, state in scaling_group.states.items():
            action = action_of_state(
                name,
                instance_id,
                state,
                hooks[name],
                pooled=state == "Pending:Wait" and _was_pooled(group_id, instance_id, runtime),
                now=runtime.clock(),
            )
            if action is None:
                continue
            try:
                found[take_up(item, action, runtime)] += 1
            except TryAgainError as error:
                _log.info("%s", error)
                found["later"] += 1
    return found


def _was_pooled(group_id: str, instance_id: str, runtime: Runtime) -> bool:
    lock = runtime.scaled_groups.lock(group_id, instance_id)
    last = of_deployment(runtime.deployments.get(lock["deploymentId"])) if lock else None
    return last is not None and last.destination == WARM_POOL
