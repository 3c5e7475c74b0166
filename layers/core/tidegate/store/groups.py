"""Deployment groups of an application. Their items also hold the lock: ``live``, the id of the live deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tidegate.store.application_items import application_key, open_application
from tidegate.store.configs import config_release, config_use
from tidegate.store.deployment_items import deployment_key
from tidegate.store.ecs_mappings import mapping_changes, services_of
from tidegate.store.errors import (
    ApplicationNotFoundError,
    ConditionFailedError,
    DeploymentConfigNotFoundError,
    DeploymentGroupBusyError,
    DeploymentGroupExistsError,
    DeploymentGroupLimitError,
    DeploymentGroupNotFoundError,
    EcsServiceMappedError,
    StoreError,
    TableBusyError,
)
from tidegate.store.scaled_groups import SCALING_ATTRIBUTES, scaled
from tidegate.store.table import (
    Absent,
    All,
    AttributeAbsent,
    Condition,
    Cursor,
    Delete,
    Equals,
    Item,
    Key,
    Page,
    Present,
    Put,
    Table,
    Update,
    Write,
    key_of,
)

#: Groups in one application (AWS: "CodeDeploy quotas").
MOST: Final = 1000
_TRIES: Final = 5
#: Attributes that come with deployments: a condition on the whole item must name those that it lacks.
_MAYBE: Final = ("live", "lastAttempted", "lastSuccessful", "targetRevision", "lastGood", *SCALING_ATTRIBUTES)


def group_key(application: str, group: str) -> Key:
    """Key of a deployment group's item."""
    return f"APP#{application}", f"GROUP#{group}"


def group_removed(item: Item) -> list[Write]:
    """The writes that take a group away, as long as its settings are those read."""
    group_id, info = item["deploymentGroupId"], item["info"]
    same = All(Equals("deploymentGroupId", group_id), Equals("info", info))
    released, freed = config_release(info["deploymentConfigName"], group_id), mapping_changes(info, {}, group_id)
    return [Delete(key_of(item), same), *released, *freed]


def group_moved(item: Item, application: str) -> list[Write]:
    """The writes that bring a group, as it was read, under another name of its application."""
    pk, sk = application_key(application)[0], item["SK"]
    moved = item | {"PK": pk, "SK": sk, "info": item["info"] | {"applicationName": application}}
    writes: list[Write] = [Delete(key_of(item), _unchanged(item)), Put(moved, Absent())]
    if "live" in item:
        # A live deployment knows its group by names.
        writes.append(Update(deployment_key(item["live"]), set={"applicationName": application}, condition=Present()))
    return writes


def _unchanged(item: Item) -> Condition:
    same = [Equals(name, value) for name, value in item.items() if name not in ("PK", "SK")]
    return All(*same, *(AttributeAbsent(name) for name in _MAYBE if name not in item))


class Groups:
    """The deployment groups of applications.

    ``info`` is everywhere the map that the data model describes: what the API was given, with the defaults filled in,
    among it ``applicationName``, ``deploymentGroupName`` and ``deploymentConfigName``.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(self, group_id: str, info: Mapping[str, Any], *, tags: Iterable[dict[str, str]] = ()) -> None:
        """Record a new deployment group.

        Raises
        ------
        ApplicationNotFoundError, DeploymentGroupExistsError, DeploymentConfigNotFoundError, EcsServiceMappedError
        DeploymentGroupLimitError
            The application has as many as it may have. Counted before, so that callers at the same time may go over it.
        """
        application, group = info["applicationName"], info["deploymentGroupName"]
        pk, sk = group_key(application, group)
        item = {"PK": pk, "SK": sk, "deploymentGroupId": group_id, "info": dict(info), "tags": list(tags)}
        item |= scaled(item, info)
        if self._table.count(pk, "GROUP#") >= MOST and self._table.get((pk, sk)) is None:
            raise DeploymentGroupLimitError(MOST)
        writes: list[Write] = [open_application(application), Put(item, Absent())]
        used, mapped = config_use(info["deploymentConfigName"], group_id), mapping_changes({}, info, group_id)
        try:
            self._table.write(*writes, *used, *mapped)
        except ConditionFailedError as error:
            if error.index >= len(writes) + len(used):
                raise EcsServiceMappedError(services_of(info)) from None
            raise self._creation_error(error.index, info) from None

    def _creation_error(self, index: int, info: Mapping[str, Any]) -> StoreError:
        application, group = info["applicationName"], info["deploymentGroupName"]
        if index == 0:
            return ApplicationNotFoundError(application)
        if index == 1:
            return DeploymentGroupExistsError(application, group)
        return DeploymentConfigNotFoundError(info["deploymentConfigName"])

    def get(self, application: str, group: str) -> Item:
        """Read a deployment group's item.

        Raises
        ------
        DeploymentGroupNotFoundError
            The application has none of this name, or does not exist.
        """
        item = self._table.get(group_key(application, group))
        if item is None:
            raise DeploymentGroupNotFoundError(application, group)
        return item

    def of_deployment(self, deployment: Mapping[str, Any]) -> Item:
        """The group of a deployment, also where its application is being renamed while this reads.

        Raises
        ------
        DeploymentGroupNotFoundError
        """
        names = deployment["applicationName"], deployment["deploymentGroupName"]
        try:
            return self.get(*names)
        except DeploymentGroupNotFoundError:
            fresh = self._table.get(deployment_key(deployment["deploymentId"])) or deployment
            return self.get(fresh["applicationName"], fresh["deploymentGroupName"])

    def page(self, application: str, *, limit: int | None = None, start: Cursor | None = None) -> Page:
        """A page of an application's groups, by name."""
        return self._table.query(f"APP#{application}", "GROUP#", limit=limit, start=start)

    def update(self, application: str, group: str, change: Callable[[Item], Mapping[str, Any]]) -> None:
        """Give a group other settings, among them perhaps another name.

        Parameters
        ----------
        change
            Makes the new ``info`` from the item as it stands; called again where someone else was faster.

        Raises
        ------
        DeploymentGroupNotFoundError
        DeploymentGroupExistsError
            The new name is taken.
        DeploymentGroupBusyError
            The name cannot change while a deployment is live.
        DeploymentConfigNotFoundError, EcsServiceMappedError
        """
        for _ in range(_TRIES):
            item = self.get(application, group)
            if self._updated(item, change(item)):
                return
        raise TableBusyError(f"The deployment group '{group}' is being changed by others.")

    def _updated(self, item: Item, info: Mapping[str, Any]) -> bool:
        old, group_id = item["info"], item["deploymentGroupId"]
        group, config = info["deploymentGroupName"], info["deploymentConfigName"]
        renames = group != old["deploymentGroupName"]
        if renames and "live" in item:
            raise DeploymentGroupBusyError(old["deploymentGroupName"], item["live"])
        writes = self._renaming(item, info) if renames else self._change(item, info)
        used: list[Write] = []
        if config != old["deploymentConfigName"]:
            used += config_use(config, group_id) + config_release(old["deploymentConfigName"], group_id)
        try:
            self._table.write(*writes, *used, *mapping_changes(old, info, group_id))
        except ConditionFailedError as error:
            if error.index == 0:
                return False
            if error.index < len(writes):
                raise DeploymentGroupExistsError(old["applicationName"], group) from None
            if error.index >= len(writes) + len(used):
                raise EcsServiceMappedError(services_of(info)) from None
            raise DeploymentConfigNotFoundError(config) from None
        return True

    def _change(self, item: Item, info: Mapping[str, Any]) -> list[Write]:
        unchanged = All(Equals("deploymentGroupId", item["deploymentGroupId"]), Equals("info", item["info"]))
        new = scaled(item, info)
        gone = [name for name in SCALING_ATTRIBUTES if name in item and name not in new]
        change = Update(key_of(item), set={"info": dict(info), **new}, remove=gone, condition=unchanged)
        return [change]

    def _renaming(self, item: Item, info: Mapping[str, Any]) -> list[Write]:
        # A live deployment knows its group by name, so the item may move only while the lock is free.
        pk, sk = group_key(info["applicationName"], info["deploymentGroupName"])
        kept = {name: value for name, value in item.items() if name not in SCALING_ATTRIBUTES}
        moved = kept | {"PK": pk, "SK": sk, "info": dict(info)} | scaled(item, info)
        return [Delete((item["PK"], item["SK"]), All(AttributeAbsent("live"), _unchanged(item))), Put(moved, Absent())]

    def delete(self, application: str, group: str) -> None:
        """Delete a group; one that is not there is fine. A live deployment of it runs on, without a group."""
        for _ in range(_TRIES):
            item = self._table.get(group_key(application, group))
            if item is None:
                return
            try:
                self._table.write(*group_removed(item))
            except ConditionFailedError:
                continue  # Deleted or changed by someone else meanwhile: look again.
            return
        raise TableBusyError(f"The deployment group '{group}' is being changed by others.")
