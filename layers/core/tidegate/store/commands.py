"""Which deployment a command belongs to: SSM's events carry only the command's id."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tidegate.model.ledger import Flight
from tidegate.store.ledgers import pack
from tidegate.store.table import Put, Table


class Commands:
    """The command items."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def record(self, deployment_id: str, flights: Iterable[Flight]) -> None:
        """Write down the commands of flights that were sent."""
        self._table.write_many(
            [
                Put(
                    {
                        "PK": f"CMD#{f.command_id}",
                        "SK": "CMD",
                        "deploymentId": deployment_id,
                        "key": f.key,
                        "stage": f.stage,
                        "positions": pack(f.positions),
                        "sentAt": f.sent_at,
                    }
                )
                for f in flights
            ]
        )

    def deployments_of(self, command_ids: Collection[str]) -> dict[str, str]:
        """Command id to deployment id, for those that are known."""
        found = self._table.get_many([(f"CMD#{command_id}", "CMD") for command_id in command_ids])
        return {pk[4:]: item["deploymentId"] for (pk, _), item in found.items()}
