"""Instances that came to an original Auto Scaling group after a blue/green deployment had read its fleets.

They have the old revision, and traffic: of the group's own attachment to the balancers, or of their launch deployment.
When the deployment succeeds nothing of the original group is to have any (decision 023).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidegate.gateways.errors import BalancerFault, FleetFault
from tidegate.gateways.scaling_refusals import code_of
from tidegate.gateways.service_roles import ServiceRoleError
from tidegate.model.balancers import from_items
from tidegate.model.group_copy import attached_to
from tidegate.store.ledgers import Loaded

if TYPE_CHECKING:
    from tidegate.runtime import Runtime


def take_late_originals_out(deployment: Mapping[str, Any], runtime: Runtime) -> FleetFault | BalancerFault | None:
    """Detach the original Auto Scaling groups from the deployment's balancers, and take their other instances out.

    Repeating it does nothing more. Groups that are deleted by now have nobody.

    Returns
    -------
    The first fault, after everything else was tried.
    """
    moves, balancers = deployment.get("selection"), from_items(deployment.get("balancers") or ())
    if moves is None or not balancers:
        return None
    first: FleetFault | BalancerFault | None = None
    known: set[str] | None = None
    for name in moves["from"].get("autoScalingGroups") or ():
        if name in (moves["to"].get("autoScalingGroups") or ()):
            continue
        try:
            group = runtime.scaling_groups.find(name)
            if group is None:
                continue
            if known is None:
                known = _fleet(deployment["deploymentId"], runtime)
            runtime.scaling_groups.detach(name, attached_to(group, balancers))
            if late := [each["InstanceId"] for each in group["Instances"] if each["InstanceId"] not in known]:
                runtime.balancers.block(balancers, late)
        except (FleetFault, BalancerFault, ServiceRoleError) as fault:
            code = code_of(fault)
            remedy = f"Detach the Auto Scaling group {name} from the load balancers by hand: it has the old revision."
            first = first or FleetFault(code, f"{fault} {remedy}")
    return first


def _fleet(deployment_id: str, runtime: Runtime) -> set[str]:
    ledger = (runtime.ledgers.load(deployment_id) or Loaded.nothing()).ledger
    return {member.target_id for member in runtime.ledgers.roster(deployment_id, ledger.roster).members}
