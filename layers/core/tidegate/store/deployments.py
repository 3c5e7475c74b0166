"""Deployments: made, listed, stopped and ended. Each of these is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tidegate.model.deployment import ENDING, TERMINAL, TERMINATION_WAIT_STARTED
from tidegate.model.legs import WaitKind
from tidegate.store.beginnings import beginning, beginning_for_instance, why_not_begun, why_not_begun_for_instance
from tidegate.store.deployment_items import LIVE_STATUSES, deployment_key, still_live, with_keys
from tidegate.store.endings import Ending
from tidegate.store.errors import (
    ConditionFailedError,
    DeploymentCompletedError,
    DeploymentNotFoundError,
    NotWaitingError,
    StaleGenerationError,
    StoreError,
    TableBusyError,
)
from tidegate.store.groups import group_key
from tidegate.store.table import All, AttributeAbsent, Cursor, Equals, Item, OneOf, Page, Table, Update, time_span

_TRIES: Final = 5


class Deployments:
    """All deployments of the account."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(
        self,
        deployment: Mapping[str, Any],
        *,
        revision_description: str,
        registered_as: Mapping[str, Any] | None = None,
        root: Item | None = None,
    ) -> Item:
        """Record a new deployment, take its group's lock, and register or renew its revision.

        One that Auto Scaling started takes the lock of its instance instead, by :meth:`create_for_instance`.

        Parameters
        ----------
        deployment
            The attributes of the deployment item, without keys.
        revision_description
            Description of the revision where it was not registered before.
        registered_as
            The revision's location as it is registered, where that holds more than the deployment's own ``location``:
            the text of an AppSpec that was given as text.
        root
            The deployment that this one follows up, as it was read; both know each other afterwards.

        Raises
        ------
        DeploymentExistsError
            The id is taken; nothing was changed.
        DeploymentGroupNotFoundError
            The group is gone, or another one has its name now.
        DeploymentGroupBusyError
            Another deployment holds the lock.
        TableBusyError
            The root has had another follow-up since it was read.
        """
        location = registered_as or deployment["location"]
        try:
            self._table.write(*beginning(deployment, location, revision_description, root))
        except ConditionFailedError as error:
            raise why_not_begun(error, deployment) from None
        return with_keys(deployment)

    def create_for_instance(self, deployment: Mapping[str, Any], *, key: str, after: str = "") -> Item:
        """Record a deployment that Auto Scaling started for one instance, beside whatever its group's lock is held by.

        Parameters
        ----------
        deployment
            As in :meth:`create`, with ``scaling``.
        key
            Tells this wait of the instance from others of the same instance.
        after
            The deployment that the instance's lock was last taken for, as it was read; empty where there was no lock.

        Raises
        ------
        DeploymentExistsError, DeploymentGroupNotFoundError
        InstanceBusyError
            Another deployment of the group holds the instance's lock, or has held it since it was read.
        """
        try:
            self._table.write(*beginning_for_instance(deployment, key=key, after=after))
        except ConditionFailedError as error:
            raise why_not_begun_for_instance(error, deployment) from None
        return with_keys(deployment)

    def get(self, deployment_id: str) -> Item:
        """Read a deployment.

        Raises
        ------
        DeploymentNotFoundError
        """
        item = self._table.get(deployment_key(deployment_id))
        if item is None:
            raise DeploymentNotFoundError(deployment_id)
        return item

    def get_many(self, ids: Iterable[str]) -> list[Item]:
        """Read deployments in the order of their ids; unknown ones are left out."""
        ids = list(dict.fromkeys(ids))
        found = self._table.get_many(deployment_key(each) for each in ids)
        return [found[deployment_key(each)] for each in ids if deployment_key(each) in found]

    def page(
        self,
        group_id: str | None = None,
        *,
        between: tuple[float | None, float | None] = (None, None),
        limit: int | None = None,
        start: Cursor | None = None,
    ) -> Page:
        """A page of a group's deployments, or of all, newest first.

        Parameters
        ----------
        between
            Earliest and latest time of creation, both included.
        """
        index, pk = ("GSI2", "DEPS") if group_id is None else ("GSI1", f"GROUP#{group_id}")
        return self._table.query(
            pk, between=time_span(*between), index=index, descending=True, limit=limit, start=start
        )

    def request_stop(self, deployment_id: str, *, now: float, auto_rollback: bool | None, by: str) -> Item:
        """Record that the deployment is to stop. The first request counts; more of them change nothing.

        Parameters
        ----------
        auto_rollback
            Whether to roll back; ``None`` leaves it to the deployment's own settings.
        by
            ARN of who asked.

        Returns
        -------
        The deployment as it is now.

        Raises
        ------
        DeploymentNotFoundError
        DeploymentCompletedError
            It has ended, or is ending (:meth:`begin_ending`).
        """
        stop: dict[str, Any] = {"time": now, "by": by}
        if auto_rollback is not None:
            stop["autoRollback"] = auto_rollback
        # What a stop says of the rollback would come too late for one that is ending.
        goes_on = All(OneOf("status", LIVE_STATUSES), AttributeAbsent(ENDING))
        try:
            return self._table.update_returning(
                Update(deployment_key(deployment_id), set_if_absent={"stop": stop}, condition=goes_on)
            )
        except ConditionFailedError as error:
            raise _why_not(deployment_id, error.item, None) from None

    def request_continue(self, deployment_id: str, wait: str) -> Item:
        """Record that a wait of a live deployment is over. Asked again, nothing changes.

        Parameters
        ----------
        wait
            ``READY_WAIT`` or ``TERMINATION_WAIT`` (API: DeploymentWaitType).

        Raises
        ------
        DeploymentNotFoundError
        DeploymentCompletedError
            It has ended.
        NotWaitingError
            It does not wait for that now.
        """
        waits = Equals("status", "Ready") if wait == WaitKind.READY else Equals(TERMINATION_WAIT_STARTED, True)
        condition = All(OneOf("status", LIVE_STATUSES), waits)
        update = Update(deployment_key(deployment_id), add_to_set={"continued": {wait}}, condition=condition)
        try:
            return self._table.update_returning(update)
        except ConditionFailedError as error:
            if error.item is not None and error.item["status"] in LIVE_STATUSES:
                raise NotWaitingError(deployment_id, error.item["status"], wait) from None
            raise _why_not(deployment_id, error.item, None) from None

    def amend(
        self,
        deployment_id: str,
        changes: Mapping[str, Any],
        *,
        generation: int | None = None,
        once: Mapping[str, Any] | None = None,
    ) -> Item:
        """Change attributes of a live deployment.

        Parameters
        ----------
        changes
            Attributes to write.
        generation
            The writer's generation: refused where the deployment has another by now. ``None`` does not ask.
        once
            Attributes to write only where they are absent, such as ``startTime``.

        Raises
        ------
        DeploymentNotFoundError, DeploymentCompletedError, StaleGenerationError
        """
        update = Update(
            deployment_key(deployment_id),
            set=changes,
            set_if_absent=once or {},
            condition=still_live(generation),
        )
        try:
            return self._table.update_returning(update)
        except ConditionFailedError as error:
            raise _why_not(deployment_id, error.item, generation) from None

    def begin_ending(self, deployment_id: str, generation: int) -> Item:
        """Settle that a deployment ends, before anything of its end is done: from now on no stop is acknowledged.

        So what follows from its end, by what is returned, cannot change until it has ended; and a step that was given
        up long ago can know that what it has done comes too late. Repeating it changes nothing.

        Parameters
        ----------
        generation
            The writer's, as in :meth:`amend`.

        Returns
        -------
        The deployment as it is now; it may have ended already.

        Raises
        ------
        DeploymentNotFoundError, StaleGenerationError
        """
        try:
            return self.amend(deployment_id, {ENDING: True}, generation=generation)
        except DeploymentCompletedError:
            return self.get(deployment_id)

    def finish(
        self,
        deployment_id: str,
        *,
        status: str,
        now: float,
        overview: Mapping[str, int] | None = None,
        error: Mapping[str, str] | None = None,
        rollback: Mapping[str, Any] | None = None,
        rollback_message: str | None = None,
        generation: int | None = None,
    ) -> Item:
        """End a deployment: one transaction over it, its group and, where it rolls back, the new deployment.

        The group's lock is released, or passed to the rollback so that nothing slips between; a success becomes the
        group's last successful deployment and its target revision. Where the group is gone or has another lock, the
        deployment alone is ended and nothing is rolled back. Repeating the call changes nothing and returns what the
        first one made.

        Parameters
        ----------
        status
            ``Succeeded``, ``Failed`` or ``Stopped``.
        overview
            Targets by status; what is recorded stays where this is ``None``.
        error
            ``{"code", "message"}``.
        rollback
            Attributes of the deployment that rolls this one back (:func:`rollback_deployment`).
        rollback_message
            Why nothing is rolled back, where that was asked for but could not be.
        generation
            The writer's generation, as in :meth:`amend`.

        Returns
        -------
        The deployment as it has ended.

        Raises
        ------
        DeploymentNotFoundError, StaleGenerationError
        """
        if status not in TERMINAL:
            raise ValueError(f"A deployment ends as one of {sorted(TERMINAL)}, not as {status!r}.")
        ending = Ending(status, now, overview, error, rollback, rollback_message, generation)
        for _ in range(_TRIES):
            deployment = self.get(deployment_id)
            if deployment["status"] in TERMINAL:
                return deployment
            if generation is not None and deployment.get("generation") != generation:
                raise StaleGenerationError(deployment_id, generation)
            group = self._table.get(group_key(deployment["applicationName"], deployment["deploymentGroupName"]))
            holds = group is not None and group.get("live") == deployment_id
            writes = ending.with_group(deployment, group) if group and holds else ending.without_group(deployment)
            try:
                self._table.write(*writes)
            except ConditionFailedError:
                continue  # Ended, stopped being ours, or lost its group meanwhile: look again.
            return self.get(deployment_id)
        raise TableBusyError(f"Deployment {deployment_id} is being changed by others; it was not ended.")


def _why_not(deployment_id: str, item: Mapping[str, Any] | None, generation: int | None) -> StoreError:
    if item is None:
        return DeploymentNotFoundError(deployment_id)
    if item["status"] in TERMINAL:
        return DeploymentCompletedError(deployment_id, item["status"])
    if generation is None and ENDING in item:
        return DeploymentCompletedError(deployment_id)
    return StaleGenerationError(deployment_id, generation or 0)
