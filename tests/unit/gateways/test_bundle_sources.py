"""Revisions in S3 of every kind: copied, validated and compiled, or refused for what is wrong with where they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.unit.gateways.test_bundles import KINDS, packed

from tidegate.api.errors import ApiError
from tidegate.api.rules.revisions import check_location
from tidegate.appspec import compile_server_appspec
from tidegate.gateways.bundles import Bundle, Bundles
from tidegate.gateways.errors import DeniedError, RevisionFault
from tidegate.model.names import revision_key

ALLOWED = ("releases-*", "team-?")
BUCKETS = ("releases-eu", "team-a")
OWN, KEY = "own-bucket", "shop/app.bin"


def appspec(script: str) -> bytes:
    return f"version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: {script}\n".encode()


@dataclass(frozen=True)
class Uploads:
    """An object and the one that took its place, with the version and the eTag of each."""

    client: Any
    bucket: str
    kind: str
    versions: tuple[str, str]
    etags: tuple[str, str]

    def deploy(self, **more: str) -> tuple[Bundle, str]:
        """The copy, and the one script that its compiled AppSpec names."""
        given = {"bucket": self.bucket, "key": KEY, "bundleType": self.kind, **more}
        location = check_location({"revisionType": "S3", "s3Location": given}, buckets=ALLOWED)
        bundles = Bundles(self.client, OWN)
        bundle = bundles.copy(location, revision_key(location))
        compiled = compile_server_appspec(bundles.appspec(bundle, f"s3://{self.bucket}/{KEY}"), os=None)
        ((script,),) = compiled.to_json()["hooks"].values()
        return bundle, script["location"]

    def fault(self, **more: str) -> RevisionFault:
        with pytest.raises(RevisionFault) as caught:
            self.deploy(**more)
        assert self.client.list_objects_v2(Bucket=OWN)["KeyCount"] == 0
        return caught.value


@pytest.fixture
def upload(cloud: Callable[[str], Any]) -> Callable[..., Uploads]:
    """Put two archives under one key, the first of which runs old.sh and the second new.sh."""
    client = cloud("s3")
    client.create_bucket(Bucket=OWN)

    def put(bucket: str, kind: str, *, versioned: bool) -> Uploads:
        client.create_bucket(Bucket=bucket)
        if versioned:
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        done = [
            client.put_object(Bucket=bucket, Key=KEY, Body=packed(kind, {"a.txt": b"a", "appspec.yml": appspec(name)}))
            for name in ("old.sh", "new.sh")
        ]
        old, new = done
        return Uploads(
            client,
            bucket,
            kind,
            (old.get("VersionId", ""), new.get("VersionId", "")),
            (old["ETag"].strip('"'), new["ETag"].strip('"')),
        )

    return put


def expect(found: tuple[Bundle, str], uploads: Uploads, number: int) -> None:
    """The copy is the archive of that number, byte for byte, and what is compiled is its AppSpec."""
    bundle, script = found
    body = uploads.client.get_object(Bucket=OWN, Key=bundle.key)["Body"].read()
    assert (script, bundle.etag, bundle.type) == (("old.sh", "new.sh")[number], uploads.etags[number], uploads.kind)
    assert (bundle.size, bundle.sha256) == (len(body), hashlib.sha256(body).hexdigest())


def etag(uploads: Uploads, number: int, how: str) -> dict[str, str]:
    value = uploads.etags[number]
    return {"absent": {}, "plain": {"eTag": value}, "quoted": {"eTag": f'"{value}"'}}[how]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "unversioned"])
@pytest.mark.parametrize("how", ["absent", "plain", "quoted"])
def test_without_a_version_the_newest_object_counts(
    upload: Callable[..., Uploads], kind: str, bucket: str, versioned: bool, how: str
) -> None:
    uploads = upload(bucket, kind, versioned=versioned)
    expect(uploads.deploy(**etag(uploads, 1, how)), uploads, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize("number", [0, 1], ids=["old", "new"])
@pytest.mark.parametrize("how", ["absent", "plain", "quoted"])
def test_a_version_counts_whether_or_not_it_is_the_newest(
    upload: Callable[..., Uploads], kind: str, bucket: str, number: int, how: str
) -> None:
    uploads = upload(bucket, kind, versioned=True)
    expect(uploads.deploy(version=uploads.versions[number], **etag(uploads, number, how)), uploads, number)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quotes", ["", '"'], ids=["plain", "quoted"])
@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "unversioned"])
def test_the_etag_of_an_object_that_was_replaced_is_refused(
    upload: Callable[..., Uploads], kind: str, quotes: str, versioned: bool
) -> None:
    uploads = upload("team-a", kind, versioned=versioned)
    fault = uploads.fault(eTag=f"{quotes}{uploads.etags[0]}{quotes}")
    assert fault.code == "INVALID_REVISION"
    assert f"has the eTag {uploads.etags[1]}, the revision names {uploads.etags[0]}" in fault.message


@pytest.mark.parametrize("kind", KINDS)
def test_the_etag_of_another_version_is_refused(upload: Callable[..., Uploads], kind: str) -> None:
    uploads = upload("team-a", kind, versioned=True)
    fault = uploads.fault(version=uploads.versions[0], eTag=uploads.etags[1])
    assert fault.code == "INVALID_REVISION"
    assert f"has the eTag {uploads.etags[0]}, the revision names {uploads.etags[1]}" in fault.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["absent", "plain", "quoted"])
def test_a_version_is_missing_from_a_bucket_without_versions(
    upload: Callable[..., Uploads], kind: str, how: str
) -> None:
    uploads = upload("team-a", kind, versioned=False)
    version = "3HL4kqtJlcpXroDTDmJrmSpXd3dIbrHY"
    fault = uploads.fault(version=version, **etag(uploads, 1, how))
    assert fault.code == "REVISION_MISSING"
    assert f"s3://team-a/{KEY} does not exist in version {version}" in fault.message


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_object_is_missing_and_its_versions_are_not(upload: Callable[..., Uploads], kind: str) -> None:
    uploads = upload("releases-eu", kind, versioned=True)
    marker = uploads.client.delete_object(Bucket="releases-eu", Key=KEY)["VersionId"]
    assert uploads.fault().code == "REVISION_MISSING"
    assert uploads.fault(version=marker).code == "REVISION_MISSING"
    expect(uploads.deploy(version=uploads.versions[1]), uploads, 1)


def test_tags_are_not_copied_for_the_role_may_neither_read_nor_write_them(upload: Callable[..., Uploads]) -> None:
    uploads = upload("team-a", "zip", versioned=True)
    tags = {"TagSet": [{"Key": "team", "Value": "a"}]}
    uploads.client.put_object_tagging(Bucket="team-a", Key=KEY, Tagging=tags)
    bundle, _ = uploads.deploy()
    assert uploads.client.get_object_tagging(Bucket=OWN, Key=bundle.key)["TagSet"] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bucket", ["strangers", "team-ab", "my-releases-eu"])
def test_a_bucket_that_no_pattern_allows_is_refused_though_the_object_is_there(
    upload: Callable[..., Uploads], kind: str, bucket: str
) -> None:
    uploads = upload(bucket, kind, versioned=False)
    with pytest.raises(ApiError, match=rf"bucket '{bucket}'.*RevisionBuckets allows releases-\*, team-\?") as caught:
        uploads.deploy()
    assert caught.value.code == "InvalidRevisionException"
    assert uploads.client.list_objects_v2(Bucket=OWN)["KeyCount"] == 0


def test_a_bucket_that_the_role_may_not_read_is_told_by_name(stubbed: Callable[[str], tuple[Any, Any]]) -> None:
    """Where a bucket lost its allowance after the deployment was made, or its owner's policy denies it."""
    client, stubber = stubbed("s3")
    stubber.add_client_error("head_object", "403", "Forbidden", http_status_code=403)
    location = {"revisionType": "S3", "s3Location": {"bucket": "strangers", "key": KEY, "bundleType": "zip"}}
    with pytest.raises(DeniedError, match=f"reading s3://strangers/{KEY}: 403"):
        Bundles(client, OWN).copy(location, "rev-1")
