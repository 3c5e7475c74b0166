"""The fleet of a deployment, in ledger order: written once, under a key that its ledger names.

The key is made from the content. So two steps that resolve one deployment's fleet at once, and find different ones, do
not write over each other's: the ledger that counts goes with the roster that it was made with (decision 025). And what
was read under a key need not be read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from tidegate.model.ledger import Member, Roster
from tidegate.store.table import Put, Table

SHARD: Final = 1000  # targets a shard: a byte each in the ledger, an id each in the roster


def roster_items(pk: str, roster: Roster) -> tuple[str, list[Put]]:
    """The key of a roster, and the writes of its shards."""
    members = [_stored(member) for member in roster.members]
    key = hashlib.sha256(json.dumps(members).encode()).hexdigest()[:16]
    starts = range(0, len(members), SHARD)
    return key, [
        Put({"PK": pk, "SK": f"ROSTER#{key}#{i // SHARD:04d}", "members": members[i : i + SHARD]}) for i in starts
    ]


def stored_members(table: Table, pk: str) -> list[Sequence[Any]]:
    """The members of a deployment as they are stored, in one query; none where the fleet is not known yet."""
    items = table.query(pk, between=("LEDGER", "ROSTER~")).items
    # No ledger has a deployment to Lambda or Amazon ECS, no key a ledger of the release before: it has one roster.
    key = next((item.get("roster", "") for item in items if item["SK"] == "LEDGER"), "")
    return [member for item in items if item["SK"].startswith(f"ROSTER#{key}") for member in item["members"]]


def read_roster(table: Table, pk: str, key: str) -> Roster:
    """The roster under a key; without one, what the release before has written, which knew no keys."""
    members = [member for shard in table.query(pk, f"ROSTER#{key}").items for member in shard["members"]]
    return Roster(tuple([_plain_member(*each) if len(each) == 2 else _member(*each) for each in members]))


def _stored(member: Member) -> list[Any]:
    """A member as the roster holds it: two elements, two more for an on-premises instance, five with a label."""
    kept: list[Any] = [member.target_id, member.opted_in]
    if member.label:
        return [*kept, None, "", member.label]  # no balancer takes an on-premises instance, so none has a label
    return kept if member.nodes is None else [*kept, list(member.nodes), member.suffix]


def _member(
    target_id: str, opted_in: bool, nodes: list[str] | None = None, suffix: str = "", label: str = ""
) -> Member:
    return Member(target_id, opted_in, None if nodes is None else tuple(nodes), suffix, label)


@lru_cache(maxsize=1 << 14)
def _plain_member(target_id: str, opted_in: bool) -> Member:
    """A member without more; the same ones are read again and again, in a process that stays."""
    return Member(target_id, opted_in)
