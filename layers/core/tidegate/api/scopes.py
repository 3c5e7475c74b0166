"""Calls that are confined to an application, and name deployments by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.addresses import Scope
from tidegate.model.names import DEPLOYMENT_ID
from tidegate.store.deployments import Deployments
from tidegate.store.errors import DeploymentNotFoundError


def confined(scope: Scope, given: Mapping[str, Any], deployments: Deployments) -> dict[str, Any]:
    """The input, with what lies outside the scope treated as if it did not exist.

    One deployment outside the scope is not found; of several, those outside are left out. An id that is malformed or
    unknown stays in, for the operation to judge.

    Raises
    ------
    DeploymentNotFoundError
        Worded as for an id that nobody has: the caller learns nothing of others' deployments.
    """
    one, many = given.get("deploymentId"), given.get("deploymentIds")
    if isinstance(many, list):
        return {**given, "deploymentIds": _inside(scope, many, deployments)}
    if one and DEPLOYMENT_ID.fullmatch(one) and not scope.holds(deployments.get(one)):
        raise DeploymentNotFoundError(one)
    return dict(given)


def _inside(scope: Scope, ids: list[str], deployments: Deployments) -> list[str]:
    known = deployments.get_many(each for each in ids[:100] if DEPLOYMENT_ID.fullmatch(each))
    outside = {item["deploymentId"] for item in known if not scope.holds(item)}
    return [each for each in ids if each not in outside]
