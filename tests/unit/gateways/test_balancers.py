"""Target groups and Classic Load Balancers as the coordinator asks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from tidegate.gateways.balancers import Balancers
from tidegate.gateways.errors import BalancerFault, ThrottledError
from tidegate.model.balancers import Balancer, BalancerKind, names_in

WEB = Balancer(BalancerKind.TARGET_GROUP, "web", "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web/1")
OLD = Balancer(BalancerKind.CLASSIC, "old", "old")


@pytest.fixture
def instances(cloud: Callable[[str], Any]) -> list[str]:
    made = cloud("ec2").run_instances(ImageId="ami-12345678", MinCount=3, MaxCount=3)["Instances"]
    return [each["InstanceId"] for each in made]


@pytest.fixture
def both(cloud: Callable[[str], Any], instances: list[str]) -> tuple[Balancers, dict[str, Any]]:
    """A target group ``web`` and a Classic Load Balancer ``old``."""
    vpc = cloud("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    cloud("elbv2").create_target_group(Name="web", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="instance")
    cloud("elbv2").create_target_group(Name="ips", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")
    cloud("elb").create_load_balancer(
        LoadBalancerName="old",
        Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 8080}],
        AvailabilityZones=["us-east-1a"],
    )
    return Balancers(cloud), {"elbInfoList": [{"name": "old"}], "targetGroupInfoList": [{"name": "web"}]}


def test_instances_go_out_of_all_balancers_and_come_back_into_all(
    both: tuple[Balancers, dict[str, Any]], instances: list[str]
) -> None:
    balancers, info = both
    found = balancers.find(info)
    assert sorted(each.name for each in found) == ["old", "web"]
    balancers.allow(found, instances)
    assert set(balancers.still_in(found, instances)) == set(instances)
    balancers.block(found, instances[:2])
    assert set(balancers.still_in(found, instances)) == {instances[2]}
    missing = balancers.not_healthy(found, instances[:1])[instances[0]]
    assert "not registered in target group 'web'" in missing
    assert "not registered in Classic Load Balancer 'old'" in missing
    balancers.allow(found, instances[:2])
    assert instances[0] in balancers.still_in(found, instances)


def test_asking_twice_changes_nothing(both: tuple[Balancers, dict[str, Any]], instances: list[str]) -> None:
    balancers, info = both
    found = balancers.find(info)
    balancers.block(found, instances)
    balancers.block(found, instances)
    assert balancers.still_in(found, instances) == {}
    balancers.allow([target_group(found)], instances)
    balancers.allow([target_group(found)], instances)
    assert set(balancers.still_in(found, instances)) == set(instances)


def target_group(found: list[Balancer]) -> Balancer:
    return next(each for each in found if each.kind is BalancerKind.TARGET_GROUP)


@pytest.mark.parametrize(
    ("info", "code", "told"),
    [
        ({"targetGroupInfoList": [{"name": "none"}]}, "ELASTIC_LOAD_BALANCING_INVALID", "no target group 'none'"),
        ({"elbInfoList": [{"name": "none"}]}, "ELASTIC_LOAD_BALANCING_INVALID", "no Classic Load Balancer 'none'"),
        ({"targetGroupInfoList": [{"name": "ips"}]}, "ELASTIC_LOAD_BALANCING_INVALID", "type ip"),
        ({}, "MISSING_ELB_INFORMATION", "'loadBalancerInfo'"),
        (None, "MISSING_ELB_INFORMATION", "'loadBalancerInfo'"),
        ({"targetGroupInfoList": []}, "MISSING_ELB_INFORMATION", "'loadBalancerInfo'"),
    ],
)
def test_a_balancer_that_cannot_be_used(
    both: tuple[Balancers, dict[str, Any]], info: dict[str, Any] | None, code: str, told: str
) -> None:
    with pytest.raises(BalancerFault) as fault:
        both[0].find(info)
    assert fault.value.code == code
    assert told in fault.value.message


def test_an_instance_that_does_not_run_is_named_with_the_balancer(
    both: tuple[Balancers, dict[str, Any]], cloud: Callable[[str], Any], instances: list[str]
) -> None:
    balancers, info = both
    cloud("ec2").stop_instances(InstanceIds=instances[:1])
    with pytest.raises(BalancerFault) as fault:
        balancers.allow(balancers.find(info), instances)
    assert fault.value.code == "ELB_INVALID_INSTANCE"
    assert instances[0] in fault.value.message
    assert "target group 'web'" in fault.value.message


def rows(*states: tuple[str, int, str, str]) -> dict[str, Any]:
    return {
        "TargetHealthDescriptions": [
            {"Target": {"Id": i, "Port": port}, "TargetHealth": {"State": state, **({"Reason": why} if why else {})}}
            for i, port, state, why in states
        ]
    }


def one(client: Any) -> Balancers:
    return Balancers(lambda _service: client)


def test_draining_counts_as_still_in_and_is_not_asked_for_again(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stub = stubbed("elbv2")
    health = rows(
        ("i-1", 80, "draining", "Target.DeregistrationInProgress"),
        ("i-2", 81, "healthy", ""),
        ("i-2", 82, "healthy", ""),
        ("i-3", 80, "unused", "Target.NotRegistered"),
        ("i-9", 80, "healthy", ""),
    )
    asked = {"TargetGroupArn": WEB.key}
    stub.add_response("describe_target_health", health, asked)
    stub.add_response(
        "deregister_targets", {}, asked | {"Targets": [{"Id": "i-2", "Port": 81}, {"Id": "i-2", "Port": 82}]}
    )
    one(client).block([WEB], ["i-1", "i-2", "i-3"])
    stub.add_response("describe_target_health", health, asked)
    still = one(client).still_in([WEB], ["i-1", "i-3"])
    assert still == {"i-1": "draining (Target.DeregistrationInProgress) in target group 'web'"}


def test_healthy_means_with_every_port(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stub = stubbed("elbv2")
    seen = rows(
        ("i-1", 80, "healthy", ""),
        ("i-2", 80, "healthy", ""),
        ("i-2", 81, "unhealthy", "Target.FailedHealthChecks"),
        ("i-3", 80, "unused", "Target.NotInUse"),
    )
    stub.add_response("describe_target_health", seen)
    assert one(client).not_healthy([WEB], ["i-1", "i-2", "i-3"]) == {
        "i-2": "unhealthy (Target.FailedHealthChecks) in target group 'web'",
        "i-3": "unused (Target.NotInUse) in target group 'web'",
    }


def test_many_instances_go_in_several_calls(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stub = stubbed("elbv2")
    ids = [f"i-{n}" for n in range(150)]
    for some in (ids[:100], ids[100:]):
        stub.add_response(
            "register_targets", {}, {"TargetGroupArn": WEB.key, "Targets": [{"Id": each} for each in some]}
        )
    one(client).allow([WEB], ids)


def test_a_classic_balancer_drains_as_long_as_it_says_in_service(
    stubbed: Callable[[str], tuple[Any, Stubber]],
) -> None:
    client, stub = stubbed("elb")
    stub.add_response("describe_load_balancers", {"LoadBalancerDescriptions": [{"Instances": []}]})
    states = [{"InstanceId": "i-1", "State": "InService"}, {"InstanceId": "i-2", "State": "OutOfService"}]
    stub.add_response("describe_instance_health", {"InstanceStates": states})
    still = one(client).still_in([OLD], ["i-1", "i-2"])
    assert still == {"i-1": "InService in Classic Load Balancer 'old'"}


def test_an_instance_unknown_to_a_classic_balancer_does_not_spoil_the_look(
    stubbed: Callable[[str], tuple[Any, Stubber]],
) -> None:
    client, stub = stubbed("elb")
    stub.add_response(
        "describe_load_balancers",
        {"LoadBalancerDescriptions": [{"Instances": [{"InstanceId": "i-1"}, {"InstanceId": "i-3"}]}]},
    )
    stub.add_client_error("describe_instance_health", "InvalidInstance")
    stub.add_response("describe_instance_health", {"InstanceStates": [{"InstanceId": "i-1", "State": "InService"}]})
    stub.add_client_error("describe_instance_health", "InvalidInstance")
    found = one(client).not_healthy([OLD], ["i-1", "i-2"])
    assert found == {"i-2": "not registered in Classic Load Balancer 'old'"}


def test_throttles_are_throttles(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stub = stubbed("elbv2")
    stub.add_client_error("describe_target_health", "Throttling", "Rate exceeded", http_status_code=400)
    with pytest.raises(ThrottledError, match="target group 'web'"):
        one(client).still_in([WEB], ["i-1"])


def test_a_balancer_that_is_gone(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stub = stubbed("elbv2")
    stub.add_client_error("describe_target_health", "TargetGroupNotFound", "One or more target groups not found")
    with pytest.raises(BalancerFault) as fault:
        one(client).block([WEB], ["i-1"])
    assert fault.value.code == "ELASTIC_LOAD_BALANCING_INVALID"


def test_names_by_kind() -> None:
    assert names_in(None) == names_in({"targetGroupInfoList": []}) == {}
