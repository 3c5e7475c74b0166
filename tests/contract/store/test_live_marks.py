"""Live deployments have a mark as long as they live, over either table."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contract.store.test_deployments import V1, V2, attributes, store

from tidegate.model.names import revision_key
from tidegate.store.deployment_items import live_key, rollback_deployment
from tidegate.store.deployments import Deployments
from tidegate.store.errors import DeploymentGroupBusyError
from tidegate.store.groups import Groups
from tidegate.store.live_marks import LiveMarks
from tidegate.store.table import Delete, Put, Table, Update

__all__ = ["store"]


def marked(table: Table, after: str = "d-") -> list[str]:
    return [each for page in LiveMarks(table).ids(after) for each in page]


def caught_up(table: Table) -> int:
    """Mark all that lack a mark."""
    found = 0
    while (more := LiveMarks(table).catch_up()) is not None:
        found += more
    return found


def test_a_deployment_is_marked_until_what_follows_its_end_is_done(store: Deployments, table: Table) -> None:
    marks, first = LiveMarks(table), store.create(attributes(1.0), revision_description="")["deploymentId"]
    assert marked(table) == [first]
    store.finish(first, status="Succeeded", now=2.0)
    assert marked(table) == [first]
    marks.remove(first)
    marks.remove(first)
    assert marked(table) == []
    failed = store.create(attributes(3.0, V2), revision_description="")
    back = rollback_deployment(failed, {"location": V1, "revisionKey": revision_key(V1)}, deployment_id="d-back", now=4)
    store.finish(failed["deploymentId"], status="Failed", now=4.0, rollback=back)
    marks.remove(failed["deploymentId"])
    assert marked(table) == ["d-back"], "in the transaction that passes the lock"


def test_a_deployment_that_is_refused_leaves_no_mark(store: Deployments, table: Table) -> None:
    first = store.create(attributes(1.0), revision_description="")["deploymentId"]
    with pytest.raises(DeploymentGroupBusyError):
        store.create(attributes(2.0), revision_description="")
    assert marked(table) == [first]


def test_marks_are_listed_once_whatever_the_beginning(table: Table) -> None:
    ids = [f"d-{n:09d}" for n in range(900000001, 900000251)]
    table.write_many([Put({"PK": "LIVE", "SK": each, "createTime": 1.0}) for each in ids])
    for after in ("d-", ids[0], ids[100], ids[-1], "d-ZZZZZZZZZ", "d-900000100+"):
        assert sorted(marked(table, after)) == ids


def test_a_lock_that_an_ended_deployment_still_holds_is_taken_away(store: Deployments, table: Table) -> None:
    first, marks = store.create(attributes(1.0), revision_description="")["deploymentId"], LiveMarks(table)
    assert not marks.release(store.get(first)), "it is live"
    table.write(Update((f"DEP#{first}", "DEP"), set={"status": "Failed"}))
    assert marks.release(store.get(first))
    assert "live" not in Groups(table).get("shop", "prod")
    assert not marks.release(store.get(first)), "there is nothing left"


# --- deployments of the release that set no marks


def many(store: Deployments, table: Table, count: int) -> list[str]:
    """So many deployments, one after another and all ended, as a release without marks left them."""
    ids: list[str] = []
    for n in range(count):
        ids.append(store.create(attributes(1.0 + n), revision_description="")["deploymentId"])
        store.finish(ids[-1], status="Succeeded", now=2.0 + n)
        LiveMarks(table).remove(ids[-1])
    return ids


@pytest.mark.parametrize("at", [0, 99, 100, 130])
def test_a_live_deployment_without_a_mark_gets_one_wherever_it_stands(
    at: int, store: Deployments, table: Table
) -> None:
    lives = many(store, table, 131)[at]
    table.write(Update((f"DEP#{lives}", "DEP"), set={"status": "InProgress"}))
    assert caught_up(table) == 1
    assert marked(table) == [lives]


def test_all_deployments_are_gone_through_once(store: Deployments, table: Table) -> None:
    marks, first = LiveMarks(table), store.create(attributes(1.0), revision_description="")["deploymentId"]
    assert (marks.catch_up(), marks.catch_up()) == (0, None), "it has its mark"
    table.write(Delete(live_key(first)))
    assert marks.catch_up() is None
    assert marked(table) == []


def test_one_that_ends_while_it_is_found_gets_no_mark(
    store: Deployments, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, query = store.create(attributes(1.0), revision_description="")["deploymentId"], table.query

    def and_then_it_ends(*args: Any, **more: Any) -> Any:
        found = query(*args, **more)
        if more.get("index") == "GSI2":
            store.finish(first, status="Succeeded", now=2.0)
            LiveMarks(table).remove(first)
        return found

    monkeypatch.setattr(table, "query", and_then_it_ends)
    assert caught_up(table) == 0
    assert marked(table) == []
