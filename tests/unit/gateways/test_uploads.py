"""Uploaded objects as S3 has them, and the bus that is told of those that cannot be used."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto.core import set_initial_no_auth_action_count

from tidegate.gateways.errors import DeniedError, ThrottledError, UnavailableError
from tidegate.gateways.uploads import REFUSED, Look, Refusals, UploadedObjects
from tidegate.model.bundle_kinds import HEAD
from tidegate.model.uploads import Upload

KEY = "shop/app v1.zip"
RESOURCE = "arn:aws:s3:::releases"


def upload(key: str = KEY, version: str = "", bucket: str = "releases") -> Upload:
    return Upload(bucket, key, version, "ab", 10, "01", 0.0)


class Releases:
    """A watched bucket."""

    def __init__(self, client: Any) -> None:
        self.client = client
        client.create_bucket(Bucket="releases")
        self.objects = UploadedObjects(client)

    def put(self, body: bytes, **more: Any) -> Any:
        return self.client.put_object(Bucket="releases", Key=KEY, Body=body, **more)

    def keep_versions(self) -> None:
        self.client.put_bucket_versioning(Bucket="releases", VersioningConfiguration={"Status": "Enabled"})


@pytest.fixture
def releases(cloud: Callable[[str], Any]) -> Releases:
    return Releases(cloud("s3"))


# --- looking at objects


def test_a_look_gives_etag_beginning_metadata_and_tags(releases: Releases) -> None:
    etag = releases.put(b"content", Metadata={"tidegate-group": "prod"}, Tagging="tidegate%3Aapplication=shop&b=")[
        "ETag"
    ]
    expected = Look(etag.strip('"'), b"content", {"tidegate-group": "prod"}, {"tidegate:application": "shop", "b": ""})
    assert releases.objects.look(upload()) == expected


@pytest.mark.parametrize("size", [1, HEAD - 1, HEAD, HEAD + 1, 5 * HEAD])
def test_of_a_large_object_only_the_beginning_is_read(releases: Releases, size: int) -> None:
    content = bytes(n % 251 for n in range(size))
    releases.put(content)
    asked = []
    releases.client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request))
    look = releases.objects.look(upload())
    assert look is not None
    assert look.head == content[:HEAD]
    (request,) = asked
    assert request.headers["Range"].decode() == f"bytes=0-{HEAD - 1}"


def test_an_object_that_is_empty_by_now_is_seen_as_such(releases: Releases) -> None:
    etag = releases.put(b"", Metadata={"a": "b"})["ETag"].strip('"')
    assert releases.objects.look(upload()) == Look(etag, b"", {"a": "b"})


def test_each_version_is_seen_as_itself(releases: Releases) -> None:
    releases.keep_versions()
    first = releases.put(b"first", Tagging="n=1", Metadata={"n": "1"})
    second = releases.put(b"second", Tagging="n=2", Metadata={"n": "2"})
    for put, number, content in ((first, "1", b"first"), (second, "2", b"second")):
        look = releases.objects.look(upload(version=put["VersionId"]))
        assert look == Look(put["ETag"].strip('"'), content, {"n": number}, {"n": number})
    latest = releases.objects.look(upload())
    assert latest is not None
    assert latest.head == b"second"


def test_a_version_outlives_the_deletion_of_its_key(releases: Releases) -> None:
    releases.keep_versions()
    version = releases.put(b"first")["VersionId"]
    marker = releases.client.delete_object(Bucket="releases", Key=KEY)["VersionId"]
    assert releases.objects.look(upload()) is None
    assert releases.objects.look(upload(version=marker)) is None
    look = releases.objects.look(upload(version=version))
    assert look is not None
    assert look.head == b"first"
    releases.client.delete_object(Bucket="releases", Key=KEY, VersionId=version)
    assert releases.objects.look(upload(version=version)) is None


def test_what_is_gone_is_none(releases: Releases) -> None:
    assert releases.objects.look(upload()) is None
    assert releases.objects.look(upload(bucket="never-there")) is None


def test_an_object_that_goes_between_its_reading_and_its_tags_is_gone(releases: Releases) -> None:
    releases.put(b"content", Tagging="a=b")

    def delete(**_: object) -> None:
        releases.client.delete_object(Bucket="releases", Key=KEY)

    releases.client.meta.events.register("before-call.s3.GetObjectTagging", delete)
    assert releases.objects.look(upload()) is None


def test_what_a_role_may_not_read_is_denied_and_not_gone(cloud: Callable[[str], Any]) -> None:
    releases = Releases(cloud("s3"))
    releases.put(b"content")
    iam = cloud("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    reading = set_initial_no_auth_action_count(0)(lambda: UploadedObjects(client).look(upload()))
    with pytest.raises(DeniedError, match=r"reading s3://releases/shop/app v1\.zip: AccessDenied"):
        reading()


def test_what_the_buckets_policy_denies_is_denied(releases: Releases) -> None:
    releases.put(b"content")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{RESOURCE}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    releases.client.put_bucket_policy(Bucket="releases", Policy=policy)
    with pytest.raises(DeniedError, match="reading s3://releases/"):
        releases.objects.look(upload())


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("SlowDown", 503, ThrottledError),
        ("AccessDenied", 403, DeniedError),
        ("InvalidObjectState", 403, UnavailableError),
        ("InternalError", 500, UnavailableError),
    ],
)
@pytest.mark.parametrize("call", ["get_object", "get_object_tagging"])
def test_other_errors_of_s3_are_told_by_kind(
    releases: Releases, code: str, status: int, error: type[Exception], call: str
) -> None:
    tagged = {"Body": io.BytesIO(b"x"), "ETag": '"ab"', "TagCount": 1, "Metadata": {}}
    with Stubber(releases.client) as stubber:
        if call == "get_object_tagging":
            stubber.add_response("get_object", tagged, {"Bucket": "releases", "Key": KEY, "Range": ANY})
        stubber.add_client_error(call, code, "not now", http_status_code=status)
        with pytest.raises(error, match=f"reading s3://releases/shop/app v1.zip: {code}: not now"):
            releases.objects.look(upload())


# --- telling the bus


def test_a_refusal_is_told_as_one_event_of_the_source(cloud: Callable[[str], Any]) -> None:
    events, sqs = cloud("events"), cloud("sqs")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="refused", EventPattern=json.dumps({"source": ["tidegate"]}))
    events.put_targets(Rule="refused", Targets=[{"Id": "told", "Arn": arn}])
    Refusals(events, "tidegate").tell({"code": "NotABundle", "key": "shop/ä.zip"}, RESOURCE)
    Refusals(events, "").tell({"code": "Gone"}, RESOURCE)
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    (told,) = (json.loads(each["Body"]) for each in messages)
    assert (told["source"], told["detail-type"], told["resources"]) == ("tidegate", REFUSED, [RESOURCE])
    assert told["detail"] == {"code": "NotABundle", "key": "shop/ä.zip"}


def test_an_entry_that_the_bus_did_not_take_is_an_error(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stubber = stubbed("events")
    stubber.add_response(
        "put_events", {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "x"}]}
    )
    with pytest.raises(ThrottledError, match="telling of a refused upload: ThrottlingException"):
        Refusals(client, "tidegate").tell({}, RESOURCE)


def test_a_bus_that_may_not_be_told_is_an_error(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stubber = stubbed("events")
    stubber.add_client_error("put_events", "AccessDeniedException", "no right")
    with pytest.raises(DeniedError, match="telling of a refused upload: AccessDeniedException: no right"):
        Refusals(client, "tidegate").tell({}, RESOURCE)
