"""The end of instances, against EC2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from tidegate.gateways.errors import ThrottledError
from tidegate.gateways.terminations import Terminations

TAG = ("tidegate:managed", "true")


@pytest.fixture
def ec2(cloud: Callable[[str], Any]) -> Any:
    return cloud("ec2")


def launched(ec2: Any, count: int) -> list[str]:
    made = ec2.run_instances(ImageId="ami-12345678", MinCount=count, MaxCount=count)
    return sorted(each["InstanceId"] for each in made["Instances"])


def test_instances_are_ended_once_and_again_without_harm(ec2: Any) -> None:
    ids, terminations = launched(ec2, 3), Terminations(ec2, TAG)
    assert terminations.left(ids) == dict.fromkeys(ids, "running")
    for _ in range(2):
        assert terminations.end(ids[:2]) == {}
    assert list(terminations.left(ids)) == ids[2:]
    assert terminations.left([*ids, "i-00000000000000000"]) == {ids[2]: "running"}
    assert terminations.left([]) == {}


def test_those_that_are_gone_keep_no_other_alive(ec2: Any) -> None:
    ids, terminations = launched(ec2, 2), Terminations(ec2, TAG)
    assert terminations.end(["i-00000000000000000", *ids]) == {}
    assert terminations.left(ids) == {}


def test_a_protected_instance_alone_is_kept_and_named(ec2: Any) -> None:
    ids, terminations = launched(ec2, 3), Terminations(ec2, TAG)
    ec2.modify_instance_attribute(InstanceId=ids[1], DisableApiTermination={"Value": True})
    refused = terminations.end(ids)
    assert list(refused) == [ids[1]]
    assert "protected from termination" in refused[ids[1]]
    assert list(terminations.left(ids)) == [ids[1]]


def test_an_instance_without_the_opt_in_tag_is_told_the_remedy(ec2: Any) -> None:
    with Stubber(ec2) as stub:
        stub.add_client_error("terminate_instances", "UnauthorizedOperation", "You are not authorized")
        why = Terminations(ec2, TAG).end(["i-1"])["i-1"]
    assert "tidegate:managed=true" in why


def test_throttling_is_no_refusal(ec2: Any) -> None:
    with Stubber(ec2) as stub:
        stub.add_client_error("terminate_instances", "RequestLimitExceeded", "slow down")
        with pytest.raises(ThrottledError):
            Terminations(ec2, TAG).end(["i-1", "i-2"])
