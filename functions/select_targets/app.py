"""SelectTargets: resolve the fleet once, order it and fix its minimum."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.model.deployment import ROLLBACK_CREATOR, ErrorCode
from tidegate.model.legs import events_of
from tidegate.rollout.plan import Candidate, plan
from tidegate.rollout.projection import pending_events
from tidegate.rollout.way import Zonal, in_place_stages
from tidegate.runtime import Runtime, State, step
from tidegate.store.errors import DeploymentGroupNotFoundError
from tidegate.store.ledgers import number_decisions
from tidegate.store.targets import TargetRow


def run(state: State, runtime: Runtime) -> State:
    """Write roster, ledger and the plan's reason; a fleet that cannot be deployed to closes the ledger at once."""
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return {**state, "verdict": "FENCED"}
    try:
        group = runtime.groups.of_deployment(deployment)
    except DeploymentGroupNotFoundError as error:
        fault = {"code": ErrorCode.DEPLOYMENT_GROUP_MISSING, "message": str(error)}
        return {**state, "verdict": "FINISH", "fault": fault}
    key, value = runtime.settings.opt_in_tag
    health = runtime.targets.health(deployment["deploymentGroupId"])
    candidates = [
        Candidate(
            target_id=instance.instance_id,
            healthy=health[instance.instance_id].healthy if instance.instance_id in health else None,
            revision_key=health[instance.instance_id].revision_key if instance.instance_id in health else "",
            opted_in=instance.tags.get(key) == value,
            zone=instance.zone,
        )
        for instance in runtime.instances.selected_by(group["info"])
    ]
    now = runtime.clock()
    made = plan(
        candidates,
        (deployment["minimum"]["type"], deployment["minimum"]["value"]),
        last_good=(group.get("lastGood") or {}).get("revisionKey", ""),
        now=now,
        outdated_for=deployment["revisionKey"] if deployment.get("updateOutdatedInstancesOnly") else "",
        stages=in_place_stages(deployment["events"], runtime.settings.stage_limit_of(deployment), balanced=False),
        zonal=zonal_of(deployment),
    )
    deployment_id, generation = state["deploymentId"], state["generation"]
    rows = [
        TargetRow(
            m.target_id,
            runtime.settings.instance_arn(m.target_id),
            "Pending",
            pending_events(events_of(made.ledger.way, position)),
        )
        for position, m in enumerate(made.roster.members)
    ]
    if runtime.ledgers.load(deployment_id) is None:
        runtime.targets.show(deployment_id, rows, now)
        ledger, decisions = number_decisions(deployment_id, made.ledger, [made.decision], now)
        runtime.ledgers.create(deployment_id, ledger, made.roster, generation, decisions)
    # Last, so that whoever sees the deployment in progress sees its targets too.
    runtime.deployments.amend(
        deployment_id,
        {"status": "InProgress", "overview": made.ledger.overview},
        generation=generation,
        once={"startTime": now},
    )
    return {**state, "verdict": "ACT"}


def zonal_of(deployment: Mapping[str, Any]) -> Zonal | None:
    """The zones' rules, where the configuration has them; a rollback hurries over all zones at once."""
    config = deployment.get("zonal")
    return Zonal.of(config) if config and deployment["creator"] != ROLLBACK_CREATOR else None


handler = step(Logger(), run, cache(Runtime))
