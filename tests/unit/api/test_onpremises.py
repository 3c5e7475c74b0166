"""On-premises instances through the door."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.world import Refused, World

USER = "arn:aws:iam::123456789012:user/"
SESSION = "arn:aws:sts::123456789012:assumed-role/hosts/"


def registered(world: World, *names: str, **tags: str) -> None:
    for name in names:
        world.call("RegisterOnPremisesInstance", instanceName=name, iamSessionArn=f"{SESSION}{name}-x")
    if tags:
        given = [{"Key": key, "Value": value} for key, value in tags.items()]
        world.call("AddTagsToOnPremisesInstances", instanceNames=list(names), tags=given)


def info(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = world.call("GetOnPremisesInstance", instanceName=name)["instanceInfo"]
    return found


def listed(world: World, **given: Any) -> list[str]:
    names: list[str] = world.call("ListOnPremisesInstances", **given)["instanceNames"]
    return names


def refused(world: World, operation: str, **given: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        world.call(operation, **given)
    return caught.value


def test_an_instance_comes_back_as_registered(world: World) -> None:
    world.call("RegisterOnPremisesInstance", instanceName="box_1", iamUserArn=f"{USER}fleet/box_1")
    found = info(world, "box_1")
    arn = found.pop("instanceArn")
    assert found == {
        "instanceName": "box_1",
        "iamUserArn": f"{USER}fleet/box_1",
        "registerTime": 1764000000.25,
        "tags": [],
    }
    prefix, _, suffix = arn.rpartition("_")
    assert (prefix, len(suffix)) == ("arn:aws:codedeploy:us-east-1:123456789012:instance/box_1", 10)


@pytest.mark.parametrize("name", ["i-0123456789abcdef0", "i-x", "a b", "a/b", "ä", "a" * 101, "a:b"])
@pytest.mark.parametrize(
    "operation", ["RegisterOnPremisesInstance", "DeregisterOnPremisesInstance", "GetOnPremisesInstance"]
)
def test_names_that_are_not_taken(world: World, operation: str, name: str) -> None:
    given = {"iamUserArn": f"{USER}x"} if operation.startswith("Register") else {}
    assert refused(world, operation, instanceName=name, **given).code == "InvalidInstanceNameException"
    assert listed(world) == []


@pytest.mark.parametrize("name", ["a", "A+=,.@_-9", "mi-0123", "a" * 100, ".", "I-1"])
def test_names_that_are_taken(world: World, name: str) -> None:
    world.call("RegisterOnPremisesInstance", instanceName=name, iamUserArn=f"{USER}x")
    assert listed(world) == [name]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "InstanceNameRequiredException"),
        ({"instanceName": ""}, "InstanceNameRequiredException"),
        ({"instanceName": "box"}, "IamArnRequiredException"),
        ({"instanceName": "box", "iamUserArn": "", "iamSessionArn": None}, "IamArnRequiredException"),
        (
            {"instanceName": "box", "iamUserArn": "x", "iamSessionArn": "y"},
            "MultipleIamArnsProvidedException",
        ),
        # The name's fault is told before the identity's.
        ({"instanceName": "i-1", "iamUserArn": "x"}, "InvalidInstanceNameException"),
    ],
)
def test_one_identity_is_required(world: World, given: dict[str, Any], code: str) -> None:
    assert refused(world, "RegisterOnPremisesInstance", **given).code == code


@pytest.mark.parametrize(
    "arn",
    [
        "box",
        "arn:aws:iam::123456789012:role/box",
        "arn:aws:iam::12345678901:user/box",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::123456789012:user/a b",
        f"{USER}{'a' * 65}",
        f"{USER}ok\n",
        f"{SESSION}box",
    ],
)
def test_users_that_are_none(world: World, arn: str) -> None:
    found = refused(world, "RegisterOnPremisesInstance", instanceName="box", iamUserArn=arn)
    assert found.code == "InvalidIamUserArnException"
    assert "iamUserArn" in found.message


@pytest.mark.parametrize(
    "arn",
    ["box", f"{USER}box", SESSION, f"{SESSION}x", f"{SESSION}a/b", f"{SESSION}{'a' * 65}", f"{SESSION}ok\n"],
)
def test_sessions_that_are_none(world: World, arn: str) -> None:
    found = refused(world, "RegisterOnPremisesInstance", instanceName="box", iamSessionArn=arn)
    assert found.code == "InvalidIamSessionArnException"


def test_names_and_identities_are_taken_once(world: World) -> None:
    world.call("RegisterOnPremisesInstance", instanceName="one", iamUserArn=f"{USER}x")
    world.call("RegisterOnPremisesInstance", instanceName="two", iamSessionArn=f"{SESSION}two")
    for given, code in (
        ({"instanceName": "one", "iamUserArn": f"{USER}x"}, "InstanceNameAlreadyRegisteredException"),
        ({"instanceName": "three", "iamUserArn": f"{USER}x"}, "IamUserArnAlreadyRegisteredException"),
        ({"instanceName": "three", "iamSessionArn": f"{SESSION}two"}, "IamSessionArnAlreadyRegisteredException"),
    ):
        assert refused(world, "RegisterOnPremisesInstance", **given).code == code
    assert listed(world) == ["one", "two"]


def test_deregistering_keeps_the_record_and_frees_name_and_identity(world: World) -> None:
    registered(world, "box", Fleet="shop")
    before = info(world, "box")
    world.now += 60
    for _ in range(2):
        world.call("DeregisterOnPremisesInstance", instanceName="box")
        world.now += 1
    assert info(world, "box") == {**before, "deregisterTime": 1764000060.25}
    world.call("DeregisterOnPremisesInstance", instanceName="never")
    registered(world, "box")
    again = info(world, "box")
    assert (again["tags"], "deregisterTime" in again) == ([], False)
    assert again["instanceArn"] != before["instanceArn"]


def test_unknown_instances(world: World) -> None:
    registered(world, "box", "gone")
    world.call("DeregisterOnPremisesInstance", instanceName="gone")
    assert refused(world, "GetOnPremisesInstance", instanceName="no").code == "InstanceNotRegisteredException"
    found = world.call("BatchGetOnPremisesInstances", instanceNames=["gone", "no", "box", "box"])["instanceInfos"]
    assert [each["instanceName"] for each in found] == ["gone", "box"]
    tags = [{"Key": "k", "Value": "v"}]
    for operation in ("AddTagsToOnPremisesInstances", "RemoveTagsFromOnPremisesInstances"):
        for name in ("no", "gone"):
            found = refused(world, operation, instanceNames=["box", name], tags=tags)
            assert (found.code, name in found.message) == ("InstanceNotRegisteredException", True)
    assert info(world, "box")["tags"] == []


def test_batches_have_their_limits(world: World) -> None:
    many = [f"box-{number}" for number in range(101)]
    tags = [{"Key": "k", "Value": "v"}]
    for operation, given, code in (
        ("BatchGetOnPremisesInstances", {}, "BatchLimitExceededException"),
        ("AddTagsToOnPremisesInstances", {"tags": tags}, "InstanceLimitExceededException"),
        ("RemoveTagsFromOnPremisesInstances", {"tags": tags}, "InstanceLimitExceededException"),
    ):
        assert refused(world, operation, instanceNames=many, **given).code == code
        assert refused(world, operation, instanceNames=[], **given).code == "InstanceNameRequiredException"
        assert refused(world, operation, instanceNames=["a", ""], **given).code == "InstanceNameRequiredException"
        assert refused(world, operation, instanceNames=["a b"], **given).code == "InvalidInstanceNameException"


def test_tags_are_added_and_replaced_and_removed_by_pair(world: World) -> None:
    registered(world, "a", "b", Fleet="shop", Floor="1")
    world.call("AddTagsToOnPremisesInstances", instanceNames=["a"], tags=[{"Key": "Floor", "Value": "2"}])
    wrong_value = [{"Key": "Fleet", "Value": "other"}, {"Key": "Floor", "Value": "1"}]
    world.call("RemoveTagsFromOnPremisesInstances", instanceNames=["a", "b"], tags=wrong_value)
    assert info(world, "a")["tags"] == [{"Key": "Fleet", "Value": "shop"}, {"Key": "Floor", "Value": "2"}]
    assert info(world, "b")["tags"] == [{"Key": "Fleet", "Value": "shop"}]


@pytest.mark.parametrize(
    "tag",
    [
        {},
        {"Key": "k"},
        {"Value": "v"},
        {"Key": "k", "Value": ""},
        {"Key": "", "Value": "v"},
        {"Key": "k" * 129, "Value": "v"},
        {"Key": "k", "Value": "v" * 257},
    ],
)
@pytest.mark.parametrize("operation", ["AddTagsToOnPremisesInstances", "RemoveTagsFromOnPremisesInstances"])
def test_tags_need_a_key_and_a_value(world: World, operation: str, tag: dict[str, str]) -> None:
    registered(world, "box")
    assert refused(world, operation, instanceNames=["box"], tags=[tag]).code == "InvalidTagException"
    assert refused(world, operation, instanceNames=["box"], tags=[]).code == "TagRequiredException"


def test_ten_tags_an_instance_and_a_call(world: World) -> None:
    registered(world, "full", "empty")
    ten = [{"Key": f"k{number}", "Value": "v"} for number in range(10)]
    world.call("AddTagsToOnPremisesInstances", instanceNames=["full"], tags=ten)
    world.call("AddTagsToOnPremisesInstances", instanceNames=["full"], tags=[{"Key": "k0", "Value": "new"}])
    more = [{"Key": "more", "Value": "v"}]
    found = refused(world, "AddTagsToOnPremisesInstances", instanceNames=["empty", "full"], tags=more)
    assert (found.code, "'full'" in found.message) == ("TagLimitExceededException", True)
    assert info(world, "empty")["tags"] == [], "all or none"
    for operation in ("AddTagsToOnPremisesInstances", "RemoveTagsFromOnPremisesInstances"):
        assert refused(world, operation, instanceNames=["empty"], tags=ten + more).code == "TagLimitExceededException"


def test_lists_by_status_and_by_tags(world: World) -> None:
    registered(world, "web-1", "web-2", Role="web")
    registered(world, "db", Role="db", Floor="2")
    world.call("DeregisterOnPremisesInstance", instanceName="web-2")
    assert listed(world) == ["db", "web-1", "web-2"]
    assert listed(world, registrationStatus="Registered") == ["db", "web-1"]
    assert listed(world, registrationStatus="Deregistered") == ["web-2"]
    role = {"Key": "Role", "Value": "web"}
    assert listed(world, tagFilters=[role]) == ["web-1", "web-2"]
    assert listed(world, tagFilters=[{**role, "Type": "KEY_AND_VALUE"}], registrationStatus="Registered") == ["web-1"]
    assert listed(world, tagFilters=[role, {"Key": "Floor", "Type": "KEY_ONLY"}]) == ["db", "web-1", "web-2"]
    assert listed(world, tagFilters=[{"Value": "db", "Type": "VALUE_ONLY"}]) == ["db"]
    assert listed(world, tagFilters=[]) == ["db", "web-1", "web-2"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"registrationStatus": "Lost"}, "InvalidRegistrationStatusException"),
        ({"tagFilters": [{"Type": "KEY_ONLY", "Value": "v"}]}, "InvalidTagFilterException"),
        ({"tagFilters": [{"Type": "VALUE_ONLY", "Key": "k"}]}, "InvalidTagFilterException"),
        ({"tagFilters": [{"Type": "KEY_AND_VALUE", "Key": "k"}]}, "InvalidTagFilterException"),
        ({"tagFilters": [{"Type": "SOME", "Key": "k"}]}, "InvalidTagFilterException"),
        ({"tagFilters": [{"Key": "k" * 129, "Type": "KEY_ONLY"}]}, "InvalidTagFilterException"),
        ({"tagFilters": [{}]}, "InvalidTagFilterException"),
        ({"nextToken": "nonsense"}, "InvalidNextTokenException"),
    ],
)
def test_lists_that_are_not_given(world: World, given: dict[str, Any], code: str) -> None:
    assert refused(world, "ListOnPremisesInstances", **given).code == code


def test_pages_of_instances(world: World) -> None:
    names = [f"box-{number:03}" for number in range(230)]
    registered(world, *names)
    seen, token, pages = [], None, 0
    while pages == 0 or token:
        answer = world.call("ListOnPremisesInstances", registrationStatus="Registered", nextToken=token)
        seen += answer["instanceNames"]
        token, pages = answer.get("nextToken"), pages + 1
    assert (seen, pages) == (names, 3)


def test_a_group_selects_on_premises_instances_by_tags_or_by_a_tag_set(shop: World) -> None:
    first = {"Key": "Fleet", "Value": "shop"}
    shop.group("boxes", ec2TagFilters=[], onPremisesInstanceTagFilters=[first])
    assert shop.group_info("boxes")["onPremisesInstanceTagFilters"] == [{**first, "Type": "KEY_AND_VALUE"}]
    tag_set = {"onPremisesTagSetList": [[{"Key": "Floor"}], [first]]}
    update = {"applicationName": "shop", "currentDeploymentGroupName": "boxes"}
    shop.call("UpdateDeploymentGroup", **update, onPremisesTagSet=tag_set)
    found = shop.group_info("boxes")
    assert found["onPremisesInstanceTagFilters"] == []
    assert found["onPremisesTagSet"]["onPremisesTagSetList"][0] == [{"Key": "Floor", "Type": "KEY_ONLY"}]
    shop.call("UpdateDeploymentGroup", **update, onPremisesInstanceTagFilters=[first])
    assert "onPremisesTagSet" not in shop.group_info("boxes")
    both = {"onPremisesTagSet": tag_set, "onPremisesInstanceTagFilters": [first]}
    assert refused(shop, "UpdateDeploymentGroup", **update, **both).code == "InvalidOnPremisesTagCombinationException"
