"""Keys and conditions of applications, shared by all that lies under them."""

from __future__ import annotations

from typing import Final

from tidegate.store.table import All, AttributeAbsent, Check, Item, Key, Present


def application_key(name: str) -> Key:
    """Key of an application's item."""
    return f"APP#{name}", "APP"


#: Conditions: an application is neither being deleted nor being moved away.
OPEN: Final = (AttributeAbsent("closing"), AttributeAbsent("renamedTo"))


def is_open(item: Item) -> bool:
    """Whether an application is neither being deleted nor being moved away."""
    return "closing" not in item and "renamedTo" not in item


def open_application(name: str) -> Check:
    """The check that lets something new come under an application."""
    return Check(application_key(name), All(Present(), *OPEN))
