"""On-premises instances over either table: a name and its IAM identity go together."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.store.errors import (
    IamSessionArnTakenError,
    IamUserArnTakenError,
    InstanceNotRegisteredError,
    InstanceRegisteredError,
    TableBusyError,
)
from tidegate.store.onpremises import OnPremisesInstances, instance_key
from tidegate.store.table import Item, Table, Update

USER = {"iamUserArn": "arn:aws:iam::123456789012:user/box"}
SESSION = {"iamSessionArn": "arn:aws:sts::123456789012:assumed-role/hosts/box"}


@pytest.fixture
def store(table: Table) -> OnPremisesInstances:
    return OnPremisesInstances(table)


def names(items: list[Item]) -> list[str]:
    return [item["instanceName"] for item in items]


def test_a_registration_comes_back(store: OnPremisesInstances) -> None:
    store.register("box", arn="arn:1", identity=USER, now=1.5)
    found = store.find("box")
    assert found is not None
    assert (found["instanceArn"], found["registerTime"], found["tags"], found["status"]) == (
        "arn:1",
        1.5,
        {},
        "Registered",
    )
    assert found["iamUserArn"] == USER["iamUserArn"]
    assert "iamSessionArn" not in found
    assert store.find("other") is None


def test_name_and_identity_are_taken_together_or_not_at_all(store: OnPremisesInstances) -> None:
    store.register("box", arn="arn:1", identity=USER, now=1)
    with pytest.raises(InstanceRegisteredError, match="'box'"):
        store.register("box", arn="arn:2", identity=SESSION, now=2)
    with pytest.raises(IamUserArnTakenError, match="user/box"):
        store.register("other", arn="arn:3", identity=USER, now=2)
    assert store.find("other") is None
    # Neither refusal has left the other half behind.
    store.register("other", arn="arn:4", identity=SESSION, now=3)
    assert names(store.registered()) == ["box", "other"]
    with pytest.raises(IamSessionArnTakenError, match="hosts/box"):
        store.register("third", arn="arn:5", identity=SESSION, now=4)


def test_a_registration_whose_answer_was_lost_may_be_repeated(store: OnPremisesInstances) -> None:
    store.register("box", arn="arn:1", identity=USER, now=1)
    store.register("box", arn="arn:1", identity=USER, now=1)


def test_what_is_deregistered_stays_on_record_and_may_be_taken_again(store: OnPremisesInstances) -> None:
    store.register("box", arn="arn:1", identity=USER, now=1)
    store.change_tags(["box"], lambda _: {"Fleet": "shop"})
    store.deregister("box", now=2)
    store.deregister("box", now=3)
    store.deregister("never", now=3)
    found = store.find("box")
    assert found is not None
    assert (found["status"], found["deregisterTime"], found["tags"]) == ("Deregistered", 2, {"Fleet": "shop"})
    assert names(store.page().items) == ["box"]
    assert store.registered() == []
    store.register("other", arn="arn:2", identity=USER, now=4)
    store.register("box", arn="arn:3", identity=SESSION, now=5)
    again = store.find("box")
    assert again is not None
    assert (again["tags"], "deregisterTime" in again, again["instanceArn"]) == ({}, False, "arn:3")


def test_pages_are_in_the_order_of_names(store: OnPremisesInstances) -> None:
    for name in ("c", "a", "b"):
        store.register(name, arn=f"arn:{name}", identity={"iamUserArn": f"arn:user/{name}"}, now=1)
    first = store.page(limit=2)
    assert names(first.items) == ["a", "b"]
    assert names(store.page(limit=2, start=first.next).items) == ["c"]
    assert names(store.find_many(["c", "x", "a"])) == ["c", "a"]


def test_tags_change_on_all_or_on_none(store: OnPremisesInstances) -> None:
    every = [f"box-{number:03}" for number in range(100)]
    for name in every:
        store.register(name, arn=f"arn:{name}", identity={"iamUserArn": f"arn:user/{name}"}, now=1)
    store.change_tags(every, lambda item: {"Name": item["instanceName"]})
    assert [item["tags"] for item in store.registered()] == [{"Name": name} for name in every]
    store.deregister("box-050", now=2)
    with pytest.raises(InstanceNotRegisteredError, match="'box-050'"):
        store.change_tags(every, lambda _: {})
    with pytest.raises(InstanceNotRegisteredError, match="'unknown'"):
        store.change_tags(["box-001", "unknown"], lambda _: {})
    assert all(item["tags"] for item in store.registered())


def test_tags_that_others_change_meanwhile_are_not_lost(store: OnPremisesInstances, table: Table) -> None:
    store.register("box", arn="arn:1", identity=USER, now=1)
    raced: list[int] = []

    def change(item: Item) -> dict[str, Any]:
        if not raced:
            raced.append(1)
            table.write(Update(instance_key("box"), set={"tags": {"theirs": "1"}}))
        return {**item["tags"], "ours": "2"}

    store.change_tags(["box"], change)
    found = store.find("box")
    assert found is not None
    assert found["tags"] == {"theirs": "1", "ours": "2"}


def test_endless_races_end_as_busy(store: OnPremisesInstances, table: Table) -> None:
    store.register("box", arn="arn:1", identity=USER, now=1)
    count = iter(range(100))

    def change(item: Item) -> dict[str, Any]:
        table.write(Update(instance_key("box"), set={"tags": {"n": str(next(count))}}))
        return {**item["tags"], "ours": "2"}

    with pytest.raises(TableBusyError):
        store.change_tags(["box"], change)
