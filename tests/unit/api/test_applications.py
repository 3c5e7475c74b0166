"""Applications through the door."""

from __future__ import annotations

import pytest
from tests.unit.api.world import Refused, World, s3


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


def test_renaming_keeps_all_that_is_the_applications_own(shop: World) -> None:
    before = shop.call("GetApplication", applicationName="shop")["application"]
    shop.call(
        "CreateDeploymentConfig", deploymentConfigName="c", minimumHealthyHosts={"type": "HOST_COUNT", "value": 1}
    )
    group_id = shop.group("second", deploymentConfigName="c")
    for number in range(45):
        shop.call("RegisterApplicationRevision", applicationName="shop", revision=s3(f"{number}.zip"))
    shop.end(shop.deploy("good.zip"))
    live = shop.deploy("new.zip")
    assert shop.call("UpdateApplication", applicationName="shop", newApplicationName="store") == {}
    after = shop.call("GetApplication", applicationName="store")["application"]
    assert after == {**before, "applicationName": "store"}
    assert shop.call("ListApplications") == {"applications": ["store"]}
    assert shop.call("ListDeploymentGroups", applicationName="store")["deploymentGroups"] == ["prod", "second"]
    moved = shop.call("GetDeploymentGroup", applicationName="store", deploymentGroupName="second")
    assert moved["deploymentGroupInfo"]["deploymentGroupId"] == group_id
    assert moved["deploymentGroupInfo"]["applicationName"] == "store"
    assert len(shop.call("ListApplicationRevisions", applicationName="store")["revisions"]) == 47
    listed = shop.call("ListDeployments", applicationName="store", deploymentGroupName="prod")["deployments"]
    assert listed[0] == live
    assert len(listed) == 2
    assert shop.table.query("APP#shop").items == []
    with pytest.raises(Refused) as caught:
        shop.call("DeleteDeploymentConfig", deploymentConfigName="c")
    assert caught.value.code == "DeploymentConfigInUseException"


def test_a_live_deployment_goes_on_under_the_new_name(shop: World) -> None:
    live = shop.deploy("new.zip")
    shop.call("UpdateApplication", applicationName="shop", newApplicationName="store")
    assert shop.info(live)["applicationName"] == "store"
    shop.end(live)
    group = shop.call("GetDeploymentGroup", applicationName="store", deploymentGroupName="prod")["deploymentGroupInfo"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == live
    assert group["targetRevision"] == s3("new.zip")
    shop.call("CreateDeployment", applicationName="store", deploymentGroupName="prod", revision=s3())


def test_names_that_an_application_cannot_get(shop: World) -> None:
    shop.call("CreateApplication", applicationName="other")
    assert shop.call("UpdateApplication", applicationName="shop", newApplicationName="shop") == {}
    assert shop.call("UpdateApplication", applicationName="shop") == {}
    for given, code in (
        ({"applicationName": "nobody"}, "ApplicationDoesNotExistException"),
        ({"applicationName": "nobody", "newApplicationName": "fresh"}, "ApplicationDoesNotExistException"),
        ({"applicationName": "shop", "newApplicationName": "other"}, "ApplicationAlreadyExistsException"),
        ({"applicationName": "shop", "newApplicationName": "a b"}, "InvalidApplicationNameException"),
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
