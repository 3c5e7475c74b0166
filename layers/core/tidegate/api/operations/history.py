"""Our own service: why a deployment did what it did, and what went where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.errors import ApiError
from tidegate.api.paging import LOOKED_AT, PAGE_SIZE, Paging, take
from tidegate.api.rules.common import check_deployment_id
from tidegate.api.services import Call
from tidegate.store.table import Cursor, Page

Given = Mapping[str, Any]


def list_decisions(call: Call, given: Given) -> dict[str, Any]:
    """ListDecisions: the decisions of a deployment in the order in which they were made."""
    deployment_id = check_deployment_id(given["deploymentId"])
    call.services.deployments.get(deployment_id)
    paging = Paging(call.operation, given)
    items, cursor = take(
        lambda start: call.services.table.query(f"DEP#{deployment_id}", "DECISION#", limit=PAGE_SIZE + 1, start=start),
        paging.cursor,
    )
    return {"decisions": items, **paging.token(cursor)}


def list_installations(call: Call, given: Given) -> dict[str, Any]:
    """ListInstallations: the report of one target, of one deployment, or of one revision.

    Newest first, but for a deployment's, which are in the order of the targets' ids.
    """
    pk, index, descending = _partition(given)
    keep = call.scope.holds if call.scope is not None else None
    limit = LOOKED_AT if keep else PAGE_SIZE + 1

    def read(start: Cursor | None) -> Page:
        return call.services.table.query(pk, index=index, descending=descending, limit=limit, start=start)

    paging = Paging(call.operation, given)
    items, cursor = take(read, paging.cursor, index=index, keep=keep)
    shown = [{**item, "targetId": str(item["PK"]).removeprefix("HOST#")} for item in items]
    return {"installations": shown, **paging.token(cursor)}


def _partition(given: Given) -> tuple[str, str | None, bool]:
    target, deployment = given.get("targetId"), given.get("deploymentId")
    application, revision = given.get("applicationName"), given.get("revisionKey")
    if sum(map(bool, (target, deployment, application or revision))) != 1 or bool(application) != bool(revision):
        message = "Give exactly one of 'targetId', 'deploymentId', and 'applicationName' with 'revisionKey'."
        raise ApiError("InvalidInputException", message)
    if target:
        return f"HOST#{target}", None, True
    if deployment:
        return f"INSTALLED#{check_deployment_id(deployment)}", "GSI2", False
    return f"INSTALLED#{application}#{revision}", "GSI1", True
