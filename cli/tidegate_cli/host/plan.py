"""``tidegate host plan``: what a deployment would do to this machine, without touching it."""

from __future__ import annotations

import json
from typing import Any

import typer

from tidegate_cli.host.errors import FAILED
from tidegate_cli.host.options import Request
from tidegate_cli.host.order import prepare
from tidegate_runner import door

__all__ = ["plan_json", "run"]


def run(request: Request) -> None:
    """Print a plan; exit status 1 when the deployment would fail as far as can be known."""
    prepared = prepare(request)
    try:
        found = door.plan_install(prepared.order, prepared.host)
    except OSError as error:
        typer.echo(f"tidegate host: this machine refused: {error}", err=True)
        raise typer.Exit(FAILED) from None
    warnings = [*prepared.warnings, *found.warnings]
    if request.as_json:
        typer.echo(json.dumps(plan_json(found, warnings), indent=2))
    else:
        from tidegate_cli.host.tree import render

        render(prepared.order, found, warnings)
    if found.failed_event:
        raise typer.Exit(FAILED)


def plan_json(found: door.InstallPlan, warnings: list[str]) -> dict[str, Any]:
    """Give what ``--json`` prints. Lists are in the order in which things would happen."""
    failure = {"lifecycleEventName": found.failed_event, "message": found.failure} if found.failed_event else None
    return {
        "created": found.created,
        "changed": found.changed,
        "kept": found.kept,
        "deleted": found.deleted,
        "run": [
            {"lifecycleEventName": planned.event, "deploymentId": planned.deployment_id, "scripts": planned.scripts}
            for planned in found.scripts
        ],
        "collisions": [
            {
                "path": collision.path,
                "needed": collision.needed,
                "owner": collision.owner,
                "deploymentGroupId": collision.group_id,
                "deploymentId": collision.deployment_id,
            }
            for collision in found.collisions
        ],
        "warnings": warnings,
        "failure": failure,
        "instructions": [instruction.to_json() for instruction in found.instructions],
    }
