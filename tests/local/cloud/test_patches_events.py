"""S3's events as rules get them: what is put right on moto's, one assertion a row. No cloud is started."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.events.models import Rule
from moto.s3 import notifications
from moto.s3.responses import S3Response

from tidegate.model.uploads import compare, upload_of
from tidegate_local.patches.s3 import _patch_events, _patch_tagging_events


class Watched:
    """A bucket whose events a rule sends on; ``told`` is what it sent, oldest first."""

    def __init__(self, told: list[dict[str, Any]]) -> None:
        self.told = told
        self.s3, events = (boto3.client(name, region_name="us-east-1") for name in ("s3", "events"))
        self.s3.create_bucket(Bucket="releases")
        self.s3.put_bucket_notification_configuration(
            Bucket="releases", NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        events.put_rule(Name="all", EventPattern=json.dumps({"source": ["aws.s3"]}))

    def put(self, key: str, body: bytes = b"x") -> Any:
        return self.s3.put_object(Bucket="releases", Key=key, Body=body)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_DATA_PATH", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # Set to what they are, so that they are so again after the test.
    for place, name in (
        (notifications, "_send_event_bridge_message"),
        (notifications, "send_event"),
        (S3Response, "put_object_tagging"),
    ):
        monkeypatch.setattr(place, name, getattr(place, name))
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(Rule, "send_to_targets", lambda _rule, event, **_: told.append(event))
    _patch_events()
    _patch_tagging_events()
    with mock_aws():
        yield Watched(told)


def test_every_event_has_an_id_of_its_own(watched: Watched) -> None:
    for key in ("a", "a", "b"):
        watched.put(key)
    ids = [each["id"] for each in watched.told]
    assert len(set(ids)) == len(ids) == 3
    assert all(str(uuid.UUID(each)) == each for each in ids)


def test_sequencers_tell_which_of_two_is_newer(watched: Watched) -> None:
    for number in range(20):
        watched.put("a", bytes([number]))
    uploads = [upload_of(each) for each in watched.told]
    assert len(uploads) == 20
    for one, other in pairwise(uploads):
        assert one is not None
        assert other is not None
        assert compare(other, one) == 1
    widths = {len(each.sequencer) for each in uploads if each}
    assert len(widths) == 1


def test_an_event_tells_the_object_as_s3_does(watched: Watched) -> None:
    etag = watched.put("shop/ä b.zip", b"content")["ETag"].strip('"')
    (event,) = watched.told
    assert (event["source"], event["detail-type"], event["resources"]) == (
        "aws.s3", "Object Created", ["arn:aws:s3:::releases"],
    )  # fmt: skip
    told = event["detail"]["object"]
    assert told == {"key": "shop/ä b.zip", "size": 7, "etag": etag, "sequencer": told["sequencer"]}
    assert (event["detail"]["bucket"], event["detail"]["reason"]) == ({"name": "releases"}, "PutObject")
    moment = datetime.fromisoformat(event["time"])
    assert abs(datetime.now(UTC) - moment) < timedelta(hours=1)


def test_the_version_is_told_where_the_bucket_keeps_versions(watched: Watched) -> None:
    watched.s3.put_bucket_versioning(Bucket="releases", VersioningConfiguration={"Status": "Enabled"})
    versions = [watched.put("a")["VersionId"] for _ in range(2)]
    assert [each["detail"]["object"]["version-id"] for each in watched.told] == versions


def copy(watched: Watched) -> None:
    watched.s3.copy_object(Bucket="releases", Key="b", CopySource={"Bucket": "releases", "Key": "a"})


def delete(watched: Watched) -> None:
    watched.s3.delete_object(Bucket="releases", Key="a")


def tag(watched: Watched) -> None:
    watched.s3.put_object_tagging(Bucket="releases", Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})


@pytest.mark.parametrize(
    ("act", "kind", "reason"),
    [
        (copy, "Object Created", "CopyObject"),
        (delete, "Object Deleted", "DeleteObject"),
        (tag, "Object Tags Added", None),
    ],
)
def test_each_kind_of_event_has_its_name_and_comes_once(
    watched: Watched, act: Callable[[Watched], None], kind: str, reason: str | None
) -> None:
    watched.put("a")
    act(watched)
    first, second = watched.told
    assert (first["detail-type"], second["detail-type"]) == ("Object Created", kind)
    assert reason in (None, second["detail"]["reason"])
    assert (upload_of(second) is not None) == (kind == "Object Created")
