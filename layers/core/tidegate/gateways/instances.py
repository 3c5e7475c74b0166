"""Instances that a deployment group selects (AWS: "Tagging instances for deployment groups", "Integrating CodeDeploy
with Amazon EC2 Auto Scaling")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.gateways.errors import DeniedError, FleetFault, error_code, translated
from tidegate.model.deployment import ErrorCode

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef

#: Terminated and terminating instances are no targets; stopped ones are, and fail.
_STATES: Final = ["pending", "running", "stopping", "stopped"]
#: Lifecycle states of members of an Auto Scaling group that a deployment of the fleet goes to. One that is still
#: launching is left to the deployment of its launch, one that is leaving to nobody.
_MEMBERS: Final = frozenset({"Pending:Proceed", "InService", "EnteringStandby", "Standby", "Detaching"})
_MOST_VALUES: Final = 200  # of a filter of DescribeInstances


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance, its tags and its Availability Zone."""

    instance_id: str
    tags: Mapping[str, str]
    zone: str = ""


class Instances:
    """EC2 instances of the account and Region.

    Parameters
    ----------
    client
        Makes the client of a service (``ec2``, ``autoscaling``); only what a group uses is made.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def selected_by(self, group: Mapping[str, Any]) -> list[Instance]:
        """The instances that a deployment group's tags and Auto Scaling groups select, each once.

        Parameters
        ----------
        group : the group's ``info``: ``ec2TagFilters`` (any one matches) or ``ec2TagSet`` (one of each list matches),
            and ``autoScalingGroups`` (names). Who has the tags and is launching into, or leaving, one of the Auto
            Scaling groups is not selected

        Raises
        ------
        FleetFault
            ``AUTO_SCALING_CONFIGURATION`` where an Auto Scaling group is not there, ``NO_EC2_SUBSCRIPTION`` where the
            account has not signed up for Amazon EC2.
        """
        states = self.lifecycle_states(group.get("autoScalingGroups") or ())
        members = {instance_id for instance_id, state in states.items() if state in _MEMBERS}
        tagged = self._tagged(group)
        found = {i: each for i, each in tagged.items() if i not in states or i in members}
        return [*found.values(), *self.described(sorted(members - set(found)))]

    def lifecycle_states(self, names: Sequence[str]) -> dict[str, str]:
        """The lifecycle state of each instance of some Auto Scaling groups, by instance id (API: LifecycleState).

        Raises
        ------
        FleetFault
            ``AUTO_SCALING_CONFIGURATION``: one of the groups is not there. ``AUTO_SCALING_IAM_ROLE_PERMISSIONS``: they
            may not be described.
        """
        states: dict[str, str] = {}
        if not names:
            return states
        missing = list(names)
        with _permitted(), translated("describing Auto Scaling groups"):
            pages = self._client("autoscaling").get_paginator("describe_auto_scaling_groups")
            for page in pages.paginate(AutoScalingGroupNames=list(names)):
                for row in page["AutoScalingGroups"]:
                    missing.remove(row["AutoScalingGroupName"])
                    states |= {each["InstanceId"]: each["LifecycleState"] for each in row.get("Instances", ())}
        if missing:
            raise FleetFault(
                ErrorCode.AUTO_SCALING_CONFIGURATION,
                f"The deployment group names an Auto Scaling group that does not exist: {', '.join(missing)}. "
                "Take it out of the deployment group (UpdateDeploymentGroup, autoScalingGroups), or create it again.",
            )
        return states

    def described(self, instance_ids: Sequence[str]) -> list[Instance]:
        """Instances by id, in this order; those that are terminated, or unknown, are left out."""
        found: dict[str, Instance] = {}
        for start in range(0, len(instance_ids), _MOST_VALUES):
            values = list(instance_ids[start : start + _MOST_VALUES])
            found |= self._matching({"Name": "instance-id", "Values": values})
        return [found[each] for each in instance_ids if each in found]

    def states(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """EC2's state of instances by id; one that it has forgotten, an hour or so after its end, is ``terminated``."""
        found = dict.fromkeys(instance_ids, "terminated")
        for start in range(0, len(instance_ids), _MOST_VALUES):
            values = list(instance_ids[start : start + _MOST_VALUES])
            rows = self._rows([{"Name": "instance-id", "Values": values}])
            found |= {row["InstanceId"]: row["State"]["Name"] for row in rows}
        return found

    def _tagged(self, group: Mapping[str, Any]) -> dict[str, Instance]:
        flat: Sequence[Mapping[str, str]] = group.get("ec2TagFilters") or ()
        if flat:
            return self._any_of(flat)
        lists = [each for each in (group.get("ec2TagSet") or {}).get("ec2TagSetList") or () if each]
        if not lists:
            return {}
        found = [self._any_of(each) for each in lists]
        common = set.intersection(*(set(each) for each in found))
        return {instance_id: found[0][instance_id] for instance_id in sorted(common)}

    def _any_of(self, filters: Iterable[Mapping[str, str]]) -> dict[str, Instance]:
        """One call a filter: EC2 itself can only intersect them."""
        found: dict[str, Instance] = {}
        for each in filters:
            found |= self._matching(_filter(each))
        return found

    def _matching(self, wanted: FilterTypeDef) -> dict[str, Instance]:
        found: dict[str, Instance] = {}
        for row in self._rows([{"Name": "instance-state-name", "Values": _STATES}, wanted]):
            tags = {tag["Key"]: tag["Value"] for tag in row.get("Tags", ())}
            zone = row.get("Placement", {}).get("AvailabilityZone", "")
            found[row["InstanceId"]] = Instance(row["InstanceId"], tags, zone)
        return found

    def _rows(self, filters: list[FilterTypeDef]) -> list[Mapping[str, Any]]:
        """EC2's descriptions of the instances that match."""
        with translated("describing instances"), _subscribed():
            pages = self._client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
            return [row for page in pages for each in page["Reservations"] for row in each.get("Instances", ())]


@contextmanager
def _permitted() -> Iterator[None]:
    try:
        yield
    except DeniedError as error:
        remedy = "Allow it in the policies of the account, or in those of the stack's functions."
        raise FleetFault(ErrorCode.AUTO_SCALING_IAM_ROLE_PERMISSIONS, f"{error} {remedy}") from error


@contextmanager
def _subscribed() -> Iterator[None]:
    """EC2 says OptInRequired to accounts that have not signed up for it (EC2: "Error codes")."""
    try:
        yield
    except ClientError as error:
        if error_code(error) != "OptInRequired":
            raise
        raise FleetFault(
            ErrorCode.NO_EC2_SUBSCRIPTION,
            "This AWS account is not subscribed to Amazon EC2 in this Region, so no instances can be found (EC2 says "
            "OptInRequired). Complete the account's sign-up and enable the Region, then deploy again.",
        ) from error


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
