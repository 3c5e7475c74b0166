"""The replacement fleet of COPY_AUTO_SCALING_GROUP: an Auto Scaling group like the one whose instances serve.

Written down first, then made; each turn makes what is missing and looks whether the instances are there, so a turn may
be repeated or die anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tidegate.gateways.errors import FleetFault
from tidegate.layout.two_fleets import options_of
from tidegate.model.deployment import ErrorCode
from tidegate.model.group_copy import SUSPENDED, Provisioning, carries, copy_name, in_service
from tidegate.rollout.way import BlueGreen
from tidegate.rollout.words import count, seconds

if TYPE_CHECKING:
    from tidegate.runtime import Runtime

#: Seconds between two looks.
INTERVAL: Final = 30.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Whether the replacement is there; ``wait`` seconds until the next look where it is not."""

    ready: bool
    wait: float = 0.0


def provision(deployment: Mapping[str, Any], group: Mapping[str, Any], runtime: Runtime) -> Progress:
    """Make the replacement fleet, as far as it can be made now.

    Raises
    ------
    FleetFault
        It cannot be had.
    """
    wanted = Provisioning.of(deployment) or _intended(deployment, group, runtime)
    if wanted.ready:
        return Progress(True)
    copy = runtime.scaling_groups.find(wanted.copy)
    if copy is None or copy["DesiredCapacity"] < wanted.desired:
        # Made again also where it is there already: whoever died may have left it half made.
        runtime.scaling_groups.copy(_source(wanted.source, runtime), wanted.copy, deployment["deploymentId"])
        # The end of the deployment resumes them, whatever it is; a copy that was never raised needs none.
        suspended = {"suspended": {wanted.copy: list(SUSPENDED)}}
        runtime.deployments.amend(deployment["deploymentId"], suspended, generation=deployment["generation"])
        runtime.scaling_groups.resize(wanted.copy, wanted.minimum, wanted.desired)
        copy = runtime.scaling_groups.find(wanted.copy) or {}
    if _there(copy, wanted, runtime):
        ready = {"provisioning": replace(wanted, ready=True).to_item()}
        runtime.deployments.amend(deployment["deploymentId"], ready, generation=deployment["generation"])
        return Progress(True)
    return Progress(False, min(INTERVAL, runtime.settings.heartbeat))


def _intended(deployment: Mapping[str, Any], group: Mapping[str, Any], runtime: Runtime) -> Provisioning:
    """Write down what is to be made."""
    names: Sequence[str] = group["info"].get("autoScalingGroups") or ()
    if len(names) != 1:
        message = (
            f"COPY_AUTO_SCALING_GROUP copies the one Auto Scaling group of the deployment group; it has {len(names)}. "
            "Give it exactly one, or use DISCOVER_EXISTING."
        )
        raise FleetFault(ErrorCode.AUTO_SCALING_CONFIGURATION, message)
    source = _source(names[0], runtime)
    if not source["DesiredCapacity"]:
        message = (
            f"The Auto Scaling group {names[0]} has no instances: its desired capacity is 0, as the copy's would be."
        )
        raise FleetFault(ErrorCode.NO_INSTANCES, message)
    tag = runtime.settings.opt_in_tag
    if BlueGreen.of(options_of(deployment)).terminate_after is not None and not carries(source, tag):
        message = (
            f"The Auto Scaling group {names[0]} does not carry the tag {'='.join(tag)}, without which it may not be "
            "deleted after the deployment (TERMINATE). Add the tag, or use KEEP_ALIVE."
        )
        raise FleetFault(ErrorCode.AUTO_SCALING_CONFIGURATION, message)
    deployment_id = deployment["deploymentId"]
    wanted = Provisioning(
        source=names[0],
        copy=copy_name(deployment["deploymentGroupName"], deployment_id),
        minimum=int(source["MinSize"]),
        desired=int(source["DesiredCapacity"]),
        since=runtime.clock(),
    )
    changes = {"provisioning": wanted.to_item(), "status": "InProgress"}
    begun = {"startTime": runtime.clock()}
    runtime.deployments.amend(deployment_id, changes, generation=deployment["generation"], once=begun)
    return wanted


def _source(name: str, runtime: Runtime) -> Mapping[str, Any]:
    found = runtime.scaling_groups.find(name)
    if found is None:
        message = f"There is no Auto Scaling group {name}. Give the deployment group one that exists."
        raise FleetFault(ErrorCode.AUTO_SCALING_CONFIGURATION, message)
    return found


def _there(copy: Mapping[str, Any], wanted: Provisioning, runtime: Runtime) -> bool:
    """Whether the replacement instances are in service and can be sent commands.

    An instance whose SSM agent does not come in time is left to the deployment, where it fails.
    """
    serving = in_service(copy)
    waited = runtime.clock() - wanted.since
    late = waited > runtime.settings.provisioning
    if len(serving) >= wanted.desired:
        return late or len(runtime.run_command.reachable(serving)) == len(serving)
    code, why = runtime.scaling_groups.failure(wanted.copy)
    if code == ErrorCode.RESOURCE_LIMIT_EXCEEDED or late:
        told = f" Auto Scaling says: {why}" if why else ""
        message = (
            f"{len(serving)} of {count(wanted.desired, 'replacement instance')} of the Auto Scaling group "
            f"{wanted.copy} are in service after {seconds(waited)}.{told}"
        )
        raise FleetFault(code or ErrorCode.AUTO_SCALING_CONFIGURATION, message)
    return False
