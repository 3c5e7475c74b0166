"""Where notices go, and what becomes of those that did not arrive."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.notices.test_messages import FAILED, ITEM, TARGET

from tidegate.model.notices import Channel, Delivery, Notice
from tidegate.notices import Wording, deliveries_of, lost, put_off
from tidegate.notices.deliveries import FIRST_DELAY, GIVE_UP_AFTER, LONGEST_DELAY

WORDING = Wording("tidegate", "observed", "us-east-1", "123456789012")
TOPIC = "arn:aws:sns:us-east-1:123456789012:tidegate-a"


def trigger(name: str, *events: str, topic: str = TOPIC) -> dict[str, Any]:
    return {"triggerName": name, "triggerTargetArn": topic, "triggerEvents": list(events)}


def failure(*triggers: dict[str, Any], target: dict[str, Any] | None = None) -> Notice:
    event = "InstanceFailure" if target else "DeploymentFailure"
    return Notice(event, "FAILURE", {**FAILED, "triggers": list(triggers)}, target, 5.0)


def test_each_trigger_that_wants_the_event_gets_it_under_its_own_name() -> None:
    other = TOPIC.replace("-a", "-b")
    found = deliveries_of(
        failure(
            trigger("one", "DeploymentFailure", "DeploymentStop"),
            trigger("two", "DeploymentSuccess"),
            trigger("three", "DeploymentFailure"),
            trigger("four", "DeploymentFailure", topic=other),
        ),
        WORDING,
    )
    assert [(each.channel, each.to) for each in found] == [
        (Channel.BUS, "default"), (Channel.TOPIC, TOPIC), (Channel.TOPIC, TOPIC), (Channel.TOPIC, other),
    ]  # fmt: skip
    assert [json.loads(each.body["Message"])["eventTriggerName"] for each in found[1:]] == ["one", "three", "four"]
    assert len({each.notice_id for each in found}) == 4
    assert found[1].body["attributes"] == {
        "noticeId": found[1].notice_id,
        "triggerEvent": "DeploymentFailure",
        "applicationName": "shop",
        "deploymentGroupName": "prod",
    }


def test_the_same_change_has_the_same_ids_whenever_it_is_told() -> None:
    first, again = (deliveries_of(failure(trigger("one", "DeploymentFailure")), WORDING) for _ in range(2))
    assert first == again
    of_instance = deliveries_of(failure(trigger("one", "InstanceFailure"), target=TARGET), WORDING)
    assert not {each.notice_id for each in first} & {each.notice_id for each in of_instance}


def test_without_a_source_nothing_is_put_on_the_bus() -> None:
    assert deliveries_of(failure(), replace(WORDING, source="")) == []


def test_what_the_bus_or_the_triggers_have_no_word_for() -> None:
    item = {**ITEM, "triggers": [trigger("all", "DeploymentRollback", "")]}
    assert [d.channel for d in deliveries_of(Notice("DeploymentRollback", "", item, None, 1.0), WORDING)] == ["topic"]
    assert [d.channel for d in deliveries_of(Notice("", "QUEUED", item, None, 1.0), WORDING)] == ["bus"]


@pytest.mark.parametrize("broken", [{}, {"triggerEvents": ["DeploymentFailure"]}, {"triggerTargetArn": TOPIC}])
def test_a_trigger_that_is_not_whole_tells_nobody(broken: dict[str, Any]) -> None:
    assert [each.channel for each in deliveries_of(failure(broken), WORDING)] == ["bus"]


def test_the_form_is_chosen() -> None:
    (_, found) = deliveries_of(failure(trigger("one", "DeploymentFailure")), replace(WORDING, form="documented"))
    assert json.loads(found.body["Message"])["status"] == "Failed"


def delivery(**more: Any) -> Delivery:
    return Delivery("n-1", Channel.TOPIC, TOPIC, "d-1", {"Subject": "s", "Message": "m", "attributes": {}}, **more)


def test_a_delivery_survives_its_queue() -> None:
    busy = delivery(tried=3, since=7.5, reason="Throttled: slow")
    for each in (delivery(), busy, *deliveries_of(failure(), WORDING)):
        assert Delivery.from_json(each.to_json()) == each


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"channel": "post"}', '{"channel": "topic", "x": 1}', "null"])
def test_what_is_no_delivery(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own errors are among them
        Delivery.from_json(text)


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 200))
def test_tries_are_further_and_further_apart(chance: float, tried: int) -> None:
    again = put_off(delivery(tried=tried, since=10.0), "Throttled", 20.0, chance)
    assert again is not None
    assert 1 <= again[1] <= min(LONGEST_DELAY, max(1, FIRST_DELAY * 2**tried))
    assert (again[0].tried, again[0].since, again[0].reason) == (tried + 1, 10.0, "Throttled")


def test_tries_go_on_for_a_day() -> None:
    first = put_off(delivery(), "Throttled", 1000.0, 0.5)
    assert first is not None
    assert first[0].since == 1000.0
    assert put_off(first[0], "Throttled", 1000.0 + GIVE_UP_AFTER - 1, 0.5) is not None
    assert put_off(first[0], "Throttled", 1000.0 + GIVE_UP_AFTER, 0.5) is None


def test_one_that_is_lost_and_moved_back_is_tried_for_another_day() -> None:
    kept = lost(delivery(tried=90, since=1.0), "NotFound")
    assert (kept.tried, kept.since, kept.reason) == (0, 0.0, "NotFound")
