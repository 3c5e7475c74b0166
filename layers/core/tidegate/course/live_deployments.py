"""The sweep of live deployments: each has an execution that goes on, or gets another one, or is ended."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tidegate.course.aftermath import after_the_end
from tidegate.course.ending import End, end_deployment, no_ledger
from tidegate.model.deployment import TERMINAL, ErrorCode
from tidegate.model.ledger import Closing
from tidegate.rollout import judge
from tidegate.rollout.revival import Revival, revive
from tidegate.store.errors import DeploymentCompletedError, StaleGenerationError
from tidegate.store.ledgers import StaleLedgerError

if TYPE_CHECKING:
    from tidegate.runtime import Runtime

_log = logging.getLogger(__name__)


def sweep_live_deployments(runtime: Runtime, until: float) -> Counter[str]:
    """Look after every live deployment, as far as time allows; begins at a random one, so that none is always the last.

    Returns
    -------
    How many there were of each: ``marked`` (made by a release that set no marks), ``running``, ``revived``,
    ``given up``, ``ended`` (what follows its end was left to do), ``released`` (ended, and still held its group's
    lock), ``taken`` (somebody else was faster), ``failing``, and ``left`` where time ran out.
    """
    found = Counter[str]()
    if marked := _caught_up(runtime, (runtime.clock() + until) / 2):
        found["marked"] = marked
    for ids in runtime.live_marks.ids(after=runtime.new_deployment_id()):
        deployments = {item["deploymentId"]: item for item in runtime.deployments.get_many(ids)}
        for deployment_id in ids:
            if runtime.clock() > until:
                found["left"] += 1
                continue
            found[_looked_after(deployment_id, deployments.get(deployment_id), runtime)] += 1
    return found


def _caught_up(runtime: Runtime, until: float) -> int:
    """Mark deployments that were live before there were marks; once all were, this is one read a sweep."""
    marked = 0
    while runtime.clock() <= until and (more := runtime.live_marks.catch_up()) is not None:
        marked += more
    return marked


def _looked_after(deployment_id: str, deployment: Mapping[str, Any] | None, runtime: Runtime) -> str:
    try:
        if deployment is None:
            runtime.live_marks.remove(deployment_id)
            return "ended"
        runtime.acting.act_for(deployment.get("serviceRoleArn"), deployment_id)
        if deployment["status"] in TERMINAL:
            return _end_completed(deployment, runtime)
        return _look_after(deployment, runtime)
    except (StaleGenerationError, StaleLedgerError, DeploymentCompletedError) as error:
        _log.info("somebody else has the deployment %s: %s", deployment_id, error)
        return "taken"
    except Exception:
        _log.exception("the deployment %s could not be looked after", deployment_id)
        return "failing"


def _end_completed(deployment: Mapping[str, Any], runtime: Runtime) -> str:
    """Do what follows the end of a deployment, where its execution died before it could."""
    released = runtime.live_marks.release(deployment)
    _follow_up(deployment, runtime)
    return "released" if released else "ended"


def _follow_up(ended: Mapping[str, Any], runtime: Runtime) -> None:
    following = after_the_end(ended, runtime)
    if following is not None:
        runtime.executions.start(following, 1)


def _look_after(deployment: Mapping[str, Any], runtime: Runtime) -> str:
    """Carry one live deployment on, or give it up, where its execution is gone."""
    deployment_id, generation, now = deployment["deploymentId"], deployment["generation"], runtime.clock()
    execution = runtime.executions.status(deployment_id, generation)
    loaded = runtime.ledgers.load(deployment_id) or no_ledger(deployment)
    revival = revive(
        execution,
        generation=generation,
        since=deployment.get("generationTime", deployment["createTime"]),
        changed_at=loaded.ledger.changed_at,
        revivals=deployment.get("revivals", 0),
        now=now,
    )
    if revival is None:
        return "running"
    _log.warning("deployment %s, execution %s: %s", deployment_id, execution, revival.decision.reason)
    if revival.gives_up:
        _give_up(deployment, revival, runtime)
        return "given up"
    changes = {"revivals": revival.revivals, "revivedTime": now}
    runtime.ledgers.take_over(deployment_id, generation, loaded, changes, [revival.decision], now)
    runtime.executions.start(deployment_id, generation + 1)
    return "revived"


def _give_up(deployment: Mapping[str, Any], revival: Revival, runtime: Runtime) -> None:
    """End a deployment that no execution can be had for, as FinishDeployment would.

    It is raised first: a step of its last execution that still runs writes nothing any more.
    """
    deployment_id, now = deployment["deploymentId"], runtime.clock()
    raised = {"generation": deployment["generation"] + 1, "generationTime": now}
    own = runtime.deployments.amend(deployment_id, raised, generation=deployment["generation"])
    loaded = runtime.ledgers.load(deployment_id) or no_ledger(own)
    end, closed = End("Failed", ErrorCode.INTERNAL_ERROR, revival.decision.reason), loaded.ledger
    verdict = judge(loaded.ledger, runtime.settings.rules(own), now) if loaded.version else None
    if verdict is not None and verdict.kind.ends:  # only its record was left to be ended
        end, closed = End(verdict.status, verdict.code, verdict.reason), verdict.ledger
    elif closed.closing is None:
        closed = replace(closed, closing=Closing(end.status, end.code, end.reason, now))
    _follow_up(end_deployment(own, loaded, closed, end, [revival.decision], runtime, now), runtime)
