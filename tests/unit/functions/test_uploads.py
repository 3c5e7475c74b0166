"""Push to deploy: what becomes of uploads, whatever their order, and of those that cannot be used."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.functions.machine import Killed
from tests.unit.functions.uploads import Watched, archive

from tidegate.gateways.errors import DeniedError, ThrottledError
from tidegate.store.uploads import SlotState

SAMPLE = json.loads((Path(__file__).parents[3] / "events" / "on_revision_upload.json").read_text())


def test_an_upload_is_registered_and_deployed_to_the_group_that_follows() -> None:
    watched = Watched()
    upload = watched.put("shop/any/name", version="v-1", metadata={"tidegate-description": "the first"})
    assert watched.deliver(upload) == []
    (revision,) = watched.registered
    assert revision == {
        "bucket": "releases",
        "key": "shop/any/name",
        "bundleType": "zip",
        "eTag": upload["detail"]["object"]["etag"],
        "version": "v-1",
    }
    (deployment,) = watched.deployed
    item = watched.account.deployment(deployment)
    assert (item["description"], item["creator"]) == ("the first", "user")
    assert item["caller"].endswith(":function:on-revision-upload")
    assert watched.account.executions[f"{deployment}-1"].status == "RUNNING"


def test_a_repeated_event_deploys_once() -> None:
    watched = Watched()
    upload = watched.put("shop/1")
    watched.deliver(upload, upload)
    watched.deliver(upload)
    assert list(watched.deployed.values()) == ["shop/1"]
    assert watched.bus.told == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_in_any_order_the_newest_is_deployed_last_and_each_is_registered(order: tuple[int, ...]) -> None:
    watched = Watched()
    uploads = [watched.put("shop/app.zip", archive(str(n)), version=f"v-{n}") for n in range(3)]
    watched.deliver(*(uploads[n] for n in order))
    for _ in range(2):
        last = list(watched.deployed)[-1]
        watched.account.runtime.deployments.finish(last, status="Stopped", now=watched.account.now)
        watched.ended(last)
    items = [watched.account.deployment(each) for each in watched.deployed]
    versions = [item["location"]["s3Location"]["version"] for item in items]
    assert versions[-1] == "v-2"
    assert versions == sorted(set(versions))
    assert len(watched.registered) == 3


def test_the_newest_waits_for_a_busy_group_and_the_one_between_gives_way() -> None:
    watched = Watched()
    watched.deliver(watched.put("shop/1"), watched.put("shop/2"), watched.put("shop/3"))
    (first,) = watched.deployed
    slot = watched.runtime.uploads.slot("group-1")
    assert slot is not None
    assert (slot.upload.key, slot.state) == ("shop/3", SlotState.WAITING)
    assert first in slot.reason
    watched.account.runtime.deployments.finish(first, status="Failed", now=watched.account.now)
    watched.ended(first)
    watched.ended(first)
    assert list(watched.deployed.values()) == ["shop/1", "shop/3"]


def test_an_overwritten_object_is_left_to_the_newer_event() -> None:
    watched = Watched()
    old = watched.put("shop/1", archive("old"))
    new = watched.put("shop/1", archive("new"))
    watched.deliver(old)
    assert watched.deployed == {}
    watched.deliver(new)
    assert len(watched.deployed) == 1
    assert watched.bus.told == []


@pytest.mark.parametrize("data", [b"\x00\x01junk", b"version: 0.0\n", b"", b"\x1f\x8bnothing"])
def test_what_is_no_bundle_is_told(data: bytes) -> None:
    watched = Watched()
    assert watched.deliver(watched.put("shop/x.zip", data)) == []
    (told,) = watched.bus.told
    assert (told["code"], told["bucket"], told["key"]) == ("NotABundle", "releases", "shop/x.zip")
    assert (watched.registered, watched.deployed) == ([], {})


def test_what_cannot_be_placed_is_told_with_the_remedy() -> None:
    watched = Watched()
    watched.deliver(
        watched.put("loose.zip"),
        watched.put("unknown/1.zip"),
        watched.put("x", metadata={"tidegate-application": "shop", "tidegate-group": "other"}),
        watched.put("shop/1", bucket="elsewhere"),
    )
    codes = [each["code"] for each in watched.bus.told]
    assert codes == ["NoApplication", "ApplicationDoesNotExistException", "GroupDoesNotFollow", "BucketNotAllowed"]
    assert "tidegate:follow" in watched.bus.told[2]["reason"]
    assert watched.deployed == {}


def test_a_refused_deployment_is_told_and_does_not_come_again() -> None:
    watched = Watched()
    watched.deliver(watched.put("shop/1", metadata={"tidegate-deployment-config": "None.Such"}))
    (told,) = watched.bus.told
    assert told["code"] == "DeploymentConfigDoesNotExistException"
    slot = watched.runtime.uploads.slot("group-1")
    assert slot is not None
    assert slot.state is SlotState.REFUSED


def test_groups_are_chosen_by_place_name_and_labels() -> None:
    watched = Watched("by-name")
    watched.add_group("test", "s3://releases/all/ s3://releases/more/")
    watched.deliver(watched.put("shop/prod/1"), watched.put("shop/2"))
    watched.deliver(watched.put("all/3"))
    watched.deliver(watched.put("all/4", tags={"tidegate:application": "shop", "tidegate:group": "prod"}))
    groups = [(watched.account.deployment(each)["deploymentGroupName"], key) for each, key in watched.deployed.items()]
    assert groups == [("prod", "shop/prod/1"), ("test", "all/3")]
    slot = watched.runtime.uploads.slot("group-1")
    assert slot is not None
    assert slot.upload.key == "all/4", "it waits for prod"


@pytest.mark.parametrize("fault", [DeniedError("no"), ThrottledError("later")])
def test_what_cannot_be_read_now_comes_again_and_holds_up_nothing(fault: Exception) -> None:
    watched = Watched()
    upload = watched.put("shop/1")
    watched.bucket.fault = fault
    assert watched.deliver(upload, {"source": "aws.s3", "detail-type": "Object Deleted"}) == ["m0"]
    watched.bucket.fault = None
    assert watched.deliver(upload) == []
    assert len(watched.deployed) == 1


def test_whoever_dies_before_the_start_is_followed_by_one_who_starts_it() -> None:
    watched = Watched()
    upload = watched.put("shop/1")

    class Dead:
        def start(self, *_: object) -> None:
            raise Killed

    watched.runtime.executions = Dead()  # type: ignore[assignment]
    with suppress(Killed):
        watched.deliver(upload)
    watched.runtime.executions = watched.account  # type: ignore[assignment]
    watched.deliver(upload)
    last = list(watched.deployed)[-1]
    assert watched.account.executions[f"{last}-1"].status == "RUNNING"
    assert watched.deployed[last] == "shop/1"


def test_the_sample_event_and_folders() -> None:
    watched = Watched()
    body = json.loads(SAMPLE["Records"][0]["body"])
    told = body["detail"]["object"]
    watched.put(told["key"], version=told["version-id"])
    key = ("releases", told["key"], told["version-id"])
    look = watched.bucket.kept[key]
    watched.bucket.kept[key] = type(look)(told["etag"], look.head)
    assert watched.deliver(body, watched.put("shop/folder/", b"")) == []
    assert list(watched.deployed.values()) == ["shop/prod/v1.zip"]
    assert watched.bus.told == []
