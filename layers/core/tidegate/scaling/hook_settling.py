"""Puts the hooks on that a group is to have, and takes those off that it is rid of.

What is wanted stands on the group's item before anything is done, so whoever dies half-way is succeeded by the next
call or by the sweep; every step may be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tidegate.model.scaling import ScalingFault, Transition
from tidegate.store.scaled_groups import ScaledGroups
from tidegate.store.table import Item


class HookPort(Protocol):
    """Hooks of Auto Scaling groups, as the gateway has them."""

    def put(self, scaling_group: str, name: str, transition: str, about: Mapping[str, str]) -> None:
        """Put a hook, or put it right."""

    def delete(self, scaling_group: str, name: str) -> None:
        """Delete a hook, if it is there."""


def settle_hooks(item: Item, port: HookPort, groups: ScaledGroups) -> list[list[str]]:
    """Bring the hooks of a group to what its item says.

    Returns
    -------
    The hooks that could not be removed; they stay noted, and the sweep tries again.

    Raises
    ------
    ScalingFault
        A hook cannot be put.
    """
    info = item["info"]
    about = {name: info[name] for name in ("applicationName", "deploymentGroupName")}
    for scaling_group, names in item.get("hooks", {}).items():
        for transition in Transition:
            if transition.member in names:
                port.put(scaling_group, names[transition.member], transition.value, about)
    left = remove_hooks(item.get("strayHooks", ()), port)
    groups.settled(item, left)
    return left


def remove_hooks(hooks: Sequence[Sequence[str]], port: HookPort) -> list[list[str]]:
    """Remove hooks, given as pairs of Auto Scaling group and name; those that are left."""
    left = []
    for scaling_group, name in hooks:
        try:
            port.delete(scaling_group, name)
        except ScalingFault:
            left.append([scaling_group, name])
    return left


def all_hooks(item: Item) -> list[list[str]]:
    """Every hook that a group has, or is to be rid of."""
    there = [[scaling_group, name] for scaling_group, names in item.get("hooks", {}).items() for name in names.values()]
    return [*there, *([*each] for each in item.get("strayHooks", ()))]


def shown_hooks(hooks: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Hooks as ``hooksNotCleanedUp`` tells them (API: AutoScalingGroup)."""
    found: dict[str, dict[str, Any]] = {}
    for scaling_group, name in hooks:
        member = "terminationHook" if "-automatic-termination-" in name else "hook"
        found.setdefault(scaling_group, {"name": scaling_group})[member] = name
    return list(found.values())
