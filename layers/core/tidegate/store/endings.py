"""The writes that end a deployment, as values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.model.deployment import RESTART
from tidegate.model.names import revision_key
from tidegate.model.selection import INSTANCE_SELECTORS, selectors_of
from tidegate.store.alarm_watches import watches_ended
from tidegate.store.beginnings import made
from tidegate.store.deployment_items import deployment_key, last_info, still_live
from tidegate.store.groups import group_key
from tidegate.store.revisions import revision_use
from tidegate.store.scaled_groups import SCALING_ATTRIBUTES, lock_released, scaled
from tidegate.store.table import All, Condition, Equals, Item, Update, Write


@dataclass(frozen=True, slots=True)
class Ending:
    """How a deployment is to end; the members are those of ``Deployments.finish``."""

    status: str
    now: float
    overview: Mapping[str, int] | None
    error: Mapping[str, str] | None
    rollback: Mapping[str, Any] | None
    rollback_message: str | None
    generation: int | None

    def with_group(self, deployment: Item, group: Item) -> list[Write]:
        """The writes that end a deployment which holds its group's lock."""
        writes: list[Write] = [self._of_deployment(deployment, alone=False), self._of_group(deployment, group)]
        writes += watches_ended(deployment)
        if self.rollback:
            application, location = self.rollback["applicationName"], self.rollback["location"]
            description = f"Registered by deployment {self.rollback['deploymentId']}"
            writes += made(self.rollback)
            writes.append(revision_use(application, location, description=description, now=self.now))
        return writes

    def without_group(self, deployment: Item) -> list[Write]:
        """The writes that end a deployment whose group is gone or has another lock; nothing is rolled back."""
        released = lock_released(deployment, self.now)
        return [self._of_deployment(deployment, alone=True), *watches_ended(deployment), *released]

    def _of_deployment(self, deployment: Item, *, alone: bool) -> Update:
        changes: dict[str, Any] = {"status": self.status, "completeTime": self.now}
        if self.overview is not None:
            changes["overview"] = dict(self.overview)
        if self.error:
            changes["error"] = dict(self.error)
        links = dict(deployment.get("rollback", {})) | self._rollback_links(deployment, alone)
        if links:
            changes["rollback"] = links
        live = still_live(self.generation)
        if alone:
            # Its application may have been renamed since it was read; then it has a group after all.
            live = All(live, Equals("applicationName", deployment["applicationName"]))
        return Update(deployment_key(deployment["deploymentId"]), set=changes, condition=live)

    def _rollback_links(self, deployment: Item, alone: bool) -> dict[str, Any]:
        if self.rollback and not alone:
            old, new = deployment["deploymentId"], self.rollback["deploymentId"]
            message = f"Deployment {old} terminated, automatic rollback triggered with DeploymentId {new}"
            return {"rollbackDeploymentId": new, "rollbackMessage": message}
        if self.rollback:
            message = "The deployment group is gone or was taken over, so nothing is rolled back."
            return {"rollbackMessage": message}
        return {"rollbackMessage": self.rollback_message} if self.rollback_message else {}

    def _of_group(self, deployment: Item, group: Item) -> Update:
        ended = deployment | {"status": self.status, "completeTime": self.now}
        changes: dict[str, Any] = {"lastAttempted": last_info(self.rollback or ended)}
        remove: Collection[str] = ("live",)
        if self.rollback:
            changes["live"], remove = self.rollback["deploymentId"], ()
        if self.status == "Succeeded":
            changes["lastSuccessful"] = last_info(ended)
        # A restart and the way back of blue/green install nothing: what is good stays the deployment that did.
        installs = deployment.get("deploymentMode") != RESTART and "trafficBackOf" not in deployment
        if self.status == "Succeeded" and installs:
            changes |= {
                "targetRevision": deployment["location"],
                "lastGood": {
                    "deploymentId": deployment["deploymentId"],
                    "location": deployment["location"],
                    "revisionKey": deployment.get("revisionKey") or revision_key(deployment["location"]),
                    "fileExistsBehavior": deployment.get("fileExistsBehavior", "DISALLOW"),
                },
            }
        condition: Condition = Equals("live", deployment["deploymentId"])
        if (moved := self._moved(deployment, group["info"])) is not None:
            hooks = scaled(group, moved)
            changes |= {"info": moved, **hooks}
            remove = (*remove, *(name for name in SCALING_ATTRIBUTES if name in group and name not in hooks))
            condition = All(condition, Equals("info", group["info"]))
        key = group_key(deployment["applicationName"], deployment["deploymentGroupName"])
        return Update(key, set=changes, remove=remove, condition=condition)

    def _moved(self, deployment: Item, info: Mapping[str, Any]) -> dict[str, Any] | None:
        """The group's settings once a blue/green deployment has succeeded: the replacement instances are its own.

        Who has changed what the group selects meanwhile has the last word.
        """
        moves = deployment.get("selection")
        if self.status != "Succeeded" or moves is None or selectors_of(info) != moves["from"]:
            return None
        kept = {name: value for name, value in info.items() if name not in INSTANCE_SELECTORS}
        return {**kept, "ec2TagFilters": [], "autoScalingGroups": [], **moves["to"]}
