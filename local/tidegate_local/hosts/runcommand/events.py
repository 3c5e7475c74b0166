"""PURE: the events Systems Manager puts on the default bus when statuses change.

Follows "Amazon EventBridge event examples for Systems Manager: Run Command" of the user guide.
"""

import uuid
from datetime import datetime
from typing import Any

from tidegate_local.hosts.runcommand.model import Command, Invocation, iso_time

INVOCATION_CHANGE = "EC2 Command Invocation Status-change Notification"
COMMAND_CHANGE = "EC2 Command Status-change Notification"


def invocation_event(
    command: Command, invocation: Invocation, account: str, region: str, now: datetime
) -> dict[str, Any]:
    """The event for one host."""
    detail = {
        "command-id": command.id,
        "document-name": command.document_name,
        "instance-id": invocation.instance_id,
        "requested-date-time": iso_time(command.requested),
        "status": invocation.status,
    }
    return _event(INVOCATION_CHANGE, [invocation.instance_id], detail, account, region, now)


def command_event(command: Command, account: str, region: str, now: datetime) -> dict[str, Any]:
    """The event for the command as a whole."""
    detail = {
        "command-id": command.id,
        "document-name": command.document_name,
        "expire-after": iso_time(command.deadline),
        "parameters": dict(command.parameters),
        "requested-date-time": iso_time(command.requested),
        "status": command.status,
    }
    return _event(COMMAND_CHANGE, list(command.invocations), detail, account, region, now)


def _event(
    kind: str, instance_ids: list[str], detail: dict[str, Any], account: str, region: str, now: datetime
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": "aws.ssm",
        "account": account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:ec2:{region}:{account}:instance/{instance_id}" for instance_id in instance_ids],
        "detail": detail,
    }
