"""The newest upload of each deployment group that follows uploads: what is deployed of it, or waits.

One slot a group. The newest upload has it; an older one that comes late never gets it back. The id of the deployment is
drawn when the slot is taken, so that whoever dies half-way is followed by one who finds the deployment made, or makes
it under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tidegate.model.uploads import Upload, compare
from tidegate.store.errors import ConditionFailedError, TableBusyError
from tidegate.store.table import Absent, All, Equals, Item, Key, Put, Table, Update

_TRIES: Final = 8


class SlotState(StrEnum):
    """What became of the newest upload."""

    WAITING = "Waiting"
    DEPLOYED = "Deployed"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class Slot:
    """A group's newest upload.

    Attributes
    ----------
    request : input of CreateDeployment
    deployment_id : of the deployment that is, or will be, made for it
    """

    group_id: str
    upload: Upload
    deployment_id: str
    request: Mapping[str, Any]
    state: SlotState
    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What came of offering an upload: the slot as it is now, whether it is this upload's, and whose it was."""

    slot: Slot
    taken: bool
    before: Slot | None = None


class Uploads:
    """The slots of groups."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def slot(self, group_id: str) -> Slot | None:
        """A group's slot; ``None`` where nothing was uploaded for it yet."""
        item = self._table.get(_key(group_id))
        return _slot(group_id, item) if item else None

    def offer(self, group_id: str, upload: Upload, request: Mapping[str, Any], new_id: Callable[[], str]) -> Offer:
        """Give the slot to an upload, unless a newer one has it. Offering it again finds what became of it."""
        for _ in range(_TRIES):
            item = self._table.get(_key(group_id))
            before = _slot(group_id, item) if item else None
            order = compare(upload, before.upload) if before else 1
            if before and order <= 0:
                return Offer(before, taken=order == 0)
            slot = Slot(group_id, upload, new_id(), request, SlotState.WAITING, "")
            changes = item["changes"] if item else 0
            try:
                condition = Equals("changes", changes) if item else Absent()
                self._table.write(Put(_item(slot, changes + 1), condition))
            except ConditionFailedError:
                continue
            return Offer(slot, taken=True, before=before)
        raise TableBusyError(f"The uploads of deployment group {group_id} are being changed by others.")

    def note(self, slot: Slot, state: SlotState, reason: str) -> None:
        """Record what became of a waiting upload, or why it still waits; nothing where a newer one has its place."""
        self._update(slot, {"state": state, "reason": reason})

    def redraw(self, slot: Slot, deployment_id: str) -> None:
        """Have a waiting upload deployed under another id: the first one's deployment ended before it began."""
        self._update(slot, {"deploymentId": deployment_id})

    def _update(self, slot: Slot, changes: Mapping[str, Any]) -> None:
        same = All(Equals("deploymentId", slot.deployment_id), Equals("state", SlotState.WAITING.value))
        update = Update(_key(slot.group_id), set=_plain(changes), add={"changes": 1}, condition=same)
        try:
            self._table.write(update)
        except ConditionFailedError:
            return


def _key(group_id: str) -> Key:
    return f"GROUP#{group_id}", "UPLOAD"


def _plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.value if isinstance(value, SlotState) else value for name, value in changes.items()}


def _item(slot: Slot, changes: int) -> Item:
    pk, sk = _key(slot.group_id)
    return {
        "PK": pk,
        "SK": sk,
        "upload": slot.upload.to_item(),
        "deploymentId": slot.deployment_id,
        "request": dict(slot.request),
        "state": slot.state.value,
        "reason": slot.reason,
        "changes": changes,
    }


def _slot(group_id: str, item: Item) -> Slot:
    return Slot(
        group_id=group_id,
        upload=Upload(**item["upload"]),
        deployment_id=item["deploymentId"],
        request=item["request"],
        state=SlotState(item["state"]),
        reason=item["reason"],
    )
