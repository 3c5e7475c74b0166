"""NotifySubscribers: whole courses are told once, whatever dies; a place that fails holds up nobody."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest
from functions.notify_subscribers import app
from tests.unit.functions.subscribers import MORE_ENV, StreamingTable, Subscribers, record
from tests.unit.functions.test_crashes import SCENARIOS, Deaths, Port
from tests.unit.functions.world import ENV, Account, hosts

from tidegate.gateways.errors import ThrottledError
from tidegate.model.notices import Delivery, Failure
from tidegate.notify_runtime import NotifyRuntime
from tidegate.settings import SettingError

EVENTS = [
    "DeploymentStart", "DeploymentSuccess", "DeploymentFailure", "DeploymentStop", "DeploymentRollback",
    "InstanceStart", "InstanceSuccess", "InstanceFailure",
]  # fmt: skip
TOPIC, OTHER = (f"arn:aws:sns:us-east-1:123456789012:tidegate-{name}" for name in "ab")
TRIGGERS = [{"triggerName": "all", "triggerTargetArn": TOPIC, "triggerEvents": EVENTS}]


@pytest.fixture(autouse=True)
def _streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts have tables with a stream, and deployments a trigger for everything."""
    monkeypatch.setattr(Account, "table_type", StreamingTable)
    deploy = Account.deploy
    monkeypatch.setattr(Account, "deploy", lambda *args, **more: deploy(*args, **{"triggers": TRIGGERS, **more}))


def records(account: Account) -> list[dict[str, Any]]:
    table: Any = account.table
    return [record(old, new) for old, new in table.stream]


def told(account: Account, batch: int = 7) -> Subscribers:
    """All of an account's stream, told in batches."""
    subscribers, stream = Subscribers(account.table), records(account)
    for first in range(0, len(stream), batch):
        subscribers.tell(stream[first : first + batch])
    return subscribers


def course(account: Account) -> list[Any]:
    """What was told of each deployment, ids aside: instances side by side may come in any order."""
    found = told(account)
    return [
        (Counter(found.events(each)), Counter(found.states(each)), found.events(each)[0], found.events(each)[-1])
        for each in sorted(account.table.courses)
    ]


def test_a_rollback_is_told_from_beginning_to_end() -> None:
    account = Account(hosts(1, fails=frozenset({"v2.zip"})))
    account.deploy("v1.zip")
    account.run()
    account.deploy("v2.zip", autoRollback={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]})
    account.run()
    found = told(account)
    good, bad, back = sorted(account.table.courses)
    instance = next(iter(account.hosts))
    assert found.events(good) == ["DeploymentStart", "InstanceStart", "InstanceSuccess", "DeploymentSuccess"]
    assert found.events(bad) == ["DeploymentStart", "InstanceStart", "InstanceFailure", "DeploymentFailure"]
    assert found.events(back) == [
        "DeploymentStart", "DeploymentRollback", "InstanceStart", "InstanceSuccess", "DeploymentSuccess",
    ]  # fmt: skip
    assert found.states(bad) == [("START", ""), ("START", instance), ("FAILURE", instance), ("FAILURE", "")]
    assert found.states(back) == [("START", ""), ("START", instance), ("SUCCESS", instance), ("SUCCESS", "")]
    assert (found.queues.put_off, found.queues.lost) == ([], [])


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("seed", range(4))
def test_whatever_dies_everything_is_told_once(scenario: str, seed: int) -> None:
    expected = course(SCENARIOS[scenario]().run())
    deaths = Deaths(random.Random(f"{scenario} {seed}"))
    account = SCENARIOS[scenario]()
    account.wrap(lambda _name, port: Port(port, deaths.called))
    account.run()
    account.wrap(lambda _name, port: port)
    assert deaths.happened > 1
    assert course(account) == expected


def test_the_same_records_again_have_the_same_ids() -> None:
    account = Account(hosts(2))
    account.deploy("v1.zip")
    account.run()
    subscribers = told(account)
    first = [each.notice_id for each in subscribers.topics.got]
    subscribers.tell(records(account))
    assert Counter(each.notice_id for each in subscribers.topics.got) == dict.fromkeys(first, 2)


def test_calls_are_bounded_however_many_targets_move() -> None:
    account = Account(hosts(60))
    account.deploy("v1.zip", ("HOST_COUNT", 0))
    account.run()
    subscribers = Subscribers(account.table)
    subscribers.tell(records(account))
    told_of = 2 + 2 * 60
    assert len(subscribers.bus.got) == len(subscribers.topics.got) == told_of
    assert len(subscribers.bus.calls) == len(subscribers.topics.calls) == -(-told_of // 10)


def ended() -> tuple[Account, list[dict[str, Any]]]:
    """A deployment with two topics, and its stream."""
    account = Account(hosts(1))
    both = [*TRIGGERS, {**TRIGGERS[0], "triggerTargetArn": OTHER}]
    account.deploy("v1.zip", triggers=both)
    return account.run(), records(account)


def failing(reason: str, passing: bool, topic: str = TOPIC) -> Any:
    return lambda each: Failure(each, reason, passing) if each.to == topic else None


def test_a_throttled_topic_is_put_off_and_not_asked_again_meanwhile() -> None:
    account, stream = ended()
    subscribers = Subscribers(account.table)
    subscribers.topics.fails = failing("Throttled: slow", passing=True)
    for each in stream:
        subscribers.tell([each] * 12)
    assert subscribers.topics.calls.count(TOPIC) == 4, "one call of each two"
    assert {each.to for each, _ in subscribers.queues.put_off} == {TOPIC}
    expected = {each.notice_id for each in _all(account, stream) if each.to == TOPIC}
    assert {each.notice_id for each, _ in subscribers.queues.put_off} == expected
    assert subscribers.queues.lost == []


def _all(account: Account, stream: list[dict[str, Any]]) -> list[Delivery]:
    undisturbed = Subscribers(account.table)
    undisturbed.tell(stream)
    return undisturbed.topics.got


def test_what_was_put_off_comes_again_and_arrives() -> None:
    account, stream = ended()
    subscribers = Subscribers(account.table)
    subscribers.topics.fails = failing("Throttled: slow", passing=True)
    subscribers.tell(stream)
    waiting = [each.to_json() for each, _ in subscribers.queues.put_off]
    subscribers.again(*waiting)  # still busy
    later = subscribers.queues.put_off[len(waiting) :]
    assert [each.tried for each, _ in later] == [2] * 4
    assert {each.since for each, _ in later} == {1_764_000_100.0}
    subscribers.topics.fails = lambda _each: None
    subscribers.again(*[each.to_json() for each, _ in later])
    arrived = [each for each in subscribers.topics.got if each.to == TOPIC]
    assert [each.body for each in arrived] == [each.body for each in _all(account, stream) if each.to == TOPIC]


def test_a_topic_that_is_gone_is_kept_for_people_and_the_others_are_told() -> None:
    account, stream = ended()
    subscribers = Subscribers(account.table)
    subscribers.topics.fails = failing("NotFound: Topic does not exist", passing=False)
    subscribers.tell(stream)
    assert [each.to for each in subscribers.topics.got] == [OTHER] * 4
    assert len(subscribers.bus.got) == 4
    lost = [json.loads(each) for each in subscribers.queues.lost]
    assert [(each["to"], each["reason"]) for each in lost] == [(TOPIC, "NotFound: Topic does not exist")] * 4
    assert subscribers.queues.put_off == []


def test_after_a_day_people_must_help() -> None:
    account, stream = ended()
    subscribers = Subscribers(account.table)
    subscribers.topics.fails = failing("Throttled: slow", passing=True)
    subscribers.tell(stream)
    waiting = [each.to_json() for each, _ in subscribers.queues.put_off]
    late = Subscribers(account.table, now=1_764_000_100.0 + 86_400)
    late.topics.fails = failing("Throttled: slow", passing=True)
    late.again(*waiting)
    assert late.queues.put_off == []
    assert len(late.queues.lost) == 4
    assert Delivery.from_json(late.queues.lost[0]).tried == 0, "moved back, it has another day"


def test_when_it_cannot_be_kept_the_batch_comes_again() -> None:
    account, stream = ended()
    subscribers = Subscribers(account.table)
    subscribers.topics.fails = failing("Throttled: slow", passing=True)

    def busy(_delivery: Delivery, _seconds: int) -> None:
        raise ThrottledError("busy")

    subscribers.queues.again = busy  # type: ignore[method-assign]
    with pytest.raises(ThrottledError):
        subscribers.tell(stream)


def test_a_record_that_cannot_be_read_stops_nothing() -> None:
    account, stream = ended()
    subscribers = Subscribers(account.table)
    broken = {"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {"NewImage": {"PK": {"?": "x"}}}}
    strange = record(None, {"PK": "DEP#d-1", "SK": "DEP", "status": 7})
    subscribers.tell([broken, strange, {"eventSource": "aws:dynamodb"}, *stream])
    assert len(subscribers.bus.got) == 4
    lost = [json.loads(each) for each in subscribers.queues.lost]
    assert lost == [broken, {"eventSource": "aws:dynamodb"}, strange]


def test_a_message_that_is_no_notice_is_kept_for_people() -> None:
    account, _ = ended()
    subscribers = Subscribers(account.table)
    subscribers.again("?", '{"DDBStreamBatchInfo": {}}')
    assert subscribers.queues.lost == ["?", '{"DDBStreamBatchInfo": {}}']


def test_items_that_are_taken_away_are_not_told() -> None:
    account, stream = ended()
    table: Any = account.table
    gone = [record(new, None) for _, new in table.stream if new]
    subscribers = Subscribers(account.table)
    subscribers.tell(gone)
    assert stream
    assert (subscribers.bus.got, subscribers.topics.got) == ([], [])


def test_an_empty_batch_is_fine() -> None:
    app.run({"Records": []}, Subscribers(StreamingTable()).runtime)


def test_settings_that_cannot_be_used() -> None:
    with pytest.raises(SettingError, match="TIDEGATE_TRIGGER_MESSAGE_FORMAT is 'poem'"):
        NotifyRuntime({**ENV, **MORE_ENV, "TIDEGATE_TRIGGER_MESSAGE_FORMAT": "poem"})
    assert NotifyRuntime({**ENV, **MORE_ENV, "TIDEGATE_NOTIFICATION_SOURCE": ""}).wording.source == ""
