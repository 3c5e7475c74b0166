"""The newest upload of a group over either table: who gets the slot, who keeps it, and what becomes of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tidegate.model.uploads import Upload
from tidegate.store.errors import TableBusyError
from tidegate.store.table import Item, Key, Table, Write
from tidegate.store.uploads import Offer, Slot, SlotState, Uploads

FIRST = Upload("releases", "shop/app.zip", "v-1", "aa", 10, "00A1", 1_764_000_000.25)
SECOND = replace(FIRST, version="v-2", etag="bb", sequencer="00A2")
THIRD = replace(FIRST, version="v-3", etag="cc", sequencer="00A3")
REQUEST = {
    "applicationName": "shop",
    "deploymentGroupName": "prod",
    "revision": FIRST.location("zip"),
    "description": "the first",
}


class Ids:
    """Draws d-1, d-2, …"""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def __call__(self) -> str:
        self.drawn.append(f"d-{len(self.drawn) + 1}")
        return self.drawn[-1]


class Between:
    """A table on which others write between a read and the write that follows."""

    def __init__(self, table: Table, others: Callable[[], Any]) -> None:
        self._table, self._others = table, others

    def get(self, key: Key) -> Item | None:
        return self._table.get(key)

    def write(self, *writes: Write) -> None:
        self._others()
        self._table.write(*writes)


@pytest.fixture
def store(table: Table) -> Uploads:
    return Uploads(table)


@pytest.fixture
def ids() -> Ids:
    return Ids()


def slot(store: Uploads, group: str = "g-1") -> Slot:
    found = store.slot(group)
    assert found is not None
    return found


def test_a_slot_comes_back_as_it_was_taken(store: Uploads, ids: Ids) -> None:
    assert store.slot("g-1") is None
    offer = store.offer("g-1", FIRST, REQUEST, ids)
    assert offer == Offer(Slot("g-1", FIRST, "d-1", REQUEST, SlotState.WAITING, ""), taken=True)
    found = slot(store)
    assert found == offer.slot
    assert (type(found.upload.time), type(found.upload.size)) == (float, int)
    assert store.slot("g-2") is None, "each group has its own"


def test_offering_again_finds_what_became_of_it_and_draws_nothing(store: Uploads, ids: Ids) -> None:
    first = store.offer("g-1", FIRST, REQUEST, ids).slot
    again = store.offer("g-1", FIRST, {**REQUEST, "description": "another"}, ids)
    assert again == Offer(first, taken=True)
    store.note(first, SlotState.DEPLOYED, "Deployed by d-1.")
    done = store.offer("g-1", FIRST, REQUEST, ids)
    assert (done.taken, done.slot.state, done.slot.reason) == (True, SlotState.DEPLOYED, "Deployed by d-1.")
    assert ids.drawn == ["d-1"]


@pytest.mark.parametrize("state", SlotState)
def test_a_newer_upload_takes_the_slot_whatever_became_of_the_older(store: Uploads, ids: Ids, state: SlotState) -> None:
    store.note(store.offer("g-1", FIRST, REQUEST, ids).slot, state, "so it is")
    before = slot(store)
    offer = store.offer("g-1", SECOND, {**REQUEST, "description": "the second"}, ids)
    assert offer.before == before
    assert (before.state, before.reason) == (state, "so it is")
    assert slot(store) == Slot("g-1", SECOND, "d-2", {**REQUEST, "description": "the second"}, SlotState.WAITING, ""), (
        "nothing of the older one is left"
    )


def test_an_older_upload_never_gets_the_slot_back(store: Uploads, ids: Ids) -> None:
    second = store.offer("g-1", SECOND, REQUEST, ids).slot
    assert store.offer("g-1", FIRST, REQUEST, ids) == Offer(second, taken=False)
    assert slot(store) == second
    assert ids.drawn == ["d-1"]


@pytest.mark.parametrize("order", list(itertools.permutations((FIRST, SECOND, THIRD))))
def test_in_any_order_the_newest_has_the_slot(store: Uploads, ids: Ids, order: tuple[Upload, ...]) -> None:
    for upload in order:
        store.offer("g-1", upload, REQUEST, ids)
    assert slot(store).upload == THIRD


def test_of_different_keys_the_time_tells_the_newer(store: Uploads, ids: Ids) -> None:
    store.offer("g-1", FIRST, REQUEST, ids)
    late = replace(FIRST, key="shop/other.zip", sequencer="0001", time=FIRST.time + 0.5)
    assert store.offer("g-1", late, REQUEST, ids).taken
    early = replace(FIRST, key="shop/third.zip", sequencer="FFFF", time=FIRST.time)
    assert not store.offer("g-1", early, REQUEST, ids).taken


def test_what_is_noted_of_an_upload_that_gave_way_does_not_touch_the_newer(store: Uploads, ids: Ids) -> None:
    first = store.offer("g-1", FIRST, REQUEST, ids).slot
    second = store.offer("g-1", SECOND, REQUEST, ids).slot
    store.note(first, SlotState.REFUSED, "no")
    store.redraw(first, "d-9")
    assert slot(store) == second


@pytest.mark.parametrize("state", [SlotState.DEPLOYED, SlotState.REFUSED])
def test_what_is_settled_stays_so(store: Uploads, ids: Ids, state: SlotState) -> None:
    first = store.offer("g-1", FIRST, REQUEST, ids).slot
    store.note(first, state, "once")
    store.note(first, SlotState.WAITING, "again")
    store.redraw(first, "d-9")
    found = slot(store)
    assert (found.state, found.reason, found.deployment_id) == (state, "once", "d-1")


def test_a_waiting_upload_says_why_and_goes_on_waiting(store: Uploads, ids: Ids) -> None:
    first = store.offer("g-1", FIRST, REQUEST, ids).slot
    store.note(first, SlotState.WAITING, "d-0 is live")
    store.note(first, SlotState.WAITING, "d-8 is live")
    assert slot(store) == replace(first, reason="d-8 is live")


def test_a_redrawn_id_holds_and_the_first_one_is_not_heard_any_more(store: Uploads, ids: Ids) -> None:
    first = store.offer("g-1", FIRST, REQUEST, ids).slot
    store.redraw(first, "d-9")
    store.redraw(first, "d-10")
    store.note(first, SlotState.DEPLOYED, "Deployed by d-1.")
    assert slot(store) == replace(first, deployment_id="d-9")
    assert store.offer("g-1", FIRST, REQUEST, ids).slot.deployment_id == "d-9"


@pytest.mark.parametrize("held", [None, FIRST])
def test_whoever_is_overtaken_looks_again(table: Table, ids: Ids, held: Upload | None) -> None:
    store = Uploads(table)
    if held:
        store.offer("g-1", held, REQUEST, ids)
    overtaking = Uploads(Between(table, lambda: store.offer("g-1", THIRD, REQUEST, ids)))  # type: ignore[arg-type]
    offer = overtaking.offer("g-1", SECOND, REQUEST, ids)
    assert (offer.taken, offer.slot.upload) == (False, THIRD)
    assert slot(store).upload == THIRD


def test_a_note_between_read_and_write_is_not_lost(table: Table, ids: Ids) -> None:
    store = Uploads(table)
    first = store.offer("g-1", FIRST, REQUEST, ids).slot
    noting = Uploads(Between(table, lambda: store.note(first, SlotState.DEPLOYED, "done")))  # type: ignore[arg-type]
    before = noting.offer("g-1", SECOND, REQUEST, ids).before
    assert before is not None
    assert before.state is SlotState.DEPLOYED


def test_patience_with_others_has_an_end(table: Table, ids: Ids) -> None:
    store, number = Uploads(table), itertools.count(1)

    def older() -> Offer:
        return store.offer("g-1", replace(FIRST, sequencer=f"00A10{next(number):04X}"), REQUEST, ids)

    with pytest.raises(TableBusyError, match="group g-1"):
        Uploads(Between(table, older)).offer("g-1", THIRD, REQUEST, ids)  # type: ignore[arg-type]
    assert slot(store).upload.sequencer.startswith("00A10")
