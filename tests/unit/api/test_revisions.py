"""Revisions through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import Refused, World, s3

GITHUB = {"revisionType": "GitHub", "gitHubLocation": {"repository": "me/shop", "commitId": "a" * 40}}


def register(world: World, revision: dict[str, Any], **given: Any) -> None:
    assert world.call("RegisterApplicationRevision", applicationName="shop", revision=revision, **given) == {}


def got(world: World, revision: dict[str, Any]) -> dict[str, Any]:
    return world.call("GetApplicationRevision", applicationName="shop", revision=revision)


def listed(world: World, **given: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.call("ListApplicationRevisions", applicationName="shop", **given)["revisions"]
    return found


def keys(world: World, **given: Any) -> list[str]:
    return [each["s3Location"]["key"] for each in listed(world, **given)]


def test_a_revision_comes_back_as_registered(shop: World) -> None:
    register(shop, s3(eTag="e", version="7"), description="one")
    answer = got(shop, s3(eTag="e", version="7"))
    assert answer == {
        "applicationName": "shop",
        "revision": s3(eTag="e", version="7"),
        "revisionInfo": {"description": "one", "deploymentGroups": [], "registerTime": shop.now},
    }
    shop.now += 5
    register(shop, s3(eTag="e", version="7"), description="two")
    assert got(shop, s3(eTag="e", version="7"))["revisionInfo"]["description"] == "two"
    assert len(listed(shop)) == 1


def test_another_etag_is_another_revision(shop: World) -> None:
    register(shop, s3(eTag="e"))
    with pytest.raises(Refused) as caught:
        got(shop, s3())
    assert caught.value.code == "RevisionDoesNotExistException"
    assert got(shop, s3(eTag='"e"'))["revision"] == s3(eTag="e")


def test_use_and_the_groups_it_is_in(shop: World) -> None:
    register(shop, s3())
    shop.now += 10
    deployment_id = shop.deploy()
    info = got(shop, s3())["revisionInfo"]
    assert (info["firstUsedTime"], info["lastUsedTime"], info["deploymentGroups"]) == (shop.now, shop.now, [])
    shop.end(deployment_id)
    assert got(shop, s3())["revisionInfo"]["deploymentGroups"] == ["prod"]
    assert (keys(shop, deployed="include"), keys(shop, deployed="exclude")) == (["v1.zip"], [])


def test_a_deployment_registers_its_revision(shop: World) -> None:
    deployment_id = shop.deploy("new.zip")
    assert deployment_id in got(shop, s3("new.zip"))["revisionInfo"]["description"]


def test_a_github_revision_may_be_registered(shop: World) -> None:
    register(shop, GITHUB)
    assert got(shop, GITHUB)["revision"] == GITHUB
    assert listed(shop, s3Bucket="releases") == []


S3 = s3()["s3Location"]
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("no type", {"s3Location": S3}, "revisionType"),
    ("unknown type", {"revisionType": "Tape"}, "revisionType"),
    ("no payload", {"revisionType": "S3"}, "s3Location"),
    ("another's payload", {"revisionType": "S3", "gitHubLocation": {"repository": "a/b"}}, "gitHubLocation"),
    ("two payloads", {**s3(), "gitHubLocation": {"repository": "a/b"}}, "gitHubLocation"),
    ("no bucket", {"revisionType": "S3", "s3Location": {"key": "k", "bundleType": "zip"}}, "bucket"),
    ("no key", {"revisionType": "S3", "s3Location": {"bucket": "releases", "key": "", "bundleType": "zip"}}, "key"),
    ("no bundle type", {"revisionType": "S3", "s3Location": {"bucket": "releases", "key": "k"}}, "bundleType"),
    ("unknown bundle type", {"revisionType": "S3", "s3Location": {**S3, "bundleType": "rar"}}, "bundleType"),
    ("a bundle of Lambda's", {"revisionType": "S3", "s3Location": {**S3, "bundleType": "YAML"}}, "zip, tgz, tar"),
    ("a bucket from elsewhere", s3(bucket="strangers"), "RevisionBuckets"),
    (
        "repository",
        {"revisionType": "GitHub", "gitHubLocation": {"repository": "x", "commitId": "a" * 40}},
        "repository",
    ),
    (
        "a parent for an owner",
        {"revisionType": "GitHub", "gitHubLocation": {"repository": "../x", "commitId": "a" * 40}},
        "repository",
    ),
    ("commit", {"revisionType": "GitHub", "gitHubLocation": {"repository": "a/b", "commitId": "main"}}, "commitId"),
    ("text", {"revisionType": "String", "string": {"content": "x"}}, "S3, GitHub"),
    ("AppSpec", {"revisionType": "AppSpecContent", "appSpecContent": {"content": "x"}}, "S3, GitHub"),
]


@pytest.mark.parametrize(("revision", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_locations_that_are_refused(shop: World, revision: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        register(shop, revision)
    assert caught.value.code == "InvalidRevisionException"
    with pytest.raises(Refused) as caught:
        shop.deploy(revision=revision)
    assert caught.value.code == "InvalidRevisionException"
    assert listed(shop) == []


def test_buckets_by_pattern(shop: World) -> None:
    register(shop, s3(bucket="team-a"))
    shop.buckets = ("*",)
    register(shop, s3(bucket="anything"))
    shop.buckets = ()
    with pytest.raises(Refused, match="allows none"):
        register(shop, s3())


def test_the_order_and_filters_of_a_list(shop: World) -> None:
    for time, (key, bucket) in enumerate([("b/1", "releases"), ("a/2", "releases"), ("a/3", "team-a")]):
        shop.now = 1764000000.0 + time
        register(shop, s3(key, bucket))
    assert keys(shop) == ["b/1", "a/2", "a/3"]
    assert keys(shop, sortOrder="descending") == ["a/3", "a/2", "b/1"]
    assert keys(shop, s3Bucket="releases") == ["b/1", "a/2"]
    assert keys(shop, s3Bucket="releases", s3KeyPrefix="a/") == ["a/2"]
    shop.now += 1
    shop.end(shop.deploy(revision=s3("a/2")))
    shop.now += 1
    shop.end(shop.deploy(revision=s3("b/1")))
    assert keys(shop, sortBy="lastUsedTime") == ["a/3", "a/2", "b/1"]
    assert keys(shop, sortBy="firstUsedTime", sortOrder="descending") == ["b/1", "a/2", "a/3"]
    with pytest.raises(Refused) as caught:
        listed(shop, s3KeyPrefix="a/")
    assert caught.value.code == "BucketNameFilterRequiredException"


def test_pages_of_revisions(shop: World) -> None:
    for number in range(150):
        shop.now += 1
        register(shop, s3(f"{number:03}"))
    first = shop.call("ListApplicationRevisions", applicationName="shop", sortOrder="descending")
    rest = shop.call(
        "ListApplicationRevisions", applicationName="shop", sortOrder="descending", nextToken=first["nextToken"]
    )
    found = [each["s3Location"]["key"] for each in first["revisions"] + rest["revisions"]]
    assert found == [f"{number:03}" for number in range(149, -1, -1)]
    assert "nextToken" not in rest


def test_a_batch_tells_what_it_did_not_find(shop: World) -> None:
    register(shop, s3())
    answer = shop.call("BatchGetApplicationRevisions", applicationName="shop", revisions=[s3("no"), s3(), s3()])
    assert [each["revisionLocation"] for each in answer["revisions"]] == [s3()]
    assert answer["errorMessage"] == "1 of the revisions are not registered."
    with pytest.raises(Refused) as caught:
        shop.call("BatchGetApplicationRevisions", applicationName="shop", revisions=[s3()] * 26)
    assert caught.value.code == "BatchLimitExceededException"


def test_an_application_that_is_not_there(world: World) -> None:
    for operation in ("RegisterApplicationRevision", "GetApplicationRevision", "ListApplicationRevisions"):
        with pytest.raises(Refused) as caught:
            world.call(operation, applicationName="no", revision=s3())
        assert caught.value.code == "ApplicationDoesNotExistException"


def test_a_description_has_256_characters(shop: World) -> None:
    register(shop, s3(), description="x" * 256)
    with pytest.raises(Refused) as caught:
        register(shop, s3(), description="x" * 257)
    assert caught.value.code == "DescriptionTooLongException"
