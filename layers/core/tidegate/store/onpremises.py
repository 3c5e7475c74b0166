"""On-premises instances by name, and who holds which IAM identity.

All of them are in one partition of the table: who selects targets reads what was acknowledged, not what an index has
caught up with, and a name and its IAM identity are taken and given back in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from tidegate.store.errors import (
    ConditionFailedError,
    IamSessionArnTakenError,
    IamUserArnTakenError,
    InstanceNotRegisteredError,
    InstanceRegisteredError,
    TableBusyError,
)
from tidegate.store.table import Absent, All, AnyOf, Cursor, Delete, Equals, Item, Key, Page, Put, Table, Update

PARTITION: Final = "ONPREM"
REGISTERED: Final = "Registered"
DEREGISTERED: Final = "Deregistered"
_TRIES: Final = 5


def instance_key(name: str) -> Key:
    """Key of an instance's item."""
    return PARTITION, f"NAME#{name}"


def _holder_key(arn: str) -> Key:
    return PARTITION, f"IAM#{arn}"


def iam_arn(item: Mapping[str, Any]) -> str:
    """The IAM identity of an instance: that of its user, or of its session."""
    return str(item.get("iamUserArn") or item["iamSessionArn"])


class OnPremisesInstances:
    """The on-premises instances of the account and Region. Deregistered ones stay on record."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def register(self, name: str, *, arn: str, identity: Mapping[str, str], now: float) -> None:
        """Record a new registration; one of the same name that was deregistered gives way, tags and all.

        Parameters
        ----------
        arn
            The registration's own ARN, unlike that of any earlier one.
        identity
            ``iamUserArn`` or ``iamSessionArn``, exactly one.

        Raises
        ------
        InstanceRegisteredError
            The name is registered.
        IamUserArnTakenError, IamSessionArnTakenError
            Another registered instance has the identity.
        """
        pk, sk = instance_key(name)
        item: Item = {"PK": pk, "SK": sk, "instanceName": name, "instanceArn": arn, **identity}
        item |= {"status": REGISTERED, "registerTime": now, "tags": {}}
        holder_pk, holder_sk = _holder_key(iam_arn(item))
        holder = {"PK": holder_pk, "SK": holder_sk, "instanceName": name, "instanceArn": arn}
        free = AnyOf(Absent(), Equals("status", DEREGISTERED))
        try:
            self._table.write(Put(item, free), Put(holder, Absent()))
        except ConditionFailedError as error:
            if (error.item or {}).get("instanceArn") == arn:
                return  # The answer to the first try was lost.
            if error.index == 0:
                raise InstanceRegisteredError(name) from None
            taken = IamUserArnTakenError if "iamUserArn" in identity else IamSessionArnTakenError
            raise taken(iam_arn(item)) from None

    def deregister(self, name: str, *, now: float) -> None:
        """End a registration; one that is not there, or has ended, is fine."""
        for _ in range(_TRIES):
            item = self.find(name)
            if item is None or item["status"] != REGISTERED:
                return
            same = Equals("instanceArn", item["instanceArn"])
            change = {"status": DEREGISTERED, "deregisterTime": now}
            update = Update(instance_key(name), set=change, condition=All(same, Equals("status", REGISTERED)))
            try:
                self._table.write(update, Delete(_holder_key(iam_arn(item)), same))
            except ConditionFailedError:
                continue  # Somebody else did it meanwhile, or registered it again: look again.
            return
        raise TableBusyError(f"The on-premises instance '{name}' is being changed by others.")

    def find(self, name: str) -> Item | None:
        """An instance's item, registered or not; None where there never was one."""
        return self._table.get(instance_key(name))

    def find_many(self, names: Iterable[str]) -> list[Item]:
        """Items by name, in that order; unknown names are left out."""
        keys = [instance_key(name) for name in names]
        found = self._table.get_many(keys)
        return [found[key] for key in keys if key in found]

    def page(self, *, limit: int | None = None, start: Cursor | None = None) -> Page:
        """A page of all instances, by name."""
        return self._table.query(PARTITION, "NAME#", limit=limit, start=start)

    def registered(self) -> list[Item]:
        """All instances that are registered now, by name."""
        return [item for item in self.page().items if item["status"] == REGISTERED]

    def change_tags(self, names: Sequence[str], change: Callable[[Item], Mapping[str, str]]) -> None:
        """Give instances other tags: all of them or, where one cannot have them, none.

        Parameters
        ----------
        names
            At most 100, each once.
        change
            Makes an instance's new tags from its item; called again where someone else was faster. What it raises
            ends the call with nothing written.

        Raises
        ------
        InstanceNotRegisteredError
            Names the first that is not registered.
        """
        for _ in range(_TRIES):
            found = {item["instanceName"]: item for item in self.find_many(names)}
            for name in names:
                if name not in found or found[name]["status"] != REGISTERED:
                    raise InstanceNotRegisteredError(name)
            writes = [_tagged(item, change(item)) for item in found.values()]
            try:
                self._table.write(*writes)
            except ConditionFailedError:
                continue
            return
        raise TableBusyError("The tags of these on-premises instances are being changed by others.")


def _tagged(item: Item, tags: Mapping[str, str]) -> Update:
    unchanged = All(
        Equals("instanceArn", item["instanceArn"]), Equals("status", REGISTERED), Equals("tags", item["tags"])
    )
    return Update(instance_key(item["instanceName"]), set={"tags": dict(tags)}, condition=unchanged)
