"""Any sequence of writes leaves both tables alike, answer by answer."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.store.tables import new_dynamo_table

from tidegate.store.errors import ConditionFailedError
from tidegate.store.memory import MemoryTable
from tidegate.store.table import (
    Absent,
    All,
    AnyOf,
    AttributeAbsent,
    Check,
    Condition,
    Delete,
    Equals,
    Key,
    OneOf,
    Present,
    Put,
    Table,
    Update,
    Write,
)

KEYS: list[Key] = [("P", "a"), ("P", "b"), ("Q", "a")]
NUMBERS, TEXTS = st.integers(-3, 3), st.sampled_from(["", "x", "y"])
MEMBERS = st.sets(st.sampled_from(["i", "j", "k"]), min_size=1)

simple: st.SearchStrategy[Condition] = st.one_of(
    st.just(Absent()),
    st.just(Present()),
    st.builds(Equals, st.just("number"), NUMBERS),
    st.builds(Equals, st.just("text"), TEXTS),
    st.builds(OneOf, st.just("text"), st.just(("x", "y"))),
    st.builds(AttributeAbsent, st.sampled_from(["number", "text", "members"])),
)
conditions: st.SearchStrategy[Condition] = st.one_of(
    simple, st.builds(All, simple, simple), st.builds(AnyOf, simple, simple)
)
maybe = st.none() | conditions


@st.composite
def puts(draw: st.DrawFn) -> Put:
    pk, sk = draw(st.sampled_from(KEYS))
    item: dict[str, Any] = {"PK": pk, "SK": sk}
    item |= draw(st.fixed_dictionaries({}, optional={"number": NUMBERS, "text": TEXTS, "members": MEMBERS}))
    if draw(st.booleans()):
        item |= {"GSI1PK": "ALL", "GSI1SK": draw(st.sampled_from(["1", "2"]))}
    return Put(item, draw(maybe))


@st.composite
def updates(draw: st.DrawFn) -> Update:
    kinds: dict[str, dict[str, Any]] = {
        "set": {"set": {"text": draw(TEXTS)}},
        "add": {"add": {"number": draw(NUMBERS)}},
        "remove": {"remove": ["text"]},
        "grow": {"add_to_set": {"members": draw(MEMBERS)}},
        "shrink": {"remove_from_set": {"members": draw(MEMBERS)}},
        "once": {"set_if_absent": {"first": draw(NUMBERS)}},
    }
    chosen = draw(st.sets(st.sampled_from(sorted(kinds)), min_size=1))
    if {"set", "remove"} <= chosen:
        chosen.discard("remove")
    if {"grow", "shrink"} <= chosen:
        chosen.discard("shrink")
    changes: dict[str, Any] = {}
    for name in sorted(chosen):
        changes |= kinds[name]
    return Update(draw(st.sampled_from(KEYS)), condition=draw(maybe), **changes)


writes: st.SearchStrategy[Write] = st.one_of(
    puts(),
    updates(),
    st.builds(Delete, st.sampled_from(KEYS), maybe),
    st.builds(Check, st.sampled_from(KEYS), conditions),
)


def key(write: Write) -> Key:
    return (write.item["PK"], write.item["SK"]) if isinstance(write, Put) else write.key


calls = st.lists(st.lists(writes, min_size=1, max_size=3, unique_by=key), max_size=8)


def outcome(table: Table, call: list[Write]) -> Any:
    try:
        table.write(*call)
    except ConditionFailedError as error:
        return error.index, error.item
    return "done"


def contents(table: Table) -> Any:
    parts = [table.query("P").items, table.query("Q", descending=True).items]
    listed = table.query("ALL", index="GSI1").items
    # Items with the same sort key of an index come in no promised order.
    ordered = [
        sorted((item["PK"], item["SK"]) for item in group)
        for _, group in itertools.groupby(listed, key=lambda item: item["GSI1SK"])
    ]
    return parts, ordered, table.get_many(KEYS)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=calls)
def test_both_tables_answer_alike(dynamodb: Any, sequence: list[list[Write]]) -> None:
    memory, dynamo = MemoryTable(), new_dynamo_table(dynamodb)
    for call in sequence:
        assert outcome(memory, call) == outcome(dynamo, call)
        assert contents(memory) == contents(dynamo)
