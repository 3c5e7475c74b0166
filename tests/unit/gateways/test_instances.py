"""Which instances the tags of a deployment group select."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from tidegate.gateways.errors import ThrottledError
from tidegate.gateways.instances import Instances

IMAGE = "ami-12345678"


class Fleet:
    """Instances with names of our own."""

    def __init__(self, client: Any) -> None:
        self.client, self.names = client, dict[str, str]()

    def add(self, name: str, **tags: str) -> str:
        given = [{"Key": key, "Value": value} for key, value in tags.items()]
        more = {"TagSpecifications": [{"ResourceType": "instance", "Tags": given}]} if given else {}
        made = self.client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, **more)
        instance_id: str = made["Instances"][0]["InstanceId"]
        self.names[instance_id] = name
        return instance_id

    def selected(self, **group: Any) -> list[str]:
        return sorted(self.names[each.instance_id] for each in Instances(self.client).selected_by(group))


@pytest.fixture
def fleet(cloud: Callable[[str], Any]) -> Fleet:
    found = Fleet(cloud("ec2"))
    found.add("web-prod", Role="web", Stage="prod")
    found.add("web-test", Role="web", Stage="test")
    found.add("db-prod", Role="db", Stage="prod")
    found.add("other", Stage="web")
    found.add("bare")
    return found


def both(key: str, value: str) -> dict[str, str]:
    return {"Key": key, "Value": value, "Type": "KEY_AND_VALUE"}


def test_one_of_the_filters_of_a_plain_list_is_enough(fleet: Fleet) -> None:
    assert fleet.selected(ec2TagFilters=[both("Role", "web")]) == ["web-prod", "web-test"]
    assert fleet.selected(ec2TagFilters=[both("Role", "web"), both("Stage", "prod")]) == [
        "db-prod",
        "web-prod",
        "web-test",
    ]


def test_a_filter_without_a_type_means_key_and_value(fleet: Fleet) -> None:
    assert fleet.selected(ec2TagFilters=[{"Key": "Role", "Value": "db"}]) == ["db-prod"]


def test_a_key_alone_and_a_value_alone(fleet: Fleet) -> None:
    assert fleet.selected(ec2TagFilters=[{"Key": "Role", "Type": "KEY_ONLY"}]) == ["db-prod", "web-prod", "web-test"]
    assert fleet.selected(ec2TagFilters=[{"Value": "web", "Type": "VALUE_ONLY"}]) == ["other", "web-prod", "web-test"]


def test_one_of_each_list_of_a_tag_set_must_match(fleet: Fleet) -> None:
    lists = [[both("Role", "web"), both("Role", "db")], [both("Stage", "prod")]]
    assert fleet.selected(ec2TagSet={"ec2TagSetList": lists}) == ["db-prod", "web-prod"]
    assert fleet.selected(ec2TagSet={"ec2TagSetList": [[both("Role", "web")], [both("Role", "db")]]}) == []


@pytest.mark.parametrize(
    "group", [{}, {"ec2TagFilters": []}, {"ec2TagSet": {"ec2TagSetList": []}}, {"ec2TagSet": None}]
)
def test_a_group_without_tags_selects_nobody(fleet: Fleet, group: dict[str, Any]) -> None:
    assert fleet.selected(**group) == []


def test_stopped_instances_are_targets_and_terminated_ones_are_not(fleet: Fleet) -> None:
    stopped, gone = fleet.add("stopped", Role="cache"), fleet.add("gone", Role="cache")
    fleet.client.stop_instances(InstanceIds=[stopped])
    fleet.client.terminate_instances(InstanceIds=[gone])
    assert fleet.selected(ec2TagFilters=[both("Role", "cache")]) == ["stopped"]


@pytest.mark.parametrize("value", ["a*c", "a?c", "a\\c", "*", "?"])
def test_what_ec2_takes_for_wildcards_is_meant_literally(stub_ec2: tuple[Any, Stubber], value: str) -> None:
    client, stub = stub_ec2
    escaped = "".join("\\" + c if c in "*?\\" else c for c in value)
    stub.add_response("describe_instances", {"Reservations": []}, _call({"Name": "tag:Role", "Values": [escaped]}))
    assert Instances(client).selected_by({"ec2TagFilters": [both("Role", value)]}) == []


def test_a_key_and_a_value_alone_are_escaped_too(stub_ec2: tuple[Any, Stubber]) -> None:
    client, stub = stub_ec2
    stub.add_response("describe_instances", {"Reservations": []}, _call({"Name": "tag-key", "Values": ["R\\*"]}))
    stub.add_response("describe_instances", {"Reservations": []}, _call({"Name": "tag-value", "Values": ["\\?"]}))
    filters = [{"Key": "R*", "Type": "KEY_ONLY"}, {"Value": "?", "Type": "VALUE_ONLY"}]
    assert Instances(client).selected_by({"ec2TagFilters": filters}) == []


def test_all_pages_are_read_and_an_instance_found_twice_counts_once(stub_ec2: tuple[Any, Stubber]) -> None:
    client, stub = stub_ec2
    call = _call({"Name": "tag:Role", "Values": ["web"]})
    row = {"InstanceId": "i-1", "Tags": [{"Key": "Role", "Value": "web"}]}
    stub.add_response("describe_instances", {"Reservations": [{"Instances": [row]}], "NextToken": "more"}, call)
    second = {"Reservations": [{"Instances": [{"InstanceId": "i-2"}]}]}
    stub.add_response("describe_instances", second, {**call, "NextToken": "more"})
    stub.add_response("describe_instances", {"Reservations": [{"Instances": [row]}]}, call)
    found = Instances(client).selected_by({"ec2TagFilters": [both("Role", "web"), both("Role", "web")]})
    assert [(each.instance_id, each.tags) for each in found] == [("i-1", {"Role": "web"}), ("i-2", {})]


def test_throttling_is_told(stub_ec2: tuple[Any, Stubber]) -> None:
    client, stub = stub_ec2
    stub.add_client_error("describe_instances", "RequestLimitExceeded")
    with pytest.raises(ThrottledError, match="describing instances"):
        Instances(client).selected_by({"ec2TagFilters": [both("Role", "web")]})


@pytest.fixture
def stub_ec2(stubbed: Callable[[str], tuple[Any, Stubber]]) -> tuple[Any, Stubber]:
    return stubbed("ec2")


def _call(tag_filter: dict[str, Any]) -> dict[str, Any]:
    states = ["pending", "running", "stopping", "stopped"]
    return {"Filters": [{"Name": "instance-state-name", "Values": states}, tag_filter]}
