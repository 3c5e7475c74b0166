"""A service that throttles beyond patience is named, whichever it is, by whatever port it was called."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from tests.unit.functions.world import ENV

from tidegate.gateways.errors import ThrottledError
from tidegate.model.balancers import Balancer, BalancerKind
from tidegate.model.logs import Segment
from tidegate.runtime import Runtime

TAGS = {"ec2TagFilters": [{"Key": "a", "Value": "b"}]}
WEB = [Balancer(BalancerKind.TARGET_GROUP, "web", "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web/1")]
OLD = [Balancer(BalancerKind.CLASSIC, "old", "old")]
S3 = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip"}}
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
ECS = {"clusterName": "c", "serviceName": "s"}
EC2_NAME, ELB, SSM, S3_NAME = (
    "Amazon Elastic Compute Cloud",
    "Elastic Load Balancing",
    "Amazon Simple Systems Manager (SSM)",
    "Amazon Simple Storage Service",
)

CALLS: list[tuple[str, str, Callable[[Runtime], Any]]] = [
    ("instances", EC2_NAME, lambda r: r.instances.selected_by(TAGS)),
    ("instances by id", EC2_NAME, lambda r: r.instances.described(["i-1"])),
    ("scaling groups", "Auto Scaling", lambda r: r.instances.selected_by({"autoScalingGroups": ["web"]})),
    ("lifecycle states", "Auto Scaling", lambda r: r.instances.lifecycle_states(["web"])),
    ("end", EC2_NAME, lambda r: r.terminations.end(["i-1"])),
    ("left", EC2_NAME, lambda r: r.terminations.left(["i-1"])),
    ("hooks' groups", "Auto Scaling", lambda r: r.lifecycle_hooks.groups(["web"])),
    ("hooks' names", "Auto Scaling", lambda r: r.lifecycle_hooks.names("web")),
    ("put a hook", "Auto Scaling", lambda r: r.lifecycle_hooks.put("web", "h", LAUNCHING, {})),
    ("delete a hook", "Auto Scaling", lambda r: r.lifecycle_hooks.delete("web", "h")),
    ("complete", "Auto Scaling", lambda r: r.lifecycle_hooks.complete("web", "h", "i-1", "t" * 36, go_on=True)),
    ("heartbeat", "Auto Scaling", lambda r: r.lifecycle_hooks.heartbeat("web", "h", "i-1", "t" * 36)),
    ("suspend", "Auto Scaling", lambda r: r.lifecycle_hooks.suspend("web", ["AlarmNotification"])),
    ("resume", "Auto Scaling", lambda r: r.lifecycle_hooks.resume("web", ["AlarmNotification"])),
    ("find a group", "Auto Scaling", lambda r: r.scaling_groups.find("web")),
    ("resize a group", "Auto Scaling", lambda r: r.scaling_groups.resize("web", 1, 2)),
    ("a group's failure", "Auto Scaling", lambda r: r.scaling_groups.failure("web")),
    ("delete a group", "Auto Scaling", lambda r: r.scaling_groups.delete("web")),
    ("find", ELB, lambda r: r.balancers.find({"targetGroupInfoList": [{"name": "web"}]})),
    ("find classic", ELB, lambda r: r.balancers.find({"elbInfoList": [{"name": "old"}]})),
    ("block", ELB, lambda r: r.balancers.block(WEB, ["i-1"])),
    ("allow", ELB, lambda r: r.balancers.allow(WEB, ["i-1"])),
    ("still in", ELB, lambda r: r.balancers.still_in(WEB, ["i-1"])),
    ("not healthy", ELB, lambda r: r.balancers.not_healthy(OLD, ["i-1"])),
    ("alarms", "Amazon CloudWatch", lambda r: r.alarms.states(["a"])),
    ("aliases", "AWS Lambda", lambda r: r.aliases.look("f", "live", [])),
    ("services", "Amazon EC2 Container Service", lambda r: r.ecs_services.look(ECS, "t:1")),
    ("nodes", SSM, lambda r: r.nodes.hybrid()),
    ("agents", SSM, lambda r: r.run_command.reachable(["i-1"])),
    ("send", SSM, lambda r: r.run_command.send(["i-1"], "order", "comment", 60)),
    ("sent", SSM, lambda r: r.run_command.sent_since(1e9)),
    ("look", SSM, lambda r: r.run_command.look("0" * 36, "d-1")),
    ("start", "AWS Step Functions", lambda r: r.executions.start("d-1", 1)),
    ("wake", "AWS Step Functions", lambda r: r.executions.wake("token")),
    ("copy", S3_NAME, lambda r: r.bundles.copy(S3, "a" * 40)),
    ("order", S3_NAME, lambda r: r.orders.publish("orders/x", {}, 60)),
    ("progress", S3_NAME, lambda r: r.progress.read("d-1", "i-1")),
    ("segments", S3_NAME, lambda r: r.logs.segments("d-1", "i-1")),
    ("log", S3_NAME, lambda r: r.logs.read(Segment("host", 1, "progress/x", 5), 0)),
    ("tokens", "AWS Secrets Manager", lambda r: r.github_tokens.names()),
    ("token", "AWS Secrets Manager", lambda r: r.github_tokens.token_for("o/r", "shop")),
]


@pytest.fixture
def throttled() -> Runtime:
    """Ports whose every call is answered with a throttle."""
    runtime = Runtime(ENV)
    session = boto3.Session("key", "secret", region_name="us-east-1")
    error = {"Code": "Throttling", "Message": "Rate exceeded"}

    def answer(**_: Any) -> Any:
        return SimpleNamespace(status_code=400), {"Error": dict(error), "ResponseMetadata": {}}

    session.events.register("before-call", answer)
    vars(runtime)["_session"] = session
    return runtime


@pytest.mark.parametrize(("service", "call"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_the_service_is_named(throttled: Runtime, service: str, call: Callable[[Runtime], Any]) -> None:
    with pytest.raises(ThrottledError) as caught:
        call(throttled)
    assert f"{service} asked to slow down" in str(caught.value)
    assert "Throttling: Rate exceeded" in str(caught.value)
