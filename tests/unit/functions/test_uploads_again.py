"""Uploads that cannot be dealt with at once: what comes again, what holds up nothing, what is deployed in the end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from functions.on_revision_upload import app
from tests.unit.functions.machine import Killed
from tests.unit.functions.uploads import Watched

from tidegate.gateways.errors import ThrottledError, UnavailableError
from tidegate.store.uploads import Slot, SlotState
from tidegate.upload_runtime import TryAgainError


class Refusing:
    """Step Functions that cannot start an execution for some times."""

    def __init__(self, watched: Watched, error: Exception, times: int = 1) -> None:
        self.watched, self.error, self.left = watched, error, times

    def start(self, deployment_id: str, generation: int) -> None:
        if self.left:
            self.left -= 1
            raise self.error
        self.watched.account.start(deployment_id, generation)


def slot(watched: Watched) -> Slot:
    found = watched.runtime.uploads.slot("group-1")
    assert found is not None
    return found


def refusing(error: Exception, times: int = 1) -> Watched:
    watched = Watched()
    watched.runtime.executions = Refusing(watched, error, times)  # type: ignore[assignment]
    return watched


def running(watched: Watched) -> list[str]:
    return [each for each in watched.deployed if f"{each}-1" in watched.account.executions]


# --- redrawing


@pytest.mark.parametrize("error", [ThrottledError("slow down"), UnavailableError("no answer")])
@pytest.mark.parametrize("times", [1, 3])
def test_a_deployment_that_could_not_be_started_is_made_again_under_another_id(error: Exception, times: int) -> None:
    watched = refusing(error, times)
    upload = watched.put("shop/1")
    for number in range(1, times + 1):
        assert watched.deliver(upload) == ["m0"]
        failed = list(watched.deployed)[-1]
        assert len(watched.deployed) == number
        assert watched.account.deployment(failed)["status"] == "Failed"
        assert (slot(watched).state, slot(watched).deployment_id != failed) == (SlotState.WAITING, True)
    assert watched.deliver(upload, upload) == []
    (deployment,) = running(watched)
    assert len(watched.deployed) == times + 1
    assert (slot(watched).state, slot(watched).deployment_id) == (SlotState.DEPLOYED, deployment)
    assert watched.bus.told == []


def test_the_stream_tells_of_the_failed_start_before_another_id_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = refusing(ThrottledError("slow down"))
    upload = watched.put("shop/1")

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(watched.runtime.uploads, "redraw", die)
        with pytest.raises(Killed):
            watched.deliver(upload)
    (failed,) = watched.deployed
    watched.ended(failed)
    assert watched.deliver(upload) == []
    (deployment,) = running(watched)
    assert deployment != failed
    assert (slot(watched).state, slot(watched).deployment_id) == (SlotState.DEPLOYED, deployment)


def test_an_id_is_not_drawn_for_an_upload_that_gave_way_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = refusing(ThrottledError("slow down"), times=1)
    first, second = watched.put("shop/1"), watched.put("shop/2")
    redraw = watched.runtime.uploads.redraw

    def overtaken(old: Slot, drawn: str) -> None:
        with monkeypatch.context() as back:
            back.setattr(watched.runtime.uploads, "redraw", redraw)
            assert watched.deliver(second) == []
        redraw(old, drawn)

    monkeypatch.setattr(watched.runtime.uploads, "redraw", overtaken)
    assert watched.deliver(first) == ["m0"]
    assert watched.deliver(first) == []
    assert [watched.deployed[each] for each in running(watched)] == ["shop/2"]
    assert slot(watched).upload.key == "shop/2"


def test_a_waiting_upload_that_cannot_be_started_comes_again_with_its_record() -> None:
    watched = Watched()
    watched.deliver(watched.put("shop/1"), watched.put("shop/2"))
    (first,) = watched.deployed
    watched.account.runtime.deployments.finish(first, status="Succeeded", now=watched.account.now)
    watched.runtime.executions = Refusing(watched, ThrottledError("slow down"))  # type: ignore[assignment]
    with pytest.raises(TryAgainError, match="CreateDeployment: ThrottlingException"):
        watched.ended(first)
    watched.ended(first)
    assert [watched.deployed[each] for each in running(watched)] == ["shop/1", "shop/2"]
    assert slot(watched).state is SlotState.DEPLOYED


def test_a_deployment_that_failed_by_itself_is_not_made_again() -> None:
    watched = Watched()
    upload = watched.put("shop/1")
    watched.deliver(upload)
    (first,) = watched.deployed
    error = {"code": "HEALTH_CONSTRAINTS", "message": "too many hosts failed"}
    watched.account.runtime.deployments.finish(first, status="Failed", now=watched.account.now, error=error)
    watched.ended(first)
    watched.deliver(upload)
    assert list(watched.deployed) == [first]


# --- what comes again


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        '{"source": "aws.s3", "detail-type": "Object Created"}',
        '{"source": "aws.s3", "detail-type": "Object Created", "detail": null}',
        '{"source": "aws.s3", "detail-type": "Object Created", "time": "soon", "detail": {"bucket": {"name": "b"}, '
        '"object": {"key": "k", "etag": "e"}}}',
    ],
)
def test_a_message_that_cannot_be_read_comes_again_alone(body: str) -> None:
    watched = Watched()
    bodies = [json.dumps(watched.put("shop/1")), body, json.dumps(watched.put("shop/2"))]
    records = [{"eventSource": "aws:sqs", "messageId": f"m{n}", "body": each} for n, each in enumerate(bodies)]
    assert app.run({"Records": records}, watched.runtime) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert list(watched.deployed.values()) == ["shop/1"]
    assert slot(watched).upload.key == "shop/2"


@pytest.mark.parametrize("error", [RuntimeError("nobody foresaw it"), KeyError("name"), MemoryError()])
@pytest.mark.parametrize("place", ["objects.look", "table.write", "refusals.tell"])
def test_an_unexpected_error_has_its_own_message_come_again_and_no_other(
    monkeypatch: pytest.MonkeyPatch, error: Exception, place: str
) -> None:
    watched = Watched()
    poisoned = watched.put("poisoned") if place == "refusals.tell" else watched.put("shop/poisoned")
    events = [watched.put("shop/1"), poisoned, watched.put("shop/2")]
    port, _, name = place.partition(".")
    original = getattr(getattr(watched.runtime, port), name)

    def failing(*args: Any) -> Any:
        if "poisoned" in repr(args):
            raise error
        return original(*args)

    with monkeypatch.context() as failure:
        failure.setattr(getattr(watched.runtime, port), name, failing)
        assert watched.deliver(*events) == ["m1"]
    assert list(watched.deployed.values()) == ["shop/1"]
    assert slot(watched).upload.key == "shop/2"
    assert watched.bus.told == []
    assert watched.deliver(poisoned) == [], "nothing of it is in the way of another try"


def test_one_record_of_the_stream_that_fails_holds_up_none_of_its_batch() -> None:
    watched = Watched()
    watched.add_group("test", "s3://releases/shop/")
    watched.deliver(watched.put("shop/1"), watched.put("shop/2"))
    first, second = watched.deployed
    records = []
    for each in (first, second):
        watched.account.runtime.deployments.finish(each, status="Succeeded", now=watched.account.now)
        records += watched.record_of(each)
    watched.runtime.executions = Refusing(watched, ThrottledError("slow down"))  # type: ignore[assignment]
    with pytest.raises(TryAgainError):
        app.run({"Records": records}, watched.runtime)
    assert [watched.deployed[each] for each in running(watched)] == ["shop/1", "shop/1", "shop/2"]
    app.run({"Records": records}, watched.runtime)
    assert [watched.deployed[each] for each in running(watched)] == ["shop/1", "shop/1", "shop/2", "shop/2"]
