"""How a deployment ends: its targets are settled, its last words told, its record ended and its rollback made.

FinishDeployment ends deployments so, and SweepDeployments those that no execution can be had for. Repeating it changes
nothing: what was told is not told again, and the record is ended once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tidegate.course.target_rows import target_row
from tidegate.model.cells import Outcome
from tidegate.model.decisions import Decision
from tidegate.model.deployment import RESTART, TERMINAL, is_blue_green
from tidegate.model.ledger import Ledger, Roster
from tidegate.model.legs import events_of
from tidegate.rollout import RollbackPlan, plan_rollback
from tidegate.rollout.blue_green import Traffic, traffic_of
from tidegate.rollout.projection import interrupted_events, pending_events
from tidegate.scaling.late_originals import take_late_originals_out
from tidegate.scaling.process_suspension import hold_copy, resume_processes
from tidegate.store.deployment_items import rollback_deployment, traffic_back_deployment
from tidegate.store.errors import DeploymentGroupNotFoundError
from tidegate.store.ledgers import Loaded, StaleLedgerError, number_decisions
from tidegate.store.targets import TargetRow

if TYPE_CHECKING:
    from tidegate.runtime import Runtime
    from tidegate.store.table import Item


_LOST = "The instance did not answer before the deployment ended; what became of its events is not known."


@dataclass(frozen=True, slots=True)
class End:
    """A deployment's final status with its error code and reason; those of a success are not kept."""

    status: str
    code: str
    reason: str


def no_ledger(deployment: Mapping[str, Any]) -> Loaded:
    """What stands for the ledger of a deployment that has none yet; its revivals may have been told already."""
    return Loaded.nothing(deployment.get("revivals", 0))


def end_deployment(
    deployment: Mapping[str, Any],
    before: Loaded,
    closed: Ledger,
    end: End,
    told: Sequence[Decision],
    runtime: Runtime,
    now: float,
) -> Item:
    """End a deployment as its present generation.

    Parameters
    ----------
    before : the ledger as it was read
    closed : the same with its stop condition
    told : decisions that led to the end and are not in the history yet

    Returns
    -------
    The deployment as it has ended.

    Raises
    ------
    StaleGenerationError, StaleLedgerError
        Somebody else has the deployment, or made another pass.
    """
    deployment_id, generation = deployment["deploymentId"], deployment["generation"]
    deployment = runtime.deployments.begin_ending(deployment_id, generation)
    if deployment["status"] in TERMINAL:
        return deployment
    if fault := resume_processes(deployment, runtime):
        told = [*told, Decision("Resume", fault.code, fault.message)]
        end = End("Failed", fault.code, fault.message) if end.status == "Succeeded" else end
    if end.status == "Succeeded" and (late := take_late_originals_out(deployment, runtime)):
        told = [*told, Decision("Detach", late.code, late.message)]
        end = End("Failed", late.code, late.message)
    if end.status != "Succeeded" and (held := hold_copy(deployment, runtime)):
        told = [*told, held]
        end = replace(end, reason=f"{end.reason} {held.reason}")
    ledger, skipped, lost = _settled(deployment_id, closed, deployment, runtime)
    runtime.targets.show(deployment_id, skipped, now)
    runtime.targets.ended(deployment, lost, now)
    if end.status == "Succeeded":
        _forget_current(deployment, ledger, runtime)
    census = ledger.census()
    attempted = census.succeeded + census.failed
    has_fleet = bool(ledger.cells)
    traffic = traffic_of(closed) if has_fleet and is_blue_green(deployment) else None
    rollback = _rollback_plan(deployment, end, attempted, traffic, runtime)
    _tell(deployment, before, ledger, [*told, *_last_words(end.status, ledger, rollback)], runtime, now)
    return runtime.deployments.finish(
        deployment_id,
        status=end.status,
        now=now,
        # Without a fleet, what an earlier step has noted stays.
        overview=ledger.overview if has_fleet else None,
        error=None if end.status == "Succeeded" else {"code": end.code, "message": end.reason},
        rollback=_rollback_item(deployment, rollback, runtime, now),
        rollback_message=rollback.reason if rollback and not rollback.wanted else None,
        generation=generation,
    )


def _settled(
    deployment_id: str, ledger: Ledger, deployment: Mapping[str, Any], runtime: Runtime
) -> tuple[Ledger, list[TargetRow], list[TargetRow]]:
    """The ledger with nothing open, and the rows of its skipped targets and of those that never answered.

    Targets withdrawn before they were sent are skipped in the ledger already; their rows are written here.
    """
    pending, lost = ledger.positions(Outcome.PENDING), ledger.positions(Outcome.IN_FLIGHT)
    settled = ledger.moved([*pending, *_half_way(ledger)], Outcome.SKIPPED).moved(lost, Outcome.FAILED)
    roster = runtime.ledgers.roster(deployment_id, ledger.roster)
    positions = [*settled.positions(Outcome.SKIPPED), *lost]
    several = len(ledger.way) > 1 or len(ledger.current.stages) > 1
    known = runtime.targets.events(deployment_id, roster.ids(positions)) if several else {}

    def row(position: int, status: str, message: str) -> TargetRow:
        member = roster.members[position]
        events = known.get(member.target_id) or pending_events(
            events_of(ledger.way, position) or deployment.get("events") or ()
        )
        events = interrupted_events(events, message)
        return target_row(runtime.settings, member, status, events)

    leg = ledger.current
    # Original instances that are left alone before their end have been through all their events.
    over = "Succeeded" if leg.only_ends else "Skipped"
    skipped_rows = [
        row(position, over if position in leg.positions else "Skipped", "")
        for position in settled.positions(Outcome.SKIPPED)
    ]
    lost_rows = [row(position, "Failed", _LOST) for position in lost]
    return settled, skipped_rows, lost_rows


def _half_way(ledger: Ledger) -> list[int]:
    """Targets that came well through this leg and have another one before them, which does not come any more."""
    to_come = [leg for leg in ledger.way[ledger.leg + 1 :] if not leg.only_ends]
    done = ledger.positions(Outcome.SUCCEEDED) if to_come else []
    return [position for position in done if any(position in leg.positions for leg in to_come)]


def _forget_current(deployment: Mapping[str, Any], ledger: Ledger, runtime: Runtime) -> None:
    """What is on an instance that failed in a deployment that succeeded: Unknown, if it was the group's revision.

    AWS: "Instance health", revision health. The new revision is as little known to be there where an earlier, failed
    deployment had installed it. A restart installs nothing, so what is there is what was.
    """
    failed = ledger.positions(Outcome.FAILED)
    if not failed or deployment.get("deploymentMode") == RESTART:
        return
    try:
        last_good = runtime.groups.of_deployment(deployment).get("lastGood") or {}
    except DeploymentGroupNotFoundError:
        return
    ids = runtime.ledgers.roster(deployment["deploymentId"], ledger.roster).ids(failed)
    current = {last_good.get("revisionKey", ""), deployment["revisionKey"]}
    runtime.targets.forget_revisions(deployment["deploymentGroupId"], ids, current)


def _rollback_plan(
    deployment: Mapping[str, Any], end: End, attempted: int, traffic: Traffic | None, runtime: Runtime
) -> RollbackPlan | None:
    try:
        group = runtime.groups.of_deployment(deployment)
    except DeploymentGroupNotFoundError:
        plan = plan_rollback(deployment, end.status, end.code, None, attempted)
        reason = "The deployment group is gone, so nothing is rolled back."
        return plan and RollbackPlan(False, "DEPLOYMENT_GROUP_MISSING", reason)
    return plan_rollback(deployment, end.status, end.code, group.get("lastGood"), attempted, traffic)


def _tell(
    deployment: Mapping[str, Any],
    before: Loaded,
    ledger: Ledger,
    decisions: list[Decision],
    runtime: Runtime,
    now: float,
) -> None:
    """Write the last decisions while the deployment is still live, so that they are never missing from an ended one."""
    deployment_id, generation = deployment["deploymentId"], deployment["generation"]
    if before.ledger.settled:
        return
    settled = replace(ledger, settled=True)
    if before.version:
        runtime.ledgers.commit(deployment_id, generation, before, settled, decisions, now)
        return
    # It ends before it had a ledger: now it has one, so that no step that is late makes another.
    settled, items = number_decisions(deployment_id, settled, decisions, now)
    roster = Roster() if deployment.get("computePlatform", "Server") == "Server" else None
    if not runtime.ledgers.create(deployment_id, settled, roster, generation, items):
        raise StaleLedgerError(f"The deployment {deployment_id} has a ledger by now.")


def _last_words(status: str, ledger: Ledger, rollback: RollbackPlan | None) -> list[Decision]:
    """How it ended and what follows."""
    found = ledger.overview
    ended = f"{status}: {found['Succeeded']} succeeded, {found['Failed']} failed, {found['Skipped']} skipped."
    decisions = [Decision("Finish", status.upper(), ended, dict(found))]
    if rollback is not None:
        decisions.append(Decision("Rollback", rollback.code, rollback.reason))
    return decisions


def _rollback_item(
    deployment: Mapping[str, Any], rollback: RollbackPlan | None, runtime: Runtime, now: float
) -> dict[str, Any] | None:
    if rollback is None or not rollback.wanted:
        return None
    make = traffic_back_deployment if rollback.traffic_back else rollback_deployment
    return make(deployment, rollback.last_good or {}, deployment_id=runtime.new_deployment_id(), now=now)
