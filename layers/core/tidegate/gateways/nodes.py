"""Hybrid-activated managed nodes (AWS: "Using Systems Manager in hybrid and multicloud environments")."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tidegate.gateways.errors import translated
from tidegate.model.nodes import NAME_TAG, Node

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import InstanceInformationStringFilterTypeDef

_READERS = 8
_PAGE = 50


class Nodes:
    """The managed nodes of the account and Region that are no EC2 instances.

    Parameters
    ----------
    opt_in_tag : key and value of the stack's opt-in tag; None where it does not matter who opted in
    """

    def __init__(self, client: SSMClient, opt_in_tag: tuple[str, str] | None) -> None:
        self._client, self._opt_in = client, opt_in_tag

    def hybrid(self) -> list[Node]:
        """All of them, by id.

        Systems Manager's list has no tags in it, so it is asked once more for each tag that matters: who opted in, and
        who bears a name by tag, whose values are then read one by one.
        """
        with translated("looking up managed nodes"):
            rows = self._rows()
            opted_in: Mapping[str, Any] = {}
            if rows and self._opt_in:
                opted_in = self._rows({"Key": f"tag:{self._opt_in[0]}", "Values": [self._opt_in[1]]})
            tagged = self._rows({"Key": "tag-key", "Values": [NAME_TAG]}) if rows else {}
            names = self._names([each for each in tagged if each in rows])
        found = [_node(row, opted_in=node_id in opted_in) for node_id, row in sorted(rows.items())]
        return [replace(node, tagged_name=names.get(node.node_id, "")) for node in found]

    def _rows(self, *filters: InstanceInformationStringFilterTypeDef) -> dict[str, Mapping[str, Any]]:
        pages = self._client.get_paginator("describe_instance_information").paginate(
            Filters=[{"Key": "ResourceType", "Values": ["ManagedInstance"]}, *filters],
            PaginationConfig={"PageSize": _PAGE},
        )
        return {row["InstanceId"]: row for page in pages for row in page["InstanceInformationList"]}

    def _names(self, node_ids: list[str]) -> dict[str, str]:
        if not node_ids:
            return {}
        with ThreadPoolExecutor(_READERS) as pool:
            return dict(zip(node_ids, pool.map(self._name, node_ids), strict=True))

    def _name(self, node_id: str) -> str:
        tags = self._client.list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=node_id)["TagList"]
        return next((tag["Value"] for tag in tags if tag["Key"] == NAME_TAG), "")


def _node(row: Mapping[str, Any], *, opted_in: bool) -> Node:
    return Node(
        node_id=row["InstanceId"],
        name=row.get("Name", ""),
        role=str(row.get("IamRole", "")).rpartition("/")[2],
        opted_in=opted_in,
        online=row.get("PingStatus") == "Online",
        computer_name=row.get("ComputerName", ""),
    )
