"""A target as it is shown, whatever kind of instance it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidegate.model.names import on_premises_arn
from tidegate.store.targets import TargetRow

if TYPE_CHECKING:
    from tidegate.model.ledger import Member
    from tidegate.settings import Settings


def target_row(
    settings: Settings, member: Member, status: str, events: Sequence[Mapping[str, Any]], result: str = ""
) -> TargetRow:
    """The row of a member of the fleet; its name, ARN and node follow from what it is."""
    if member.nodes is None:
        arn = settings.instance_arn(member.target_id)
        return TargetRow(member.target_id, arn, status, events, result, label=member.label)
    arn = on_premises_arn(settings.region, settings.account, member.target_id, member.suffix)
    return TargetRow(member.target_id, arn, status, events, result, member.node_id)
