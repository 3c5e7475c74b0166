"""SelectTargets: resolve the fleet once, order it and fix its minimum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.course.target_rows import target_row
from tidegate.gateways.errors import BalancerFault, FleetFault
from tidegate.layout.by_kind import laid_out
from tidegate.model.balancers import to_items
from tidegate.model.deployment import ErrorCode
from tidegate.model.group_copy import copies
from tidegate.model.ledger import Ledger, Roster
from tidegate.model.legs import events_of
from tidegate.model.scaling import ScalingFault
from tidegate.rollout.plan import Plan
from tidegate.rollout.projection import pending_events
from tidegate.runtime import PROVISIONS, Runtime, State, knows, step
from tidegate.scaling.process_suspension import suspend_processes
from tidegate.settings import Settings
from tidegate.store.applications import Applications
from tidegate.store.errors import ApplicationNotFoundError, DeploymentGroupNotFoundError
from tidegate.store.ledgers import number_decisions
from tidegate.store.targets import TargetRow


def run(state: State, runtime: Runtime) -> State:
    """Write roster, ledger and the plan's reason; a fleet that cannot be deployed to closes the ledger at once."""
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return {**state, "verdict": "FENCED"}
    known = runtime.ledgers.load(state["deploymentId"])
    # Of a copy's deployment the start is older than the ledger; then what is written last tells.
    written_last = "selection" if copies(deployment) else "startTime"
    if known is not None and known.ledger.settled:
        return {**state, "verdict": "FINISH"}  # how it ends was told in an earlier generation
    if known is not None and written_last in deployment:
        return {**state, "verdict": "ACT"}  # a later generation: the loop goes on where the ledger stands
    if copies(deployment) and not (deployment.get("provisioning") or {}).get("ready"):
        return _to_be_provisioned(state)
    try:
        group = runtime.groups.of_deployment(deployment)
        layout = laid_out(deployment, group, runtime)
        suspend_processes(deployment, group, runtime)
    except DeploymentGroupNotFoundError as error:
        return {**state, "verdict": "FINISH", "fault": _missing(deployment, error, runtime)}
    except (BalancerFault, FleetFault, ScalingFault) as error:
        return {**state, "verdict": "FINISH", "fault": {"code": error.code, "message": error.message}}
    made, now = layout.plan, runtime.clock()
    deployment_id, generation = state["deploymentId"], state["generation"]
    ledger, roster = made.ledger, made.roster
    if known is not None:  # whoever was first may have found another fleet, and died before it was shown
        ledger, roster = known.ledger, runtime.ledgers.roster(deployment_id, known.ledger.roster)
    elif not _written(deployment, made, runtime, now):
        return run(state, runtime)  # somebody else was first meanwhile
    runtime.targets.show(deployment_id, _rows(ledger, roster, runtime.settings), now)
    # Last, so that whoever sees the deployment in progress sees its targets too.
    runtime.deployments.amend(
        deployment_id,
        {
            "status": "InProgress",
            "overview": ledger.overview,
            **({"balancers": to_items(layout.balancers)} if layout.balancers else {}),
            **({"selection": layout.selection} if layout.selection else {}),
        },
        generation=generation,
        once={"startTime": now},
    )
    return {**state, "verdict": "ACT"}


def _written(deployment: Mapping[str, Any], made: Plan, runtime: Runtime, now: float) -> bool:
    """Write roster and ledger, where there is no ledger yet."""
    # The sweep may have told of revivals before there was a ledger to number its decisions.
    fresh = replace(made.ledger, decisions=deployment.get("revivals", 0))
    ledger, decisions = number_decisions(deployment["deploymentId"], fresh, [made.decision], now)
    return runtime.ledgers.create(deployment["deploymentId"], ledger, made.roster, deployment["generation"], decisions)


def _rows(ledger: Ledger, roster: Roster, settings: Settings) -> list[TargetRow]:
    """All targets as they are shown before anything has happened to them."""
    return [
        target_row(settings, member, "Pending", pending_events(events_of(ledger.way, position)))
        for position, member in enumerate(roster.members)
    ]


def _missing(deployment: Mapping[str, Any], error: DeploymentGroupNotFoundError, runtime: Runtime) -> dict[str, str]:
    """The fault of a deployment whose group was deleted before it began, or whose application was."""
    remedy = "It was deleted after the deployment was created, and nothing was deployed: create it again, then deploy."
    try:
        Applications(runtime.table).get(deployment["applicationName"])
    except ApplicationNotFoundError as gone:
        return {"code": ErrorCode.APPLICATION_MISSING, "message": f"{gone}. {remedy}"}
    return {"code": ErrorCode.DEPLOYMENT_GROUP_MISSING, "message": f"{error} {remedy}"}


def _to_be_provisioned(state: State) -> State:
    """The replacement fleet is to be made first; the machine of an earlier release has no state for that."""
    if knows(state, PROVISIONS):
        return {**state, "verdict": "PROVISION"}
    message = "The deployment was started before Tidegate was updated and cannot copy its group; deploy again."
    return {**state, "verdict": "FINISH", "fault": {"code": ErrorCode.INTERNAL_ERROR, "message": message}}


handler = step(Logger(), run, cache(Runtime))
