"""What patience does not mend: a quota that is used up, and something of the stack's own that is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from tidegate.gateways.balancers import Balancers
from tidegate.gateways.errors import LimitReachedError, ResourceMissingError
from tidegate.gateways.orders import Orders
from tidegate.gateways.run_command import RunCommand
from tidegate.model.balancers import Balancer, BalancerKind

Stubbed = Callable[[str], tuple[Any, Stubber]]
WEB = [Balancer(BalancerKind.TARGET_GROUP, "web", "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web/1")]


def test_a_document_of_the_stack_that_is_gone(stubbed: Stubbed) -> None:
    client, stub = stubbed("ssm")
    stub.add_client_error("send_command", "InvalidDocument", "Document test-run-stage does not exist.")
    with pytest.raises(ResourceMissingError, match=r"test-run-stage does not exist\. .* deploy the stack again"):
        RunCommand(client, "test-run-stage").send(["i-1"], "order", "comment", 60)


def test_a_bucket_of_the_stack_that_is_gone(stubbed: Stubbed) -> None:
    client, stub = stubbed("s3")
    stub.add_client_error("put_object", "NoSuchBucket", "The specified bucket does not exist")
    with pytest.raises(ResourceMissingError, match=r"writing an order: NoSuchBucket.* deploy the stack again"):
        Orders(client, "bucket", Path("/nonexistent/runner.zip")).publish("orders/x", {}, 60)


def test_a_quota_that_is_used_up(stubbed: Stubbed) -> None:
    client, stub = stubbed("elbv2")
    stub.add_client_error("register_targets", "TooManyTargets", "You've reached the limit on the number of targets")
    with pytest.raises(LimitReachedError, match=r"limit on the number of targets\. .*have it raised"):
        Balancers(lambda _service: client).allow(WEB, ["i-1"])
