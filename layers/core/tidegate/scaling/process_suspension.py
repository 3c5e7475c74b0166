"""Processes of Auto Scaling groups that are suspended while a deployment runs (API: EC2DeploymentOptions).

Which they are stands on the deployment before any is suspended, and every end of it resumes them, whoever ends it.
Processes that were suspended before are somebody else's, and stay so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidegate.gateways.errors import FleetFault
from tidegate.gateways.scaling_refusals import code_of
from tidegate.gateways.service_roles import ServiceRoleError
from tidegate.model.decisions import Decision
from tidegate.model.deployment import ENDING, ErrorCode
from tidegate.model.group_copy import HELD, Provisioning
from tidegate.model.scaling import ScalingFault, processes_of

if TYPE_CHECKING:
    from tidegate.runtime import Runtime


def suspend_processes(deployment: Mapping[str, Any], group: Mapping[str, Any], runtime: Runtime) -> None:
    """Suspend what the deployment asks for, before its first instance is touched.

    Raises
    ------
    ScalingFault
        One cannot be suspended. Those that were are resumed by the deployment's end.
    """
    wanted = processes_of([deployment.get("ec2DeploymentOptions")])
    if not wanted:
        return
    ours = deployment.get("suspended")
    if ours is None:
        found = {"suspended": _to_suspend(wanted, group["info"].get("autoScalingGroups") or (), runtime)}
        # Who comes second finds the first one's suspended already, and must not take them for somebody else's.
        item = runtime.deployments.amend(
            deployment["deploymentId"], {}, generation=deployment["generation"], once=found
        )
        ours = item["suspended"]
    for scaling_group, processes in ours.items():
        runtime.lifecycle_hooks.suspend(scaling_group, processes)
    item = runtime.deployments.get(deployment["deploymentId"])
    if item.get(ENDING):  # a step that was given up long ago, and its deployment has ended without it
        resume_processes(item, runtime)


def _to_suspend(wanted: Sequence[str], names: Sequence[str], runtime: Runtime) -> dict[str, list[str]]:
    found = runtime.lifecycle_hooks.groups(names)
    if missing := [name for name in names if name not in found]:
        message = (
            f"Processes cannot be suspended: there is no Auto Scaling group {', '.join(missing)}. "
            "Take it out of the deployment group."
        )
        raise ScalingFault(ErrorCode.AUTO_SCALING_CONFIGURATION, message)
    ours = {name: [each for each in wanted if each not in found[name].suspended] for name in names}
    return {name: processes for name, processes in ours.items() if processes}


def resume_processes(deployment: Mapping[str, Any], runtime: Runtime) -> ScalingFault | None:
    """Resume what the deployment suspended; the first fault, after all others were resumed."""
    first: ScalingFault | None = None
    for scaling_group, processes in (deployment.get("suspended") or {}).items():
        try:
            runtime.lifecycle_hooks.resume(scaling_group, processes)
        except (ScalingFault, ServiceRoleError) as fault:
            code = code_of(fault)
            remedy = f"Resume {', '.join(processes)} of the Auto Scaling group {scaling_group} by hand."
            first = first or ScalingFault(code, f"{fault} {remedy}")
    return first


def hold_copy(deployment: Mapping[str, Any], runtime: Runtime) -> Decision | None:
    """Let the copied Auto Scaling group of a deployment that did not succeed launch nothing; what is to be said of it.

    It has no hook, for that comes with success: whatever it launched would have no revision.
    """
    wanted = Provisioning.of(deployment)
    if wanted is None:
        return None
    processes = ", ".join(HELD)
    try:
        if runtime.scaling_groups.find(wanted.copy) is None:
            return None
        runtime.lifecycle_hooks.suspend(wanted.copy, HELD)
    except (FleetFault, ScalingFault, ServiceRoleError) as fault:
        reason = (
            f"{fault} Suspend {processes} of the Auto Scaling group {wanted.copy} by hand, or delete it: what it "
            "launches has no revision."
        )
        return Decision("Copy", code_of(fault), reason)
    reason = (
        f"The Auto Scaling group {wanted.copy} is kept. Its processes {processes} are suspended, for what it launches "
        "would have no revision: delete it when it is not needed, or resume them by hand."
    )
    return Decision("Copy", "HELD", reason)
