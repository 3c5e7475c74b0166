"""Applications through the door."""

from __future__ import annotations

import pytest
from tests.unit.api.world import Refused, World, s3

from tidegate.store.configs import DEFAULT_CONFIG
from tidegate.store.memory import MemoryTable
from tidegate.store.table import Delete, Put, Write


def test_an_application_comes_back_as_created(world: World) -> None:
    made = world.call("CreateApplication", applicationName="shop", tags=[{"Key": "team", "Value": "a"}])
    assert world.call("GetApplication", applicationName="shop")["application"] == {
        "applicationId": made["applicationId"],
        "applicationName": "shop",
        "createTime": 1764000000.25,
        "linkedToGitHub": False,
        "computePlatform": "Server",
    }


def test_a_name_is_taken_once(shop: World) -> None:
    with pytest.raises(Refused) as caught:
        shop.call("CreateApplication", applicationName="shop")
    assert caught.value.code == "ApplicationAlreadyExistsException"


@pytest.mark.parametrize("platform", ["Server", "Lambda", "ECS"])
def test_every_platform(world: World, platform: str) -> None:
    world.call("CreateApplication", applicationName="shop", computePlatform=platform)
    found = world.call("GetApplication", applicationName="shop")["application"]
    assert found["computePlatform"] == platform


def test_an_unknown_platform(world: World) -> None:
    with pytest.raises(Refused) as caught:
        world.call("CreateApplication", applicationName="shop", computePlatform="Mainframe")
    assert caught.value.code == "InvalidComputePlatformException"


@pytest.mark.parametrize("tag", [{"Key": "aws:x", "Value": "v"}, {"Key": "k" * 129}, {"Value": "v"}])
def test_tags_that_are_not_taken(world: World, tag: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        world.call("CreateApplication", applicationName="shop", tags=[tag])
    assert caught.value.code == "InvalidTagsToAddException"


def test_pages_of_applications(world: World) -> None:
    names = [f"app-{number:03}" for number in range(205)]
    for name in names:
        world.call("CreateApplication", applicationName=name)
    seen: list[str] = []
    token: dict[str, str] = {}
    pages = 0
    while True:
        answer = world.call("ListApplications", **token)
        seen += answer["applications"]
        pages += 1
        if "nextToken" not in answer:
            break
        token = {"nextToken": answer["nextToken"]}
    assert (seen, pages) == (names, 3)


def test_exactly_one_page_has_no_token(world: World) -> None:
    for number in range(100):
        world.call("CreateApplication", applicationName=f"app-{number:03}")
    assert "nextToken" not in world.call("ListApplications")


@pytest.mark.parametrize("token", ["nonsense", "e30=", "WyJ4Iiwge31d", "é", "bnVsbA=="])
def test_a_token_of_elsewhere_is_refused(world: World, token: str) -> None:
    with pytest.raises(Refused) as caught:
        world.call("ListApplications", nextToken=token)
    assert caught.value.code == "InvalidNextTokenException"


def test_a_token_belongs_to_its_question(world: World) -> None:
    for number in range(101):
        world.call("CreateApplication", applicationName=f"app-{number:03}")
    token = world.call("ListApplications")["nextToken"]
    with pytest.raises(Refused) as caught:
        world.call("ListDeploymentConfigs", nextToken=token)
    assert caught.value.code == "InvalidNextTokenException"


def test_a_token_belongs_to_its_filters(world: World) -> None:
    world.shop()
    for _ in range(101):
        world.end(world.deploy())
    token = world.call("ListDeployments")["nextToken"]
    assert len(world.call("ListDeployments", nextToken=token)["deployments"]) == 1
    with pytest.raises(Refused) as caught:
        world.call("ListDeployments", includeOnlyStatuses=["Failed"], nextToken=token)
    assert caught.value.code == "InvalidNextTokenException"


def test_a_batch_of_applications(shop: World) -> None:
    found = shop.call("BatchGetApplications", applicationNames=["shop", "shop"])["applicationsInfo"]
    assert [each["applicationName"] for each in found] == ["shop"]
    with pytest.raises(Refused) as caught:
        shop.call("BatchGetApplications", applicationNames=["shop", "nobody"])
    assert caught.value.code == "ApplicationDoesNotExistException"
    with pytest.raises(Refused) as caught:
        shop.call("BatchGetApplications", applicationNames=["a"] * 101)
    assert caught.value.code == "BatchLimitExceededException"


def test_renaming(shop: World) -> None:
    shop.call("CreateApplication", applicationName="other")
    assert shop.call("UpdateApplication", applicationName="shop", newApplicationName="shop") == {}
    for given, code in (
        ({"applicationName": "nobody"}, "ApplicationDoesNotExistException"),
        ({"applicationName": "shop", "newApplicationName": "other"}, "ApplicationAlreadyExistsException"),
        ({"applicationName": "shop", "newApplicationName": "fresh"}, "UnsupportedOperationException"),
    ):
        with pytest.raises(Refused) as caught:
            shop.call("UpdateApplication", **given)
        assert caught.value.code == code


def test_deleting_takes_groups_and_revisions_along(shop: World) -> None:
    shop.call("RegisterApplicationRevision", applicationName="shop", revision=s3())
    shop.call(
        "CreateDeploymentConfig", deploymentConfigName="c", minimumHealthyHosts={"type": "HOST_COUNT", "value": 1}
    )
    shop.group("second", deploymentConfigName="c")
    shop.call("DeleteApplication", applicationName="shop")
    shop.call("DeleteApplication", applicationName="shop")
    assert shop.call("ListApplications") == {"applications": []}
    assert shop.table.query("APP#shop").items == []
    assert shop.call("DeleteDeploymentConfig", deploymentConfigName="c") == {}


class LateGroup(MemoryTable):
    """A table in which a group appears just before its application goes."""

    def write(self, *writes: Write) -> None:
        if writes == (Delete(("APP#shop", "APP")),):
            late = {"applicationName": "shop", "deploymentGroupName": "late", "deploymentConfigName": DEFAULT_CONFIG}
            super().write(Put({"PK": "APP#shop", "SK": "GROUP#late", "deploymentGroupId": "g", "info": late}))
        super().write(*writes)


def test_a_group_made_while_its_application_goes_does_not_stay(world: World) -> None:
    world.table = LateGroup()
    world.shop()
    world.call("DeleteApplication", applicationName="shop")
    assert world.table.query("APP#shop").items == []
