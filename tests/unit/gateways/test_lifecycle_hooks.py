"""What is asked of Auto Scaling, and what its refusals mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tidegate.gateways.errors import FleetFault, ThrottledError, UnavailableError
from tidegate.gateways.instances import Instances
from tidegate.gateways.lifecycle_hooks import LifecycleHooks
from tidegate.gateways.service_roles import RolePermissionsError
from tidegate.model.scaling import ScalingFault, ScalingGroup

GONE = "No active Lifecycle Action found with instance ID i-1"
ACTION = {"AutoScalingGroupName": "web", "LifecycleHookName": "hook", "InstanceId": "i-1"}
INSTANCE = {"AvailabilityZone": "us-east-1a", "HealthStatus": "Healthy", "ProtectedFromScaleIn": False}


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("autoscaling", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def hooks(stub: Stubber) -> LifecycleHooks:
    return LifecycleHooks(stub.client)


def test_a_hook_holds_for_ten_minutes_abandons_and_has_no_target(stub: Stubber) -> None:
    stub.add_response(
        "put_lifecycle_hook",
        {},
        {
            "AutoScalingGroupName": "web",
            "LifecycleHookName": "hook",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
            "HeartbeatTimeout": 600,
            "DefaultResult": "ABANDON",
            "NotificationMetadata": json.dumps({"applicationName": "shop"}),
        },
    )
    hooks(stub).put("web", "hook", "autoscaling:EC2_INSTANCE_LAUNCHING", {"applicationName": "shop"})


@pytest.mark.parametrize(("go_on", "result"), [(True, "CONTINUE"), (False, "ABANDON")])
@pytest.mark.parametrize("token", ["", "a" * 36])
def test_an_instance_is_answered_by_its_token_or_by_its_id_alone(
    stub: Stubber, go_on: bool, result: str, token: str
) -> None:
    told = {"LifecycleActionToken": token} if token else {}
    stub.add_response("complete_lifecycle_action", {}, {**ACTION, **told, "LifecycleActionResult": result})
    assert hooks(stub).complete("web", "hook", "i-1", token, go_on=go_on)


ASKS: dict[str, Callable[[LifecycleHooks], object]] = {
    "complete_lifecycle_action": lambda port: port.complete("web", "hook", "i-1", "", go_on=True),
    "record_lifecycle_action_heartbeat": lambda port: port.heartbeat("web", "hook", "i-1", ""),
}


@pytest.mark.parametrize("operation", ASKS)
def test_one_that_waits_no_more_is_told_and_no_fault(stub: Stubber, operation: str) -> None:
    stub.add_client_error(operation, "ValidationError", GONE)
    assert ASKS[operation](hooks(stub)) is False


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ("AccessDenied", "AUTO_SCALING_IAM_ROLE_PERMISSIONS"),
        ("ValidationError", "AUTO_SCALING_CONFIGURATION"),
        ("LimitExceeded", "RESOURCE_LIMIT_EXCEEDED"),
        ("Throttling", ThrottledError),
        ("ResourceContention", UnavailableError),
    ],
)
@pytest.mark.parametrize("operation", ASKS)
def test_refusals_are_faults_and_what_passes_is_tried_again(
    stub: Stubber, operation: str, error: str, raised: str | type[Exception]
) -> None:
    stub.add_client_error(operation, error, "the group is not found")
    if isinstance(raised, str):
        with pytest.raises(ScalingFault, match="the group is not found") as caught:
            ASKS[operation](hooks(stub))
        assert caught.value.code == raised
    else:
        with pytest.raises(raised):
            ASKS[operation](hooks(stub))


def test_a_hook_that_is_gone_with_its_group_is_deleted(stub: Stubber) -> None:
    stub.add_client_error("delete_lifecycle_hook", "ValidationError", "AutoScalingGroup name not found")
    hooks(stub).delete("web", "hook")


def test_groups_come_with_their_instances_pools_and_suspended_processes(stub: Stubber) -> None:
    group = {
        "AutoScalingGroupName": "web",
        "MinSize": 0,
        "MaxSize": 1,
        "DesiredCapacity": 1,
        "DefaultCooldown": 300,
        "AvailabilityZones": ["us-east-1a"],
        "HealthCheckType": "EC2",
        "CreatedTime": "2026-01-01T00:00:00Z",
        "Instances": [{"InstanceId": "i-1", "LifecycleState": "Pending:Wait", **INSTANCE}],
        "SuspendedProcesses": [{"ProcessName": "Terminate"}],
        "WarmPoolConfiguration": {"MinSize": 1},
    }
    pool: dict[str, Any] = {"InstanceId": "i-2", "LifecycleState": "Warmed:Pending:Wait", **INSTANCE}
    stub.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": [group]})
    stub.add_response("describe_warm_pool", {"Instances": [pool]}, {"AutoScalingGroupName": "web"})
    states = {"i-1": "Pending:Wait", "i-2": "Warmed:Pending:Wait"}
    assert hooks(stub).groups(["web", "gone"], pools=True) == {"web": ScalingGroup(states, frozenset({"Terminate"}))}


def test_a_fleet_whose_groups_may_not_be_described_is_told_so(stub: Stubber) -> None:
    stub.add_client_error("describe_auto_scaling_groups", "AccessDenied", "not authorized")
    with pytest.raises(FleetFault) as caught:
        Instances(lambda _service: stub.client).lifecycle_states(["web"])
    assert caught.value.code == "AUTO_SCALING_IAM_ROLE_PERMISSIONS"


def test_a_right_that_the_service_role_lacks_has_the_code_of_auto_scaling() -> None:
    class Client:
        def suspend_processes(self, **_: object) -> None:
            raise RolePermissionsError("The service role has no right to autoscaling:SuspendProcesses.")

    with pytest.raises(ScalingFault, match="SuspendProcesses") as caught:
        LifecycleHooks(Client()).suspend("web", ["Terminate"])
    assert caught.value.code == "AUTO_SCALING_IAM_ROLE_PERMISSIONS"
