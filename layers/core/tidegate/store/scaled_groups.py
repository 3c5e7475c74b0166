"""Deployment groups with Auto Scaling groups, found by their id; and the locks of their instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from tidegate.model.scaling import stray_hooks, wanted_hooks
from tidegate.store.errors import ConditionFailedError
from tidegate.store.table import (
    All,
    AttributeAbsent,
    Cursor,
    Delete,
    Equals,
    Item,
    Key,
    Put,
    Table,
    Update,
    key_of,
)

_PARTITION: Final = "SCALED"
_LEFT_HOOKS: Final = "LEFT_HOOKS"
#: The table's attribute of when DynamoDB may delete an item (epoch seconds), and how long a lock that is free is kept:
#: longer than any event is delivered late or again.
EXPIRES: Final = "expires"
KEPT: Final = 30 * 86_400.0
#: What a group's item has besides where it has Auto Scaling groups, or hooks of earlier ones to be removed.
SCALING_ATTRIBUTES: Final = ("hooks", "strayHooks", "hooksDue", "GSI1PK", "GSI1SK")


def scaled(item: Item, info: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a group that is to have these settings: its hooks, to be put on and taken off."""
    group_id, known = item["deploymentGroupId"], item.get("hooks", {})
    hooks = wanted_hooks(info, group_id, known)
    wanted = {(scaling_group, name) for scaling_group, names in hooks.items() for name in names.values()}
    strays = [each for each in item.get("strayHooks", ()) if tuple(each) not in wanted] + stray_hooks(known, hooks)
    if not hooks and not strays:
        return {}
    found: dict[str, Any] = {"GSI1PK": _PARTITION, "GSI1SK": group_id}
    if strays or hooks != known or item.get("hooksDue"):
        found["hooksDue"] = True
    return found | ({"hooks": hooks} if hooks else {}) | ({"strayHooks": strays} if strays else {})


class ScaledGroups:
    """Groups with hooks."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def by_id(self, group_id: str) -> Item | None:
        """The group with an id, as it is now; None where it is gone, or has no hooks."""
        for found in self._table.query(_PARTITION, group_id, index="GSI1").items:
            item = self._table.get(key_of(found))
            if item is not None and item["deploymentGroupId"] == group_id:
                return item
        return None

    def all(self) -> Iterator[Item]:
        """All of them, as an index has them: perhaps a moment old."""
        start: Cursor | None = None
        while True:
            page = self._table.query(_PARTITION, index="GSI1", limit=100, start=start)
            yield from page.items
            if page.next is None:
                return
            start = page.next

    def lock(self, group_id: str, instance_id: str) -> Item | None:
        """The lock of an instance: ``deploymentId``, ``key``, ``time``; ``live`` while held, ``endTime`` afterwards.

        It is gone a month after that.
        """
        return self._table.get(lock_key(group_id, instance_id))

    def settled(self, item: Item, left: Sequence[Sequence[str]]) -> None:
        """Note that a group's hooks are as they should be, but for those that could not be removed.

        A group that was changed meanwhile is left to whoever changed it.
        """
        known = [name for name in ("hooks", "strayHooks") if name in item]
        lacking = [name for name in ("hooks", "strayHooks") if name not in item]
        same = All(
            Equals("deploymentGroupId", item["deploymentGroupId"]),
            *(Equals(name, item[name]) for name in known),
            *(AttributeAbsent(name) for name in lacking),
        )
        strays = {"strayHooks": [list(each) for each in left]} if left else {}
        gone = [] if left else ["hooksDue", "strayHooks"]
        if not left and "hooks" not in item:
            gone += ["GSI1PK", "GSI1SK"]
        with suppress(ConditionFailedError):
            self._table.write(Update(key_of(item), set=strays, remove=gone, condition=same))

    def leave_hooks(self, item: Item, hooks: Sequence[Sequence[str]], now: float) -> None:
        """Note hooks that could not be removed from Auto Scaling groups, before their deployment group is deleted.

        Parameters
        ----------
        item : the group's
        hooks : pairs of Auto Scaling group and name
        """
        noted = {
            "PK": _LEFT_HOOKS,
            "SK": item["deploymentGroupId"],
            "deploymentGroupId": item["deploymentGroupId"],
            "hooks": [list(each) for each in hooks],
            "time": now,
        }
        role = item["info"].get("serviceRoleArn")
        self._table.write(Put(noted | ({"serviceRoleArn": role} if role else {})))

    def left_hooks(self) -> list[Item]:
        """What was noted by :meth:`leave_hooks`: ``deploymentGroupId``, ``hooks``, ``time``, ``serviceRoleArn``."""
        return self._table.query(_LEFT_HOOKS).items

    def forget_left_hooks(self, group_id: str) -> None:
        """Take the note away."""
        self._table.write(Delete((_LEFT_HOOKS, group_id)))


def lock_key(group_id: str, instance_id: str) -> Key:
    """Key of the item that says which deployment Auto Scaling last started for an instance, and whether it is live."""
    return f"GROUP#{group_id}", f"SCALING#{instance_id}"


def lock_taken(deployment: Mapping[str, Any], key: str, after: str) -> Put:
    """The write that takes an instance's lock for a deployment; ``key`` tells this wait of the instance from others.

    It is refused where the lock is held, and where it was last taken for another deployment than ``after``: what was
    decided by the lock as it was read does not hold then, though that deployment may have ended already.
    """
    pk, sk = lock_key(deployment["deploymentGroupId"], deployment["scaling"]["instanceId"])
    item = {"PK": pk, "SK": sk, "key": key, "live": deployment["deploymentId"], "time": deployment["createTime"]}
    same = Equals("deploymentId", after) if after else AttributeAbsent("deploymentId")
    return Put(item | {"deploymentId": deployment["deploymentId"]}, All(AttributeAbsent("live"), same))


def lock_released(deployment: Mapping[str, Any], now: float) -> list[Update]:
    """The write that releases the lock of a deployment that ends, where it has one; DynamoDB deletes it later."""
    if "scaling" not in deployment:
        return []
    key = lock_key(deployment["deploymentGroupId"], deployment["scaling"]["instanceId"])
    ours = Equals("deploymentId", deployment["deploymentId"])
    return [Update(key, set={"endTime": now, EXPIRES: int(now + KEPT)}, remove=("live",), condition=ours)]
