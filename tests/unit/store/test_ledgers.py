"""Ledger and roster as kept: what was written comes back, and only the rightful writer writes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.model.cells import Outcome
from tidegate.model.decisions import Decision
from tidegate.model.ledger import Closing, Flight, Ledger, Member, Purpose, Roster
from tidegate.store.errors import StaleGenerationError
from tidegate.store.ledgers import Ledgers, Loaded, StaleLedgerError, number_decisions, pack, unpack
from tidegate.store.memory import MemoryTable
from tidegate.store.rosters import stored_members
from tidegate.store.table import Delete, Put, Table, Update

DEP = ("DEP#d-1", "DEP")
WHY = Decision("Batch", "BATCH", "Two went.", {"chosen": 2})

text = st.text(max_size=12)
times = st.floats(0, 4e9, allow_nan=False).map(lambda t: round(t, 3))
flights = st.builds(
    Flight,
    key=text,
    purpose=st.sampled_from(Purpose),
    stage=st.integers(0, 7),
    positions=st.lists(st.integers(0, 5000), unique=True).map(sorted).map(tuple),
    begun_at=times,
    command_id=text,
    sent_at=times,
    refusal=text,
    asked=st.integers(0, 3),
)
ledgers = st.builds(
    Ledger,
    cells=st.binary(max_size=40),
    minimum=st.integers(0, 99),
    flights=st.lists(flights, max_size=4).map(tuple),
    closing=st.none() | st.builds(Closing, text, text, text, times),
    batches=st.integers(0, 99),
    decisions=st.just(0),
    changed_at=times,
    settled=st.booleans(),
)


def live(table: Table, generation: int = 1, status: str = "InProgress") -> Ledgers:
    """A live deployment d-1 with a fleet of three."""
    table.write(Put({"PK": DEP[0], "SK": DEP[1], "deploymentId": "d-1", "generation": generation, "status": status}))
    return Ledgers(table)


def roster(size: int) -> Roster:
    return Roster(tuple(Member(f"i-{n:05d}", n % 3 > 0) for n in range(size)))


def created(table: Table, size: int = 3) -> tuple[Ledgers, Loaded]:
    store = live(table)
    store.create("d-1", Ledger(bytes(size), 1), roster(size), 1, [])
    loaded = store.load("d-1")
    assert loaded is not None
    return store, loaded


def overview(table: Table) -> object:
    item = table.get(DEP)
    assert item is not None
    return item.get("overview")


def test_before_the_fleet_is_resolved_there_is_none(table: Table) -> None:
    store = live(table)
    assert store.load("d-1") is None
    assert store.roster("d-1").members == ()


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2500])
def test_shards_come_back_as_one(table: Table, size: int) -> None:
    store = live(table)
    cells = bytes(n % 200 for n in range(size))
    store.create("d-1", Ledger(cells, 1), roster(size), 1, [])
    loaded = store.load("d-1")
    assert loaded is not None
    assert (loaded.ledger.cells, loaded.version) == (cells, 1)
    assert store.roster("d-1") == roster(size)


@given(ledgers)
@settings(deadline=None)
def test_every_ledger_comes_back_as_it_was(ledger: Ledger) -> None:
    store = live(MemoryTable())
    store.create("d-1", ledger, Roster(), 1, [])
    loaded = store.load("d-1")
    assert loaded is not None
    assert loaded == Loaded(replace(ledger, roster=loaded.ledger.roster), 1)


def test_every_field_survives_both_twins(table: Table) -> None:
    flight = Flight("0001.00+", Purpose.REPORT, 2, (0, 1, 2, 7), 1764000000.125, "cmd", 1764000001.5, "no tag", 2)
    closing = Closing("Stopped", "MANUAL_STOP", "Somebody asked.", 1764000002.25)
    ledger = Ledger(b"\x00\x01\xff", 2, (flight,), closing, 4, 0, 1764000003.75, settled=True)
    store = live(table)
    store.create("d-1", ledger, Roster(), 1, [])
    loaded = store.load("d-1")
    assert loaded is not None
    assert loaded == Loaded(replace(ledger, roster=loaded.ledger.roster), 1)


def test_a_fleet_is_resolved_once(table: Table) -> None:
    store, first = created(table)
    assert not store.create("d-1", Ledger(bytes(7), 5), roster(7), 1, [])
    assert store.load("d-1") == first
    assert len(store.roster("d-1").members) == 3


def test_of_two_that_resolve_at_once_one_counts(table: Table) -> None:
    """The second looked before the first wrote."""
    store, first = created(table)

    class Behind(MemoryTable):
        def __getattribute__(self, name: str):  # type: ignore[no-untyped-def]
            return (lambda _key: None) if name == "get" else getattr(table, name)

    assert not Ledgers(Behind()).create("d-1", Ledger(bytes(7), 5), roster(7), 1, [])
    assert store.load("d-1") == first
    assert store.roster("d-1", first.ledger.roster) == roster(3)
    assert stored_members(table, DEP[0]) == [[f"i-{n:05d}", n % 3 > 0] for n in range(3)]


@pytest.mark.parametrize(("generation", "status"), [(2, "InProgress"), (1, "Stopped")])
def test_a_deployment_that_goes_on_elsewhere_or_has_ended_gets_no_ledger(
    table: Table, generation: int, status: str
) -> None:
    store = live(table, generation, status)
    with pytest.raises(StaleGenerationError):
        store.create("d-1", Ledger(bytes(3), 1), roster(3), 1, number_decisions("d-1", Ledger(b"", 0), [WHY], 1.0)[1])
    assert store.load("d-1") is None
    assert table.query(DEP[0], "DECISION#").items == []


def test_the_ledger_keeps_naming_its_roster(table: Table) -> None:
    store, before = created(table)
    assert before.ledger.roster
    store.commit("d-1", 1, before, before.ledger.moved([0], Outcome.IN_FLIGHT), [WHY], 1.0)
    after = store.load("d-1")
    assert after is not None
    assert after.ledger.roster == before.ledger.roster


def test_another_fleet_has_another_key(table: Table) -> None:
    store, first = created(table)
    assert store.roster("d-1", first.ledger.roster) == roster(3)
    other = replace(first.ledger, roster="another")
    assert store.roster("d-1", other.roster).members == ()


def test_a_roster_of_a_release_that_knew_no_keys_is_read(table: Table) -> None:
    store = live(table)
    for number, members in enumerate([[["i-1", True], ["i-2", False]], [["box", True, ["mi-1"], "0123456789"]]]):
        table.write(Put({"PK": DEP[0], "SK": f"ROSTER#{number:04d}", "members": members}))
    expected = Member("i-1"), Member("i-2", False), Member("box", True, ("mi-1",), "0123456789")
    assert store.roster("d-1", "").members == expected


def test_a_commit_is_what_the_next_load_returns(table: Table) -> None:
    store, before = created(table, 2500)
    ledger = before.ledger.moved([5, 2001], Outcome.IN_FLIGHT)
    after = store.commit("d-1", 1, before, ledger, [WHY, WHY], 7.5)
    assert store.load("d-1") == after
    assert (after.version, after.ledger.decisions) == (2, 2)
    assert overview(table) == {
        "Pending": 2498, "InProgress": 2, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 0,
    }  # fmt: skip
    told = table.query("DEP#d-1", "DECISION#").items
    assert [(each["SK"], each["code"], each["time"]) for each in told] == [
        ("DECISION#000000", "BATCH", 7.5),
        ("DECISION#000001", "BATCH", 7.5),
    ]


def test_only_changed_shards_are_written() -> None:
    written: list[str] = []

    class Watched(MemoryTable):
        def write(self, *writes):  # type: ignore[no-untyped-def]
            written.extend(w.item["SK"] for w in writes if isinstance(w, Put))
            super().write(*writes)

    store, before = created(Watched(), 3000)
    written.clear()
    store.commit("d-1", 1, before, before.ledger.moved([1500], Outcome.FAILED), [], 8)
    assert written == ["LEDGER", "LEDGER#0001"]


def test_what_changes_nothing_is_not_written(table: Table) -> None:
    store, before = created(table)
    assert store.commit("d-1", 1, before, before.ledger, [], 8) is before
    assert store.load("d-1") == before


def test_the_second_of_two_writers_is_told_and_writes_nothing(table: Table) -> None:
    store, before = created(table)
    after = store.commit("d-1", 1, before, before.ledger.moved([0], Outcome.IN_FLIGHT), [], 8)
    with pytest.raises(StaleLedgerError, match="version 1"):
        store.commit("d-1", 1, before, before.ledger.moved([1], Outcome.FAILED), [WHY], 9)
    assert store.load("d-1") == after
    assert table.query("DEP#d-1", "DECISION#").items == []


@pytest.mark.parametrize(
    "changed",
    [{"generation": 2}, {"status": "Failed"}, {"status": "Succeeded"}, {"status": "Stopped"}],
    ids=str,
)
def test_a_deployment_that_is_over_or_anothers_is_not_written(table: Table, changed: dict[str, object]) -> None:
    store, before = created(table)
    table.write(Update(DEP, set=changed))
    with pytest.raises(StaleGenerationError):
        store.commit("d-1", 1, before, before.ledger.moved([1], Outcome.FAILED), [WHY], 9)
    assert store.load("d-1") == before
    assert overview(table) is None


def test_a_decision_that_changes_nothing_else_is_written(table: Table) -> None:
    store, before = created(table)
    after = store.commit("d-1", 1, before, before.ledger, [WHY], 9)
    assert after.ledger == replace(before.ledger, decisions=1)


def test_decisions_are_numbered_on() -> None:
    ledger, puts = number_decisions("d-1", Ledger(b"", 0, decisions=41), [WHY, WHY], 3)
    assert ledger.decisions == 43
    assert [put.item["SK"] for put in puts] == ["DECISION#000041", "DECISION#000042"]
    assert puts[0].item["facts"] == {"chosen": 2}


@given(st.lists(st.integers(0, 10_000), unique=True).map(sorted))
@settings(deadline=None)
def test_positions_survive_being_packed(positions: list[int]) -> None:
    assert list(unpack(pack(positions))) == positions


def test_a_full_command_is_packed_small() -> None:
    assert pack(range(100, 150)) == "100-149"


def test_a_roster_is_read_once(table: Table) -> None:
    store, first = created(table)
    assert store.roster("d-1", first.ledger.roster) == roster(3)
    table.write(*[Delete((item["PK"], item["SK"])) for item in table.query(DEP[0], "ROSTER#").items])
    assert store.roster("d-1", first.ledger.roster) == roster(3)
    assert Ledgers(table).roster("d-1", first.ledger.roster).members == ()


def test_of_many_rosters_those_read_last_are_kept(table: Table) -> None:
    _, first = created(table)
    store = Ledgers(table, rosters_kept=1)
    assert store.roster("d-1", first.ledger.roster) == roster(3)
    assert store.roster("d-1", "another").members == ()
    table.write(*[Delete((item["PK"], item["SK"])) for item in table.query(DEP[0], "ROSTER#").items])
    assert store.roster("d-1", first.ledger.roster).members == ()


@pytest.mark.parametrize("told", [False, True])
def test_an_end_that_was_not_told_is_open_again_in_the_next_generation(table: Table, told: bool) -> None:
    store, before = created(table)
    table.write(Update(DEP, set={"ending": True}))
    before = store.commit("d-1", 1, before, replace(before.ledger, settled=told), [WHY], 1.0)
    store.take_over("d-1", 1, before, {"revivals": 1}, [WHY], 2.0)
    item = table.get(DEP)
    assert item is not None
    assert (item["generation"], item.get("ending", False)) == (2, told)
