"""Lifecycle hooks that a Lambda function runs: asked for by a deployment, answered once by the function.

An execution of a hook is opened before its function is called, with the id that the function gets, and answered through
PutLifecycleEventHookExecutionStatus. The first answer counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.store.errors import ConditionFailedError, HookCompletedError, HookNotFoundError
from tidegate.store.table import Absent, All, AttributeAbsent, Item, Key, Present, Put, Table, Update


def hook_key(deployment_id: str, execution_id: str) -> Key:
    """Key of a hook's execution."""
    return f"DEP#{deployment_id}", f"HOOK#{execution_id}"


class Hooks:
    """Executions of hooks."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def open(self, deployment_id: str, execution_id: str, *, event: str, now: float) -> Item:
        """Record that a hook is about to run; repeating it keeps what is there.

        Parameters
        ----------
        event
            Name of the lifecycle event.

        Returns
        -------
        The execution as it is now; ``answer`` is absent until the function has answered.
        """
        pk, sk = hook_key(deployment_id, execution_id)
        item: Item = {"PK": pk, "SK": sk, "executionId": execution_id, "event": event, "openedAt": now}
        try:
            self._table.write(Put(item, Absent()))
        except ConditionFailedError:
            return self._table.get((pk, sk)) or item
        return item

    def answer(self, deployment_id: str, execution_id: str, *, status: str, now: float, by: str) -> Item:
        """Record how a hook ended.

        Parameters
        ----------
        status
            ``Succeeded`` or ``Failed``.
        by
            ARN of who answered.

        Raises
        ------
        HookNotFoundError
            The deployment has opened no execution of this id.
        HookCompletedError
            It was answered before.
        """
        answer: Mapping[str, Any] = {"status": status, "time": now, "by": by}
        key = hook_key(deployment_id, execution_id)
        unanswered = All(Present(), AttributeAbsent("answer"))
        try:
            return self._table.update_returning(Update(key, set={"answer": answer}, condition=unanswered))
        except ConditionFailedError as error:
            if error.item is None:
                raise HookNotFoundError(deployment_id) from None
            # The client below repeats a call whose answer was lost: then what stands there is ours.
            if error.item["answer"] != answer:
                raise HookCompletedError(error.item["event"], error.item["answer"]["status"]) from None
            return dict(error.item)

    def all_of(self, deployment_id: str) -> dict[str, Item]:
        """A deployment's executions by their ids."""
        items = self._table.query(f"DEP#{deployment_id}", "HOOK#").items
        return {item["executionId"]: item for item in items}
