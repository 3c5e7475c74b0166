"""The ledger of a deployment, and the one write a pass ends with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from tidegate.model import legs
from tidegate.model.decisions import Decision
from tidegate.model.deployment import ENDING, TERMINATION_WAIT_STARTED
from tidegate.model.ledger import Closing, Flight, Ledger, Purpose, Roster
from tidegate.store.deployment_items import still_live
from tidegate.store.errors import ConditionFailedError, ConflictError, StaleGenerationError
from tidegate.store.rosters import SHARD, read_roster, roster_items
from tidegate.store.table import Absent, Check, Equals, Put, Table, Update, Write


class StaleLedgerError(ConflictError):
    """Another pass wrote in between: this one's conclusions are void, and the step is to be made again."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A ledger as it was read; ``version`` is what the next commit insists on."""

    ledger: Ledger
    version: int

    @classmethod
    def nothing(cls, decisions: int = 0) -> Loaded:
        """What stands for the ledger of a deployment that has none; so many decisions were told without one."""
        return cls(Ledger(b"", 0, decisions=decisions), 0)


class Ledgers:
    """Reads and commits ledgers; one writer at a time, by version.

    Parameters
    ----------
    rosters_kept : how many rosters are kept once they were read; they never change
    """

    def __init__(self, table: Table, *, rosters_kept: int = 8) -> None:
        self._table = table
        self._most_rosters = rosters_kept
        self._rosters: dict[str, Roster] = {}  # by key

    def create(
        self, deployment_id: str, ledger: Ledger, roster: Roster | None, generation: int, writes: Sequence[Write]
    ) -> bool:
        """Write roster and ledger for the first time, with ``writes`` in the same transaction.

        Does nothing when the ledger is there already, which it tells: the fleet of a deployment is resolved once.

        Parameters
        ----------
        roster : None where somebody else has written what there is, as of a shift of traffic between versions

        Raises
        ------
        StaleGenerationError
            The deployment has ended, or belongs to a later generation.
        """
        pk = f"DEP#{deployment_id}"
        if self._table.get((pk, "LEDGER")) is not None:
            return False
        if roster is not None:
            key, shards = roster_items(pk, roster)
            if shards:
                self._table.write_many(shards)
            ledger = replace(ledger, roster=key)
        head = Put({"PK": pk, "SK": "LEDGER", "version": 1, **_head(ledger)}, Absent())
        try:
            live = Check((pk, "DEP"), still_live(generation))
            self._table.write(head, live, *_shards(pk, ledger.cells, None), *writes)
        except ConditionFailedError as error:
            if error.index != 0:  # index 0 is the head: somebody else was first, which is as good
                raise StaleGenerationError(deployment_id, generation) from error
            return False
        return True

    def load(self, deployment_id: str) -> Loaded | None:
        """The ledger, or None before SelectTargets has written it."""
        pk = f"DEP#{deployment_id}"
        head: Mapping[str, Any] | None = None
        cells = bytearray()
        for item in self._table.query(pk, "LEDGER").items:
            if item["SK"] == "LEDGER":
                head = item
            else:
                cells += item["cells"]
        return None if head is None else Loaded(_ledger(head, bytes(cells)), head["version"])

    def roster(self, deployment_id: str, key: str = "") -> Roster:
        """The fleet in ledger order; ``key`` is the ledger's ``roster``."""
        found = self._rosters.get(key)
        if found is None:
            found = read_roster(self._table, f"DEP#{deployment_id}", key)
            if key and self._most_rosters:
                while len(self._rosters) >= self._most_rosters:
                    del self._rosters[next(iter(self._rosters))]
                self._rosters[key] = found
        return found

    def commit(
        self,
        deployment_id: str,
        generation: int,
        before: Loaded,
        ledger: Ledger,
        decisions: Sequence[Decision],
        now: float,
    ) -> Loaded:
        """End a pass: head, changed shards, overview and decisions in one transaction.

        Returns
        -------
        What ``load`` would now return. Nothing is written where nothing changed.

        Raises
        ------
        StaleLedgerError
            The version moved on.
        StaleGenerationError
            The deployment has ended, or belongs to a later generation.
        """
        if ledger == before.ledger and not decisions:
            return before
        pk = f"DEP#{deployment_id}"
        ledger, puts = number_decisions(deployment_id, ledger, decisions, now)
        head = Put(
            {"PK": pk, "SK": "LEDGER", "version": before.version + 1, **_head(ledger)},
            Equals("version", before.version),
        )
        overview = Update(
            (pk, "DEP"),
            set={"overview": ledger.overview, **_progress(before.ledger, ledger)},
            condition=still_live(generation),
        )
        try:
            self._table.write(head, overview, *_shards(pk, ledger.cells, before.ledger.cells), *puts)
        except ConditionFailedError as error:
            if error.index == 1:
                raise StaleGenerationError(deployment_id, generation) from error
            raise StaleLedgerError(
                f"The ledger of {deployment_id} has moved on from version {before.version}."
            ) from error
        return Loaded(ledger, before.version + 1)

    def take_over(
        self,
        deployment_id: str,
        generation: int,
        before: Loaded,
        changes: Mapping[str, Any],
        decisions: Sequence[Decision],
        now: float,
    ) -> None:
        """Give a deployment to its next generation, with the reasons, in one transaction.

        Parameters
        ----------
        generation : the one that has it
        before : the ledger; of version 0 where there is none yet
        changes : attributes of the deployment that go with it

        Raises
        ------
        StaleLedgerError, StaleGenerationError
            Somebody else has it, or it has ended.
        """
        pk = f"DEP#{deployment_id}"
        ledger, puts = number_decisions(deployment_id, before.ledger, decisions, now)
        raised = {**changes, "generation": generation + 1, "generationTime": now}
        goes_on = () if ledger.settled else (ENDING,)  # an end that was not told yet may be another
        writes: list[Write] = [Update((pk, "DEP"), set=raised, remove=goes_on, condition=still_live(generation))]
        if before.version:
            head = {"PK": pk, "SK": "LEDGER", "version": before.version + 1, **_head(ledger)}
            writes.append(Put(head, Equals("version", before.version)))
        else:
            writes.append(Check((pk, "LEDGER"), Absent()))
        try:
            self._table.write(*writes, *puts)
        except ConditionFailedError as error:
            if error.index == 0:
                raise StaleGenerationError(deployment_id, generation) from error
            raise StaleLedgerError(f"The ledger of {deployment_id} has moved on.") from error


def number_decisions(
    deployment_id: str, ledger: Ledger, decisions: Sequence[Decision], now: float
) -> tuple[Ledger, list[Put]]:
    """Decisions as items, numbered on from the ledger's count, and the ledger with the new count."""
    first = ledger.decisions
    puts = [
        Put(
            {
                "PK": f"DEP#{deployment_id}",
                "SK": f"DECISION#{first + i:06d}",
                "time": now,
                "kind": decision.kind,
                "code": decision.code,
                "reason": decision.reason,
                "facts": decision.facts,
            }
        )
        for i, decision in enumerate(decisions)
    ]
    return replace(ledger, decisions=first + len(puts)), puts


def pack(positions: Iterable[int]) -> str:
    """Positions as ranges.

    >>> pack([0, 1, 2, 7]), pack([])
    ('0-2,7', '')
    """
    runs: list[list[int]] = []
    for position in positions:
        if runs and position == runs[-1][1] + 1:
            runs[-1][1] = position
        else:
            runs.append([position, position])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


@lru_cache(maxsize=1 << 12)
def unpack(text: str) -> tuple[int, ...]:
    """Ranges as positions.

    >>> unpack("0-2,7"), unpack("")
    ((0, 1, 2, 7), ())
    """
    result: list[int] = []
    for run in filter(None, text.split(",")):
        first, _, last = run.partition("-")
        result += range(int(first), int(last or first) + 1)
    return tuple(result)


def _progress(before: Ledger, after: Ledger) -> dict[str, Any]:
    """What the deployment's record says of the waits of a blue/green deployment, where that changes."""
    found: dict[str, Any] = {"status": after.status} if after.status != before.status else {}
    if after.current.only_ends and not before.current.only_ends:  # a wait of no time has begun too
        found[TERMINATION_WAIT_STARTED] = True
    return found


def _shards(pk: str, cells: bytes, before: bytes | None) -> list[Put]:
    return [
        Put({"PK": pk, "SK": f"LEDGER#{i // SHARD:04d}", "cells": cells[i : i + SHARD]})
        for i in range(0, len(cells), SHARD)
        if before is None or cells[i : i + SHARD] != before[i : i + SHARD]
    ]


def _head(ledger: Ledger) -> dict[str, Any]:
    closing = ledger.closing
    return {
        "minimum": ledger.minimum,
        "batches": ledger.batches,
        "decisions": ledger.decisions,
        "changedAt": ledger.changed_at,
        "settled": ledger.settled,
        **({"roster": ledger.roster} if ledger.roster else {}),
        "legs": legs.to_text(ledger.legs),
        "leg": ledger.leg,
        "legSince": ledger.leg_since,
        "legOpen": ledger.leg_open,
        "silent": ledger.silent,
        "closing": closing
        and {"status": closing.status, "code": closing.code, "reason": closing.reason, "since": closing.since},
        "flights": [
            {
                "key": f.key,
                "purpose": f.purpose.value,
                "stage": f.stage,
                "positions": pack(f.positions),
                "begunAt": f.begun_at,
                "commandId": f.command_id,
                "sentAt": f.sent_at,
                "refusal": f.refusal,
                "asked": f.asked,
            }
            for f in ledger.flights
        ],
    }


def _ledger(head: Mapping[str, Any], cells: bytes) -> Ledger:
    flights = tuple(
        Flight(
            key=f["key"],
            purpose=Purpose(f["purpose"]),
            stage=f["stage"],
            positions=unpack(f["positions"]),
            begun_at=f["begunAt"],
            command_id=f["commandId"],
            sent_at=f["sentAt"],
            refusal=f["refusal"],
            asked=f["asked"],
        )
        for f in head["flights"]
    )
    return Ledger(
        cells=cells,
        minimum=head["minimum"],
        flights=flights,
        closing=Closing(**head["closing"]) if head["closing"] else None,
        batches=head["batches"],
        decisions=head["decisions"],
        changed_at=head["changedAt"],
        settled=head["settled"],
        roster=head.get("roster", ""),
        # A ledger of the previous release has one leg and does not say so.
        legs=legs.from_text(head.get("legs", "")),
        leg=head.get("leg", 0),
        leg_since=head.get("legSince", 0.0),
        leg_open=head.get("legOpen", False),
        silent=head.get("silent", False),
    )
