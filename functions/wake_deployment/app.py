"""WakeDeployment: turn ended commands and raised alarms into signals, one a deployment however many there were."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.runtime import Runtime

logger = Logger()


def run(event: dict[str, Any], runtime: Runtime) -> dict[str, Any]:
    """Signal the deployments of a batch of messages.

    A command that belongs to no deployment yet was sent a moment ago by a handler that has not written it down: its
    messages are reported as failed, and come again. An alarm that no deployment watches is somebody else's.
    """
    commands: dict[str, list[str]] = {}
    alarms: set[str] = set()
    for record in event["Records"]:
        detail = detail_of(record)
        if "alarmName" in detail:
            alarms.add(str(detail["alarmName"]))
        else:
            commands.setdefault(str(detail.get("command-id", "")), []).append(record["messageId"])
    known = runtime.commands.deployments_of([command for command in commands if command])
    woken: dict[str, list[str]] = {each: [] for each in sorted(runtime.alarm_watches.deployments_of(alarms))}
    for command, deployment in known.items():
        woken.setdefault(deployment, []).append(command)
    for deployment, its_commands in woken.items():
        runtime.signals.signal(deployment, its_commands)
    lost = [message for command, messages in commands.items() if command not in known for message in messages]
    logger.info("signals", deployments=len(woken), commands=len(known), alarms=len(alarms), unknown=len(lost))
    return {"batchItemFailures": [{"itemIdentifier": message} for message in lost]}


def detail_of(record: dict[str, Any]) -> dict[str, Any]:
    """What an event in a message is about; nothing where it is no event."""
    try:
        detail = json.loads(record["body"])["detail"]
    except (ValueError, KeyError, TypeError):
        return {}
    return detail if isinstance(detail, dict) else {}


_runtime = cache(Runtime)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Lambda's entry."""
    return run(event, _runtime())
