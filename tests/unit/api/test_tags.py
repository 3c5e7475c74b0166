"""Tags through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import Refused, World

from tidegate.store.memory import MemoryTable
from tidegate.store.table import Item, Key, Update

PLACE = "arn:aws:codedeploy:us-east-1:123456789012"
SHOP, PROD = f"{PLACE}:application:shop", f"{PLACE}:deploymentgroup:shop/prod"


def tags_of(world: World, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in world.call("ListTagsForResource", ResourceArn=arn)["Tags"]}


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.mark.parametrize("arn", [SHOP, PROD])
def test_tags_come_and_go(shop: World, arn: str) -> None:
    assert tags_of(shop, arn) == {}
    shop.call("TagResource", ResourceArn=arn, Tags=[*pairs(team="a", cost="7"), {"Key": "bare"}])
    shop.call("TagResource", ResourceArn=arn, Tags=pairs(team="b"))
    assert tags_of(shop, arn) == {"bare": "", "cost": "7", "team": "b"}
    shop.call("UntagResource", ResourceArn=arn, TagKeys=["cost", "nothing"])
    assert tags_of(shop, arn) == {"bare": "", "team": "b"}
    assert tags_of(shop, PROD if arn == SHOP else SHOP) == {}


def test_tags_of_the_creation_are_listed(world: World) -> None:
    world.call("CreateApplication", applicationName="shop", tags=pairs(team="a"))
    world.group("prod", tags=pairs(stage="p"))
    assert (tags_of(world, SHOP), tags_of(world, PROD)) == ({"team": "a"}, {"stage": "p"})


def test_fifty_tags_and_no_more(shop: World) -> None:
    shop.call("TagResource", ResourceArn=SHOP, Tags=pairs(**{f"k{n}": "v" for n in range(50)}))
    shop.call("TagResource", ResourceArn=SHOP, Tags=pairs(k7="other"))
    with pytest.raises(Refused, match="50 tags; with these it would have 51") as caught:
        shop.call("TagResource", ResourceArn=SHOP, Tags=pairs(one="more"))
    assert caught.value.code == "InvalidTagsToAddException"
    assert len(tags_of(shop, SHOP)) == 50


@pytest.mark.parametrize(
    "tags",
    [
        pairs(**{"aws:x": "v"}),
        pairs(**{"AWS:x": "v"}),
        pairs(**{"k" * 129: "v"}),
        pairs(k="v" * 257),
        [{"Value": "v"}],
        [*pairs(k="v"), *pairs(k="w")],
        pairs(**{f"k{n}": "v" for n in range(51)}),
    ],
)
def test_tags_that_are_not_taken(shop: World, tags: list[dict[str, str]]) -> None:
    with pytest.raises(Refused) as caught:
        shop.call("TagResource", ResourceArn=SHOP, Tags=tags)
    assert caught.value.code == "InvalidTagsToAddException"
    assert tags_of(shop, SHOP) == {}


@pytest.mark.parametrize("operation", ["TagResource", "UntagResource", "ListTagsForResource"])
@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("shop", "InvalidArn"),
        ("arn:aws:s3:::bucket", "InvalidArn"),
        (f"{PLACE}:application:", "InvalidArn"),
        (f"{PLACE}:application:a b", "InvalidArn"),
        (f"{PLACE}:application:shop/prod", "InvalidArn"),
        (f"{PLACE}:deploymentgroup:shop", "InvalidArn"),
        (f"{PLACE}:deploymentgroup:shop/prod/x", "InvalidArn"),
        (f"{PLACE}:pipeline:shop", "InvalidArn"),
        ("arn:aws:codedeploy:eu-west-1:123456789012:application:shop", "InvalidArn"),
        ("arn:aws:codedeploy:us-east-1:999999999999:application:shop", "InvalidArn"),
        (f"{PLACE}:deploymentconfig:CodeDeployDefault.OneAtATime", "ArnNotSupported"),
        (f"{PLACE}:instance/box", "ArnNotSupported"),
    ],
)
def test_arns_that_are_not_taken(shop: World, operation: str, arn: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        shop.call(operation, ResourceArn=arn, Tags=pairs(k="v"), TagKeys=["k"])
    assert caught.value.code == f"{code}Exception"


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (f"{PLACE}:application:nobody", "ApplicationDoesNotExist"),
        (f"{PLACE}:deploymentgroup:shop/nobody", "DeploymentGroupDoesNotExist"),
        (f"{PLACE}:deploymentgroup:nobody/prod", "DeploymentGroupDoesNotExist"),
    ],
)
def test_resources_that_are_not_there(shop: World, arn: str, code: str) -> None:
    for operation, expected in (("TagResource", code), ("UntagResource", code), ("ListTagsForResource", "InvalidArn")):
        with pytest.raises(Refused) as caught:
            shop.call(operation, ResourceArn=arn, Tags=pairs(k="v"), TagKeys=["k"])
        assert caught.value.code == f"{expected}Exception"
    assert shop.table.query("APP#nobody").items == []


def test_tags_survive_a_change_of_the_group_and_go_with_it(shop: World) -> None:
    shop.call("TagResource", ResourceArn=PROD, Tags=pairs(k="v"))
    names = {"applicationName": "shop", "currentDeploymentGroupName": "prod"}
    shop.call("UpdateDeploymentGroup", **names, newDeploymentGroupName="live")
    assert tags_of(shop, f"{PLACE}:deploymentgroup:shop/live") == {"k": "v"}
    shop.call("DeleteDeploymentGroup", applicationName="shop", deploymentGroupName="live")
    shop.group("live")
    assert tags_of(shop, f"{PLACE}:deploymentgroup:shop/live") == {}


class Rival(MemoryTable):
    """A table in which somebody else tags between the first read and the write."""

    done = False

    def get(self, key: Key) -> Item | None:
        item = super().get(key)
        if item is not None and item.get("tags") == [] and not self.done:
            self.done = True
            self.write(Update(key, set={"tags": pairs(rival="r")}))
        return item


def test_concurrent_tags_are_both_kept(world: World) -> None:
    world.table = Rival()
    world.table.done = True
    world.shop()
    world.table.done = False
    world.call("TagResource", ResourceArn=SHOP, Tags=pairs(mine="m"))
    assert tags_of(world, SHOP) == {"mine": "m", "rival": "r"}


def test_a_token_that_was_never_given_is_refused(shop: World) -> None:
    given: dict[str, Any] = {"ResourceArn": SHOP, "NextToken": "x"}
    with pytest.raises(Refused) as caught:
        shop.call("ListTagsForResource", **given)
    assert caught.value.code == "ValidationException"
