"""Managed nodes of Systems Manager that are no EC2 instances: what on-premises instances are reached through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: A tag of a node: the name of the on-premises instance that it is.
NAME_TAG: Final = "tidegate:instance-name"


@dataclass(frozen=True, slots=True)
class Node:
    """A managed node as Systems Manager describes it.

    Attributes
    ----------
    node_id : ``mi-…``
    name : the name its activation gave it (``DefaultInstanceName``)
    role : the IAM role of its activation
    tagged_name : value of its tag `NAME_TAG`; empty without the tag
    opted_in : carries the stack's opt-in tag
    online : its agent answers pings
    computer_name : what the machine calls itself; shown, and never believed
    """

    node_id: str
    name: str = ""
    role: str = ""
    tagged_name: str = ""
    opted_in: bool = False
    online: bool = False
    computer_name: str = ""
