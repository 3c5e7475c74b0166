"""Which instances the tags of a deployment group select."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from tidegate.gateways.errors import FleetFault, ThrottledError
from tidegate.gateways.instances import Instances

IMAGE = "ami-12345678"
#: What Auto Scaling's answers must have besides.
REST = {"AvailabilityZone": "us-east-1a", "HealthStatus": "Healthy", "ProtectedFromScaleIn": False}
GROUP = {
    "MinSize": 0,
    "MaxSize": 9,
    "DesiredCapacity": 2,
    "DefaultCooldown": 300,
    "AvailabilityZones": ["us-east-1a"],
    "HealthCheckType": "EC2",
    "CreatedTime": datetime(2026, 1, 1, tzinfo=UTC),
}


class Fleet:
    """Instances with names of our own."""

    def __init__(self, cloud: Callable[[str], Any]) -> None:
        self.cloud, self.client, self.names = cloud, cloud("ec2"), dict[str, str]()

    def add(self, name: str, **tags: str) -> str:
        given = [{"Key": key, "Value": value} for key, value in tags.items()]
        more = {"TagSpecifications": [{"ResourceType": "instance", "Tags": given}]} if given else {}
        made = self.client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, **more)
        instance_id: str = made["Instances"][0]["InstanceId"]
        self.names[instance_id] = name
        return instance_id

    def selected(self, **group: Any) -> list[str]:
        return sorted(self.names[each.instance_id] for each in Instances(self.cloud).selected_by(group))


@pytest.fixture
def fleet(cloud: Callable[[str], Any]) -> Fleet:
    found = Fleet(cloud)
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
    assert Instances(lambda _service: client).selected_by({"ec2TagFilters": [both("Role", value)]}) == []


def test_a_key_and_a_value_alone_are_escaped_too(stub_ec2: tuple[Any, Stubber]) -> None:
    client, stub = stub_ec2
    stub.add_response("describe_instances", {"Reservations": []}, _call({"Name": "tag-key", "Values": ["R\\*"]}))
    stub.add_response("describe_instances", {"Reservations": []}, _call({"Name": "tag-value", "Values": ["\\?"]}))
    filters = [{"Key": "R*", "Type": "KEY_ONLY"}, {"Value": "?", "Type": "VALUE_ONLY"}]
    assert Instances(lambda _service: client).selected_by({"ec2TagFilters": filters}) == []


def test_all_pages_are_read_and_an_instance_found_twice_counts_once(stub_ec2: tuple[Any, Stubber]) -> None:
    client, stub = stub_ec2
    call = _call({"Name": "tag:Role", "Values": ["web"]})
    row = {"InstanceId": "i-1", "Tags": [{"Key": "Role", "Value": "web"}]}
    stub.add_response("describe_instances", {"Reservations": [{"Instances": [row]}], "NextToken": "more"}, call)
    second = {"Reservations": [{"Instances": [{"InstanceId": "i-2"}]}]}
    stub.add_response("describe_instances", second, {**call, "NextToken": "more"})
    stub.add_response("describe_instances", {"Reservations": [{"Instances": [row]}]}, call)
    found = Instances(lambda _service: client).selected_by(
        {"ec2TagFilters": [both("Role", "web"), both("Role", "web")]}
    )
    assert [(each.instance_id, each.tags) for each in found] == [("i-1", {"Role": "web"}), ("i-2", {})]


class Scaled:
    """An Auto Scaling group of moto's."""

    def __init__(self, cloud: Callable[[str], Any]) -> None:
        self.cloud, self.api = cloud, cloud("autoscaling")
        self.api.create_launch_configuration(LaunchConfigurationName="any", ImageId=IMAGE, InstanceType="t3.micro")

    def add(self, name: str, size: int) -> list[str]:
        self.api.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchConfigurationName="any",
            MinSize=0,
            MaxSize=9,
            DesiredCapacity=size,
            AvailabilityZones=["us-east-1a"],
        )
        (found,) = self.api.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return sorted(each["InstanceId"] for each in found["Instances"])

    def selected(self, **group: Any) -> list[str]:
        return [each.instance_id for each in Instances(self.cloud).selected_by(group)]


def test_auto_scaling_groups_are_united_with_tags_and_each_instance_counts_once(cloud: Callable[[str], Any]) -> None:
    scaled = Scaled(cloud)
    first, second = scaled.add("first", 2), scaled.add("second", 3)
    tagged = Fleet(cloud).add("by-tag", Role="web")
    cloud("ec2").create_tags(Resources=[second[0]], Tags=[{"Key": "Role", "Value": "web"}])
    found = scaled.selected(ec2TagFilters=[both("Role", "web")], autoScalingGroups=["first", "second"])
    assert sorted(found) == sorted([*first, *second, tagged])
    zones = {each.zone for each in Instances(cloud).selected_by({"autoScalingGroups": ["first"]})}
    assert zones == {"us-east-1a"}


def test_an_auto_scaling_group_that_is_gone_fails_and_is_named(cloud: Callable[[str], Any]) -> None:
    scaled = Scaled(cloud)
    scaled.add("there", 1)
    with pytest.raises(FleetFault, match=r"gone.*UpdateDeploymentGroup") as caught:
        scaled.selected(autoScalingGroups=["there", "gone"])
    assert caught.value.code == "AUTO_SCALING_CONFIGURATION"


TAKEN = ("Pending:Proceed", "InService", "EnteringStandby", "Standby", "Detaching")
LEFT = (
    *("Pending", "Pending:Wait", "Quarantined", "Terminating", "Terminating:Wait", "Terminating:Proceed"),
    *("Terminated", "Detached", "Warmed:Stopped", "Warmed:Pending:Wait"),
)


@pytest.mark.parametrize(("state", "taken"), [*((each, True) for each in TAKEN), *((each, False) for each in LEFT)])
def test_members_are_taken_by_their_lifecycle_state_also_those_with_the_tags(
    stubbed: Callable[[str], tuple[Any, Stubber]], state: str, taken: bool
) -> None:
    (ec2, stub), (scaling, scaling_stub) = stubbed("ec2"), stubbed("autoscaling")
    rows = [{"InstanceId": "i-1", "LifecycleState": state}, {"InstanceId": "i-2", "LifecycleState": "InService"}]
    group = {"AutoScalingGroupName": "web", "Instances": [{**each, **REST} for each in rows], **GROUP}
    scaling_stub.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": []} | {"NextToken": "more"})
    scaling_stub.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": [group]})
    tagged, member = {"InstanceId": "i-1"}, {"InstanceId": "i-2"}
    stub.add_response("describe_instances", {"Reservations": [{"Instances": [tagged]}]})
    by_id = _call({"Name": "instance-id", "Values": ["i-2"]})
    stub.add_response("describe_instances", {"Reservations": [{"Instances": [member]}]}, by_id)
    clients = {"ec2": ec2, "autoscaling": scaling}
    info = {"ec2TagFilters": [both("Role", "web")], "autoScalingGroups": ["web"]}
    found = [each.instance_id for each in Instances(clients.__getitem__).selected_by(info)]
    assert found == (["i-1", "i-2"] if taken else ["i-2"])


def test_many_instances_are_described_some_at_a_time(stub_ec2: tuple[Any, Stubber]) -> None:
    client, stub = stub_ec2
    ids = [f"i-{n:04d}" for n in range(450)]
    for start in (0, 200, 400):
        some = ids[start : start + 200]
        answer = {"Reservations": [{"Instances": [{"InstanceId": each} for each in some if each != "i-0300"]}]}
        stub.add_response("describe_instances", answer, _call({"Name": "instance-id", "Values": some}))
    found = [each.instance_id for each in Instances(lambda _service: client).described(ids)]
    assert found == [each for each in ids if each != "i-0300"]


def test_states_of_instances_and_those_that_ec2_has_forgotten(fleet: Fleet) -> None:
    ids = [fleet.add(name, Role=name) for name in ("up", "halted", "ended")]
    fleet.client.stop_instances(InstanceIds=[ids[1]])
    fleet.client.terminate_instances(InstanceIds=[ids[2]])
    forgotten = "i-0123456789abcdef0"
    states = Instances(fleet.cloud).states([*ids, forgotten])
    assert states == dict(zip([*ids, forgotten], ["running", "stopped", "terminated", "terminated"], strict=True))
    assert Instances(fleet.cloud).states([]) == {}


def test_an_account_without_ec2_is_told_so(stub_ec2: tuple[Any, Stubber]) -> None:
    client, stub = stub_ec2
    stub.add_client_error("describe_instances", "OptInRequired", "You are not subscribed to this service.", 403)
    with pytest.raises(FleetFault, match=r"not subscribed to Amazon EC2.*sign-up") as caught:
        Instances(lambda _service: client).selected_by({"ec2TagFilters": [both("Role", "web")]})
    assert caught.value.code == "NO_EC2_SUBSCRIPTION"


def test_throttling_is_told(stub_ec2: tuple[Any, Stubber]) -> None:
    client, stub = stub_ec2
    stub.add_client_error("describe_instances", "RequestLimitExceeded")
    with pytest.raises(ThrottledError, match="describing instances"):
        Instances(lambda _service: client).selected_by({"ec2TagFilters": [both("Role", "web")]})


@pytest.fixture
def stub_ec2(stubbed: Callable[[str], tuple[Any, Stubber]]) -> tuple[Any, Stubber]:
    return stubbed("ec2")


def _call(tag_filter: dict[str, Any]) -> dict[str, Any]:
    states = ["pending", "running", "stopping", "stopped"]
    return {"Filters": [{"Name": "instance-state-name", "Values": states}, tag_filter]}
