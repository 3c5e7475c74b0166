"""PickBatch: choose the targets that go next, and write them down before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.course.target_rows import target_row
from tidegate.model.ledger import Ledger, Roster
from tidegate.model.legs import events_of
from tidegate.rollout import pick
from tidegate.rollout.projection import pending_events
from tidegate.runtime import Runtime, State, step
from tidegate.store.errors import LedgerGoneError
from tidegate.store.targets import TargetRow


def run(state: State, runtime: Runtime) -> State:
    """Commit the batch's intent: its targets in flight, its flights without a command."""
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return {**state, "verdict": "FENCED"}
    if deployment.get("stop"):
        return state  # asked since the verdict: nothing new is begun, and the next pass concludes it
    deployment_id, now = state["deploymentId"], runtime.clock()
    loaded = runtime.ledgers.load(deployment_id)
    if loaded is None:
        raise LedgerGoneError(deployment_id)
    batch = pick(loaded.ledger, runtime.settings.rules(deployment), now)
    if batch.decision is not None:
        roster = runtime.ledgers.roster(deployment_id, loaded.ledger.roster)
        if not loaded.ledger.current.only_ends:  # for targets that are only ended, everything has been shown
            rows = started_rows(batch.positions, loaded.ledger, roster, deployment, runtime)
            runtime.targets.show(deployment_id, rows, now)
        runtime.ledgers.commit(deployment_id, state["generation"], loaded, batch.ledger, [batch.decision], now)
    return state


def started_rows(
    positions: Sequence[int], ledger: Ledger, roster: Roster, deployment: Mapping[str, Any], runtime: Runtime
) -> list[TargetRow]:
    """Targets that are set going, as they are shown; what ran in earlier legs stays."""
    known = runtime.targets.events(deployment["deploymentId"], roster.ids(positions)) if ledger.leg else {}
    return [
        target_row(
            runtime.settings,
            member,
            "InProgress",
            known.get(member.target_id) or pending_events(events_of(ledger.way, position) or deployment["events"]),
        )
        for position, member in zip(positions, roster.at(positions), strict=True)
    ]


handler = step(Logger(), run, cache(Runtime))
