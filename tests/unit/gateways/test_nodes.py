"""Managed nodes, as Systems Manager's answers tell of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from tidegate.gateways.errors import DeniedError
from tidegate.gateways.nodes import Nodes
from tidegate.model.nodes import NAME_TAG, Node

HYBRID = {"Key": "ResourceType", "Values": ["ManagedInstance"]}
OPT_IN = {"Key": "tag:tidegate:managed", "Values": ["true"]}
NAMED = {"Key": "tag-key", "Values": [NAME_TAG]}


@pytest.fixture
def ssm(stubbed: Callable[[str], tuple[Any, Stubber]]) -> tuple[Nodes, Stubber]:
    client, stub = stubbed("ssm")
    return Nodes(client, ("tidegate:managed", "true")), stub


def listing(stub: Stubber, rows: list[dict[str, Any]], *more: dict[str, Any], **tokens: str) -> None:
    asked = {"Filters": [HYBRID, *more], "MaxResults": 50}
    if "after" in tokens:
        asked["NextToken"] = tokens["after"]
    answer: dict[str, Any] = {"InstanceInformationList": rows}
    if "next" in tokens:
        answer["NextToken"] = tokens["next"]
    stub.add_response("describe_instance_information", answer, asked)


def node_id(number: int) -> str:
    return f"mi-{number:017x}"


def test_nodes_with_all_that_is_asked_of_them(ssm: tuple[Nodes, Stubber]) -> None:
    nodes, stub = ssm
    second = {"InstanceId": node_id(2), "Name": "pc", "PingStatus": "ConnectionLost"}
    first = {
        "InstanceId": node_id(1),
        "Name": "box",
        "IamRole": "service-role/hosts",
        "PingStatus": "Online",
        "ComputerName": "box.example",
    }
    listing(stub, [second], next="more")
    listing(stub, [first], after="more")
    listing(stub, [first], OPT_IN)
    listing(stub, [second], NAMED)
    stub.add_response(
        "list_tags_for_resource",
        {"TagList": [{"Key": "other", "Value": "x"}, {"Key": NAME_TAG, "Value": "desk"}]},
        {"ResourceType": "ManagedInstance", "ResourceId": node_id(2)},
    )
    assert nodes.hybrid() == [
        Node(node_id(1), "box", "hosts", "", opted_in=True, online=True, computer_name="box.example"),
        Node(node_id(2), "pc", "", "desk", opted_in=False, online=False),
    ]


def test_where_there_are_no_nodes_nothing_more_is_asked(ssm: tuple[Nodes, Stubber]) -> None:
    nodes, stub = ssm
    listing(stub, [])
    assert nodes.hybrid() == []


def test_a_missing_right_is_told(ssm: tuple[Nodes, Stubber]) -> None:
    nodes, stub = ssm
    stub.add_client_error("describe_instance_information", "AccessDeniedException")
    with pytest.raises(DeniedError, match="looking up managed nodes"):
        nodes.hybrid()
