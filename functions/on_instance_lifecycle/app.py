"""OnInstanceLifecycle: deploy to an instance that Auto Scaling holds at a hook, beside what its group is doing.

Events come through a queue, and may come twice or late. Hooks that are not of a deployment group, or that it no longer
has, are somebody else's: they are left alone, with a line in the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.model.scaling import LifecycleAction, action_of_event, group_id_of
from tidegate.runtime import Runtime
from tidegate.scaling.lifecycle_actions import TryAgainError, take_up

logger = Logger()


def run(event: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """Take up a batch of lifecycle actions.

    Returns
    -------
    The messages of the queue that have to come again.
    """
    again: list[str] = []
    for record in event["Records"]:
        action = action_in(record)
        if action is None:
            logger.warning("a message that is no lifecycle action", messageId=record["messageId"])
            continue
        logger.append_keys(autoScalingGroup=action.scaling_group, instanceId=action.instance_id, hook=action.hook)
        try:
            logger.info("lifecycle action", done=taken_up(action, runtime))
        except TryAgainError as error:
            logger.info("the message comes again", why=str(error))
            again.append(record["messageId"])
        except Exception:
            logger.exception("a lifecycle action could not be dealt with; its message comes again")
            again.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message} for message in again]}


def taken_up(action: LifecycleAction, runtime: Runtime) -> str:
    """What was done about an action, in a word; one whose hook is nobody's here is ``foreign``."""
    group_id = group_id_of(action.hook)
    group = runtime.scaled_groups.by_id(group_id) if group_id else None
    return "foreign" if group is None else take_up(group, action, runtime)


def action_in(record: Mapping[str, Any]) -> LifecycleAction | None:
    """The action that a message tells of, None where it tells of something else."""
    try:
        event = json.loads(record["body"])
    except (ValueError, KeyError, TypeError):
        return None
    return action_of_event(event) if isinstance(event, Mapping) else None


_runtime = cache(Runtime)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Lambda's entry."""
    return run(event, _runtime())
