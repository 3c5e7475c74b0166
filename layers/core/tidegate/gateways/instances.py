"""Instances that a deployment group selects by tags (AWS: "Tagging instances for deployment groups")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidegate.gateways.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef

#: Terminated and terminating instances are no targets; stopped ones are, and fail.
_STATES = ["pending", "running", "stopping", "stopped"]


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance, its tags and its Availability Zone."""

    instance_id: str
    tags: Mapping[str, str]
    zone: str = ""


class Instances:
    """EC2 instances of the account and Region."""

    def __init__(self, client: EC2Client) -> None:
        self._client = client

    def selected_by(self, group: Mapping[str, Any]) -> list[Instance]:
        """The instances that a deployment group's tags select.

        Parameters
        ----------
        group : the group's ``info``: ``ec2TagFilters`` (any one matches) or ``ec2TagSet`` (one of each list matches)
        """
        flat: Sequence[Mapping[str, str]] = group.get("ec2TagFilters") or ()
        if flat:
            return list(self._any_of(flat).values())
        lists = [each for each in (group.get("ec2TagSet") or {}).get("ec2TagSetList") or () if each]
        if not lists:
            return []
        found = [self._any_of(each) for each in lists]
        common = set.intersection(*(set(each) for each in found))
        return [found[0][instance_id] for instance_id in sorted(common)]

    def described(self, instance_ids: Sequence[str]) -> list[Instance]:
        """Instances by id, in this order; those that are terminated, or unknown, are left out."""
        found: dict[str, Instance] = {}
        with translated("describing instances"):
            pages = self._client.get_paginator("describe_instances").paginate(
                Filters=[
                    {"Name": "instance-state-name", "Values": _STATES},
                    {"Name": "instance-id", "Values": list(instance_ids)},
                ]
            )
            for page in pages:
                for reservation in page["Reservations"]:
                    for row in reservation.get("Instances", ()):
                        tags = {tag["Key"]: tag["Value"] for tag in row.get("Tags", ())}
                        zone = row.get("Placement", {}).get("AvailabilityZone", "")
                        found[row["InstanceId"]] = Instance(row["InstanceId"], tags, zone)
        return [found[each] for each in instance_ids if each in found]

    def _any_of(self, filters: Iterable[Mapping[str, str]]) -> dict[str, Instance]:
        """One call a filter: EC2 itself can only intersect them."""
        found: dict[str, Instance] = {}
        with translated("describing instances"):
            for each in filters:
                pages = self._client.get_paginator("describe_instances").paginate(
                    Filters=[{"Name": "instance-state-name", "Values": _STATES}, _filter(each)]
                )
                for page in pages:
                    for reservation in page["Reservations"]:
                        for row in reservation.get("Instances", ()):
                            tags = {tag["Key"]: tag["Value"] for tag in row.get("Tags", ())}
                            zone = row.get("Placement", {}).get("AvailabilityZone", "")
                            found[row["InstanceId"]] = Instance(row["InstanceId"], tags, zone)
        return found


def _filter(tag: Mapping[str, str]) -> FilterTypeDef:
    kind = tag.get("Type", "KEY_AND_VALUE")
    if kind == "KEY_ONLY":
        return {"Name": "tag-key", "Values": [_literal(tag["Key"])]}
    if kind == "VALUE_ONLY":
        return {"Name": "tag-value", "Values": [_literal(tag["Value"])]}
    return {"Name": f"tag:{tag['Key']}", "Values": [_literal(tag.get("Value", ""))]}


def _literal(text: str) -> str:
    """EC2 takes ``*``, ``?`` and a backslash in filter values as wildcards; CodeDeploy's tags have none."""
    return "".join("\\" + char if char in "*?\\" else char for char in text)
