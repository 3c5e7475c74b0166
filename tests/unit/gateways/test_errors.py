"""What patience does not mend: a quota that is used up, and something of the stack's own that is gone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from tests.unit.functions.machine import ROOT

from tidegate.gateways.balancers import Balancers
from tidegate.gateways.errors import LimitReachedError, ResourceMissingError, ThrottledError, translated
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


# --- AWS's own words for it, in the models of all operations that the stack's policies allow

#: What botocore calls the service of a policy's action, where that has another name.
SERVICES = {"elasticloadbalancing": ("elb", "elbv2"), "states": ("stepfunctions",)}
#: Words that sound so and are neither a throttle nor a quota of the account.
OTHERS = {
    "MaxDocumentSizeExceeded": "an SSM document is too large",
    "TooManyParts": "an upload in parts has too many",
}


def words() -> Iterator[tuple[str, str]]:
    """The codes that speak of limits, and what AWS says of each, by operation.

    DynamoDB's are the store's own, and EC2 has no models of its errors.
    """
    session = botocore.session.get_session()
    actions = set(re.findall(r"\b([a-z0-9]+):([A-Z]\w+)", (ROOT / "template.yaml").read_text()))
    known = set(session.get_available_services())
    for prefix, operation in sorted(actions):
        for service in known.intersection(SERVICES.get(prefix, (prefix,))) - {"dynamodb", "ec2"}:
            model = session.get_service_model(service)
            for shape in model.operation_model(operation).error_shapes if operation in model.operation_names else ():
                code = shape.metadata.get("error", {}).get("code", shape.name)
                if re.search("limit|quota|toomany|exceed|throttl", code, re.IGNORECASE):
                    yield code, re.sub("<[^>]+>", "", shape.documentation)


WORDS = {code: text for code, text in words() if code not in OTHERS}


def raised(code: str) -> type[Exception]:
    """What a refusal with this code becomes."""
    with pytest.raises((LimitReachedError, ThrottledError)) as caught, translated("asking"):
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "Asking")
    return caught.type


@pytest.mark.parametrize("code", sorted(WORDS))
def test_every_word_of_a_called_operation_for_a_limit_is_known(code: str) -> None:
    told = WORDS[code].lower()
    throttle = "throttl" in code.lower() or "request rate" in told or "request throughput" in told
    assert raised(code) is (ThrottledError if throttle else LimitReachedError), told


@pytest.mark.parametrize("code", ["InstanceLimitExceeded", "VcpuLimitExceeded", "MaxSpotInstanceCountExceeded"])
def test_the_words_of_ec2_are_known_which_has_no_models_of_errors(code: str) -> None:
    assert raised(code) is LimitReachedError


def test_the_words_are_found_where_they_are() -> None:
    assert {"LimitExceeded", "ExecutionLimitExceeded", "TooManyTargets", "KmsThrottlingException"} <= set(WORDS)
