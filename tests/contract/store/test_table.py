"""What every table must do, whatever it is made of."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tidegate.store.errors import ConditionFailedError, InvalidCursorError, ItemTooLargeError
from tidegate.store.table import (
    Absent,
    All,
    AnyOf,
    AttributeAbsent,
    Check,
    Condition,
    Delete,
    Equals,
    Item,
    OneOf,
    Page,
    Present,
    Put,
    Table,
    Update,
    Write,
    cursor_of,
)

KEY = ("P", "S")


def item(sk: str = "S", pk: str = "P", **attributes: Any) -> Item:
    return {"PK": pk, "SK": sk, **attributes}


@pytest.mark.parametrize(
    "value",
    [
        "text",
        "",
        0,
        -7,
        12345678901234567890,
        1.5,
        1764000000.123,
        1e-7,
        True,
        False,
        None,
        b"\x00\xffcells",
        b"",
        [1, "two", 3.5, [], {}],
        {"a": {"b": [1.25, None, {"c": b"x"}]}},
        {"x", "y"},
        {1, 2.5},
        {b"a", b"b"},
    ],
    ids=itertools.count(),
)
def test_a_value_comes_back_as_it_went_in(table: Table, value: Any) -> None:
    table.write(Put(item(value=value)))
    found = table.get(KEY)
    assert found == item(value=value)
    assert type(found["value"]) is type(value)


@pytest.mark.parametrize(("value", "read"), [(2.0, 2), ((1, 2), [1, 2]), (frozenset({"a"}), {"a"})])
def test_some_values_come_back_in_their_plain_form(table: Table, value: Any, read: Any) -> None:
    table.write(Put(item(value=value)))
    found = table.get(KEY)
    assert found is not None
    assert found["value"] == read
    assert type(found["value"]) is type(read)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), set(), object(), {1: 2}], ids=itertools.count())
def test_what_the_database_cannot_hold_is_refused(table: Table, value: Any) -> None:
    with pytest.raises(TypeError):
        table.write(Put(item(value=value)))
    assert table.get(KEY) is None


def test_no_item_is_none(table: Table) -> None:
    assert table.get(KEY) is None


def test_what_was_read_is_the_callers_own(table: Table) -> None:
    table.write(Put(item(value={"n": [1]})))
    found = table.get(KEY)
    assert found is not None
    found["value"]["n"].append(2)
    assert table.get(KEY) == item(value={"n": [1]})


def test_a_put_replaces_the_whole_item(table: Table) -> None:
    table.write(Put(item(a=1, b=2)))
    table.write(Put(item(a=3)))
    assert table.get(KEY) == item(a=3)


def test_many_reads_leave_out_what_is_not_there(table: Table) -> None:
    table.write_many([Put(item(f"{n:04}", n=n)) for n in range(205)])
    keys = [("P", f"{n:04}") for n in range(210)] + [("P", "0001")]
    found = table.get_many(keys)
    assert len(found) == 205
    assert found["P", "0204"]["n"] == 204
    assert table.get_many([]) == {}


def test_many_writes_put_delete_and_let_the_last_one_count(table: Table) -> None:
    table.write_many([Put(item("a", n=1)), Put(item("b", n=1)), Put(item("a", n=2)), Delete(("P", "b"))])
    assert table.get(("P", "a")) == item("a", n=2)
    assert table.get(("P", "b")) is None


def test_many_writes_take_no_conditions(table: Table) -> None:
    with pytest.raises(ValueError, match="unconditional"):
        table.write_many([Put(item(), Absent())])


def test_an_update_makes_changes_and_keeps_the_rest(table: Table) -> None:
    table.write(Put(item(keep=1, gone=2, count=3, tags={"a", "b"}, named="old")))
    update = Update(
        KEY,
        set={"status": "x", "time": 1.25},
        add={"count": 2, "fresh": 1},
        remove=["gone", "never"],
        add_to_set={"ids": {"i"}},
        remove_from_set={"tags": {"a", "zz"}},
        set_if_absent={"named": "new", "first": 9},
    )
    expected = item(keep=1, count=5, fresh=1, status="x", time=1.25, ids={"i"}, tags={"b"}, named="old", first=9)
    assert table.update_returning(update) == expected
    assert table.get(KEY) == expected


def test_an_update_makes_the_item_that_is_not_there(table: Table) -> None:
    assert table.update_returning(Update(KEY, add={"n": 1})) == item(n=1)


def test_a_set_that_becomes_empty_is_gone(table: Table) -> None:
    table.write(Put(item(ids={"a"})))
    table.write(Update(KEY, remove_from_set={"ids": {"a"}}))
    assert table.get(KEY) == item()


def test_an_update_that_changes_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="changes nothing"):
        Update(KEY)


HELD = item(n=1, flag=True, text="a", live="d-1")
CONDITIONS: list[tuple[str, Condition, Item | None, bool]] = [
    ("absent, nothing there", Absent(), None, True),
    ("absent, item there", Absent(), HELD, False),
    ("present, nothing there", Present(), None, False),
    ("present, item there", Present(), HELD, True),
    ("equals number", Equals("n", 1), HELD, True),
    ("equals number written as float", Equals("n", 1.0), HELD, True),
    ("equals other number", Equals("n", 2), HELD, False),
    ("a text is no number", Equals("n", "1"), HELD, False),
    ("equals on a missing attribute", Equals("none", 1), HELD, False),
    ("equals, nothing there", Equals("n", 1), None, False),
    ("one of, in", OneOf("text", ("b", "a")), HELD, True),
    ("one of, out", OneOf("text", ("b", "c")), HELD, False),
    ("one of, missing", OneOf("none", ("b",)), HELD, False),
    ("attribute absent", AttributeAbsent("none"), HELD, True),
    ("attribute there", AttributeAbsent("live"), HELD, False),
    ("attribute absent, nothing there", AttributeAbsent("live"), None, True),
    ("all hold", All(Present(), Equals("n", 1), AttributeAbsent("none")), HELD, True),
    ("one of all fails", All(Present(), Equals("n", 2)), HELD, False),
    ("any holds", AnyOf(Equals("n", 2), All(Equals("n", 1), Equals("text", "a"))), HELD, True),
    ("none of any holds", AnyOf(Equals("n", 2), Absent()), HELD, False),
]


@pytest.mark.parametrize(
    ("condition", "held", "holds"), [row[1:] for row in CONDITIONS], ids=[r[0] for r in CONDITIONS]
)
@pytest.mark.parametrize("kind", ["put", "update", "delete", "check", "transaction"])
def test_a_condition_lets_a_write_through_or_stops_it(
    table: Table, condition: Condition, held: Item | None, holds: bool, kind: str
) -> None:
    if held:
        table.write(Put(held))
    kinds: dict[str, list[Write]] = {
        "put": [Put(item(new=1), condition)],
        "update": [Update(KEY, set={"new": 1}, condition=condition)],
        "delete": [Delete(KEY, condition)],
        "check": [Check(KEY, condition)],
        "transaction": [Put(item("other")), Check(KEY, condition)],
    }
    writes = kinds[kind]
    if holds:
        table.write(*writes)
        return
    with pytest.raises(ConditionFailedError) as caught:
        table.write(*writes)
    assert caught.value.index == len(writes) - 1
    assert caught.value.item == held
    assert table.get(KEY) == held
    assert table.get(("P", "other")) is None


def test_update_returning_minds_its_condition(table: Table) -> None:
    with pytest.raises(ConditionFailedError):
        table.update_returning(Update(KEY, set={"n": 1}, condition=Present()))
    assert table.get(KEY) is None


def test_a_transaction_writes_all(table: Table) -> None:
    table.write(Put(item("a", n=1)), Put(item("b")))
    table.write(
        Put(item("new"), Absent()),
        Update(("P", "a"), add={"n": 1}),
        Delete(("P", "b"), Present()),
        Check(("P", "c"), Absent()),
    )
    assert [each["SK"] for each in table.query("P").items] == ["a", "new"]
    assert table.get(("P", "a")) == item("a", n=2)


def test_a_transaction_names_the_first_write_that_failed(table: Table) -> None:
    table.write(Put(item("b", n=7)))
    with pytest.raises(ConditionFailedError) as caught:
        table.write(Put(item("a")), Put(item("b"), Absent()), Check(("P", "c"), Present()))
    assert (caught.value.index, caught.value.item) == (1, item("b", n=7))
    assert table.get(("P", "a")) is None


def test_a_transaction_refuses_one_key_twice_and_no_or_too_many_writes(table: Table) -> None:
    with pytest.raises(ValueError, match="only once"):
        table.write(Put(item("a")), Delete(("P", "a")))
    with pytest.raises(ValueError, match="1 to 100"):
        table.write()
    with pytest.raises(ValueError, match="1 to 100"):
        table.write(*[Put(item(str(n))) for n in range(101)])


def fill(table: Table) -> None:
    table.write_many(
        [Put(item(f"REV#{n:02}", GSI1PK="ALL", GSI1SK=f"{9 - n:02}", n=n)) for n in range(10)]
        + [Put(item("GROUP#g")), Put(item("REV#00", pk="Q", GSI2PK="ALL", GSI2SK="x"))]
    )


def numbers(items: list[Item]) -> list[int]:
    return [each["n"] for each in items]


def test_a_query_reads_one_partition_in_order(table: Table) -> None:
    fill(table)
    assert [each["SK"] for each in table.query("P").items][:2] == ["GROUP#g", "REV#00"]
    assert numbers(table.query("P", "REV#").items) == list(range(10))
    assert numbers(table.query("P", "REV#", descending=True).items) == list(range(9, -1, -1))
    assert table.query("nobody").items == []
    assert table.query("P", "REV#").next is None


def test_a_query_between_two_sort_keys_includes_both(table: Table) -> None:
    fill(table)
    assert numbers(table.query("P", between=("REV#03", "REV#05")).items) == [3, 4, 5]


def test_an_index_has_its_own_order_and_only_items_with_its_keys(table: Table) -> None:
    fill(table)
    assert numbers(table.query("ALL", index="GSI1").items) == list(range(9, -1, -1))
    assert [each["PK"] for each in table.query("ALL", index="GSI2").items] == ["Q"]
    table.write(Update(("P", "REV#04"), remove=["GSI1PK", "GSI1SK"]))
    table.write(Delete(("P", "REV#05")))
    assert numbers(table.query("ALL", index="GSI1").items) == [9, 8, 7, 6, 3, 2, 1, 0]


@pytest.mark.parametrize("index", [None, "GSI1"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("size", [1, 3, 5, 10, 50])
def test_pages_join_to_the_whole(table: Table, index: str | None, descending: bool, size: int) -> None:
    fill(table)
    pk, prefix = ("P", "REV#") if index is None else ("ALL", "")
    whole = table.query(pk, prefix, index=index, descending=descending).items
    seen: list[Item] = []
    start = None
    while True:
        page = table.query(pk, prefix, index=index, descending=descending, limit=size, start=start)
        assert len(page.items) <= size
        seen += page.items
        start = page.next
        if start is None:
            break
    assert seen == whole


def test_a_query_goes_on_behind_any_item(table: Table) -> None:
    fill(table)
    whole = table.query("ALL", index="GSI1").items
    rest = table.query("ALL", index="GSI1", start=cursor_of(whole[3], "GSI1")).items
    assert rest == whole[4:]


@pytest.mark.parametrize(
    "cursor", [{}, {"PK": "Q", "SK": "REV#00"}, {"PK": "P"}, {"PK": "P", "SK": "a", "x": "y"}, {"PK": "P", "SK": 1}]
)
def test_a_position_of_another_query_is_refused(table: Table, cursor: Any) -> None:
    fill(table)
    with pytest.raises(InvalidCursorError):
        table.query("P", start=cursor)


def test_counting_is_a_query_without_its_items(table: Table) -> None:
    assert table.count("P") == 0
    table.write_many([Put(item(f"A#{n:03}", GSI1PK="ALL", GSI1SK=f"{n:03}")) for n in range(120)])
    table.write_many([Put(item("B#0", GSI1PK="ALL", GSI1SK="x")), Put(item("A#0", pk="Q"))])
    assert (table.count("P", "A#"), table.count("P"), table.count("Q", "A#"), table.count("P", "C")) == (120, 121, 1, 0)
    assert (table.count("ALL", index="GSI1"), table.count("ALL", "11", index="GSI1")) == (121, 10)


def test_a_range_that_begins_after_its_end_finds_nothing(table: Table) -> None:
    fill(table)
    assert table.query("P", between=("Z", "A")) == Page([])
    assert table.query("P", between=("REV#01", "REV#01")).items


def test_an_item_that_is_too_large_is_refused_and_nothing_written(table: Table) -> None:
    large = {"text": "x" * 420_000}
    table.write(Put(item(text="small")))
    for writes in (
        [Put(item(**large))],
        [Update(KEY, set=large)],
        [Put(item("other")), Put(item(**large))],
    ):
        with pytest.raises(ItemTooLargeError):
            table.write(*writes)
    assert table.query("P").items == [item(text="small")]
    table.write(Put(item(text="x" * 380_000)))
