"""Tags of applications and deployment groups: lists of ``{"Key", "Value"}`` in their items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tidegate.store.application_items import OPEN, is_open
from tidegate.store.errors import ConditionFailedError, TableBusyError
from tidegate.store.table import All, AttributeAbsent, Equals, Item, Key, Present, Table, Update

Tags = dict[str, str]
_TRIES: Final = 5


def tags_of(item: Item) -> Tags:
    """The tags of an item as a map."""
    return {tag["Key"]: tag.get("Value", "") for tag in item.get("tags", ())}


def change_tags(table: Table, key: Key, change: Callable[[Tags], Mapping[str, str]]) -> bool:
    """Give an item other tags; concurrent changes of other tags are kept.

    Parameters
    ----------
    change
        Makes the new tags from those there are; called again where someone else was faster.

    Returns
    -------
    Whether the item is there.
    """
    for _ in range(_TRIES):
        item = table.get(key)
        if item is None or not is_open(item):
            return False
        old = tags_of(item)
        new = change(dict(old))
        if dict(new) == old:
            return True
        seen = Equals("tags", item["tags"]) if "tags" in item else AttributeAbsent("tags")
        written = [{"Key": name, "Value": value} for name, value in new.items()]
        try:
            table.write(Update(key, set={"tags": written}, condition=All(Present(), seen, *OPEN)))
        except ConditionFailedError:
            continue
        return True
    raise TableBusyError("The tags are being changed by others.")
