"""Deployments that restart what the group's last successful deployment installed (``deploymentMode`` RESTART)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.errors import ApiError
from tidegate.model.deployment import RESTART


def is_restart(given: Mapping[str, Any]) -> bool:
    """Whether a CreateDeployment asks for a restart."""
    return bool(given.get("deploymentMode", "STANDARD") == RESTART)


def check_restart(given: Mapping[str, Any]) -> None:
    """Refuse what a restart cannot have (API: CreateDeployment, ``deploymentMode``).

    Raises
    ------
    ApiError
        A revision is named, or only outdated instances are to take part.
    """
    if given.get("revision"):
        message = (
            "'revision' cannot be given with 'deploymentMode' RESTART, which restarts the revision of the group's last "
            "successful deployment. Leave 'revision' out, or deploy it with 'deploymentMode' STANDARD."
        )
        raise ApiError("InvalidRevisionException", message)
    if given.get("updateOutdatedInstancesOnly"):
        message = (
            "'updateOutdatedInstancesOnly' cannot be true with 'deploymentMode' RESTART, which updates no instance. "
            "Leave it out."
        )
        raise ApiError("InvalidUpdateOutdatedInstancesOnlyValueException", message)


def restarted(group: Mapping[str, Any]) -> dict[str, Any]:
    """What a restart's deployment takes from its group: ``location``, ``deploymentMode`` and ``restartOf``.

    Parameters
    ----------
    group
        The group's item (``docs/data-model.md``).

    Raises
    ------
    ApiError
        The group does not deploy in place to servers, or no deployment of it has succeeded.
    """
    style = group["info"].get("deploymentStyle") or {}
    if style.get("deploymentType", "IN_PLACE") != "IN_PLACE":
        message = "'deploymentMode' RESTART is for deployments in place; this deployment group deploys BLUE_GREEN."
        raise ApiError("InvalidInputException", message)
    last_good = group.get("lastGood")
    if not last_good:
        message = (
            "'deploymentMode' RESTART needs a deployment of this group that has succeeded; there is none. "
            "Deploy a revision first."
        )
        raise ApiError("RevisionDoesNotExistException", message)
    return {
        "location": last_good["location"],
        "deploymentMode": RESTART,
        "restartOf": last_good["deploymentId"],
    }
