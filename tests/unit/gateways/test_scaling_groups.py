"""What Auto Scaling answers when groups are copied and deleted; copies themselves are tested in the local cloud."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from tidegate.gateways.errors import FleetFault, ThrottledError
from tidegate.gateways.scaling_groups import ScalingGroups
from tidegate.model.balancers import Balancer, BalancerKind

COPY = "CodeDeploy_prod_d-A1B2C3111"
NO_CAPACITY = "We currently do not have sufficient t3.micro capacity in the zone you requested (us-east-1a)."
SOURCE = {"AutoScalingGroupName": "web", "MaxSize": 2, "AvailabilityZones": ["a"]}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ValidationError", "AUTOSCALING_VALIDATION_ERROR"),
        ("LimitExceeded", "RESOURCE_LIMIT_EXCEEDED"),
        ("AccessDenied", "AUTO_SCALING_IAM_ROLE_PERMISSIONS"),
    ],
)
def test_a_refusal_has_the_code_of_its_cause(
    stubbed: Callable[[str], tuple[Any, Stubber]], error: str, code: str
) -> None:
    client, stub = stubbed("autoscaling")
    stub.add_client_error("create_auto_scaling_group", error, "the launch template is gone")
    with pytest.raises(FleetFault) as caught:
        ScalingGroups(client).copy(SOURCE, COPY, "d-1")
    assert caught.value.code == code
    assert "copying the Auto Scaling group web" in caught.value.message


def test_throttling_is_no_refusal(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stub = stubbed("autoscaling")
    stub.add_client_error("describe_auto_scaling_groups", "Throttling", "Rate exceeded")
    with pytest.raises(ThrottledError):
        ScalingGroups(client).find("web")


@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        ("Successful", "", ("", "")),
        ("InProgress", "", ("", "")),
        (
            "Failed",
            "You have exceeded your vCPU limit",
            ("RESOURCE_LIMIT_EXCEEDED", "You have exceeded your vCPU limit"),
        ),
        ("Failed", NO_CAPACITY, ("RESOURCE_LIMIT_EXCEEDED", NO_CAPACITY)),
        ("Failed", "No such key pair", ("AUTO_SCALING_CONFIGURATION", "No such key pair")),
    ],
)
def test_the_last_activity_tells_why_instances_do_not_come(
    stubbed: Callable[[str], tuple[Any, Stubber]], status: str, message: str, told: tuple[str, str]
) -> None:
    client, stub = stubbed("autoscaling")
    activity = {
        "ActivityId": "1",
        "AutoScalingGroupName": COPY,
        "Cause": "a user request",
        "StartTime": 1764000000.0,
        "StatusCode": status,
    } | ({"StatusMessage": message} if message else {})
    stub.add_response("describe_scaling_activities", {"Activities": [activity]})
    assert ScalingGroups(client).failure(COPY) == told


def test_a_group_that_is_going_already_is_deleted(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stub = stubbed("autoscaling")
    stub.add_client_error("delete_auto_scaling_group", "ScalingActivityInProgress", "wait")
    ScalingGroups(client).delete("web")


def test_a_group_is_detached_from_ten_balancers_a_call(stubbed: Callable[[str], tuple[Any, Stubber]]) -> None:
    client, stub = stubbed("autoscaling")
    balancers = [Balancer(BalancerKind.TARGET_GROUP, f"t{n}", f"arn:{n}") for n in range(10)]
    sources = [{"Identifier": f"arn:{n}", "Type": "elbv2"} for n in range(10)]
    for some in (sources, [{"Identifier": "old", "Type": "elb"}]):
        stub.add_response("detach_traffic_sources", {}, {"AutoScalingGroupName": "web", "TrafficSources": some})
    ScalingGroups(client).detach("web", [*balancers, Balancer(BalancerKind.CLASSIC, "old", "old")])
    ScalingGroups(client).detach("web", [])
    stub.assert_no_pending_responses()
