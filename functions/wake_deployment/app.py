"""WakeDeployment: turn ended commands into signals, one a deployment however many commands ended."""

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
    messages are reported as failed, and come again.
    """
    commands: dict[str, list[str]] = {}
    for record in event["Records"]:
        commands.setdefault(command_of(record), []).append(record["messageId"])
    known = runtime.commands.deployments_of([command for command in commands if command])
    ended: dict[str, list[str]] = {}
    for command, deployment in known.items():
        ended.setdefault(deployment, []).append(command)
    for deployment, its_commands in ended.items():
        runtime.signals.signal(deployment, its_commands)
    lost = [message for command, messages in commands.items() if command not in known for message in messages]
    logger.info("signals", deployments=len(ended), commands=len(known), unknown=len(lost))
    return {"batchItemFailures": [{"itemIdentifier": message} for message in lost]}


def command_of(record: dict[str, Any]) -> str:
    """The command id in a message, or nothing where it is no event of Run Command."""
    try:
        return str(json.loads(record["body"])["detail"]["command-id"])
    except (ValueError, KeyError, TypeError):
        return ""


_runtime = cache(Runtime)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Lambda's entry."""
    return run(event, _runtime())
